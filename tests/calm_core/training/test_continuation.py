"""The trainer of continuation models on passages that fit in a hand, with latents and with codes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import calm_core
from calm_core.audio import Audio
from calm_core.codecs import RVQCodec, build_codec
from calm_core.config import CodecModelConfig, parse_config
from calm_core.errors import InputError
from calm_core.training.loop import train_recipe
from calm_core.training.package import package
from calm_core.training.passages import PassageBatch, Passages, prepare_tokenizer
from calm_core.training.recipes import ContinuationRecipe, read_recipe
from tests.calm_core import tiny
from tests.calm_core.training.tiny_runs import CODEC

WORDS = "the old king met a young queen by her quiet river and gave a silver ring to him".split()


@pytest.fixture(scope="module", params=["lsd", "rq_transformer"])
def recipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, with latents or codes of random passages and a codec with random weights."""
    folder = tmp_path_factory.mktemp(request.param)
    generator = torch.Generator().manual_seed(0)
    discrete = request.param == "rq_transformer"
    inner = {"kind": "spectral", **CODEC}
    codec = {"kind": "rvq", "levels": 3, "codebook_size": 16, "autoencoder": inner} if discrete else inner
    model = tiny.continuation(folder / "words.model", request.param)
    model |= {"codec": codec, "text": {"n_bins": 60, "tokenizer_path": str(folder / "words.model"), "delay": 2}}
    (folder / "latents").mkdir()
    for split, count in (("train", 6), ("valid", 2), ("heldout", 2)):
        frames, rows = {}, []
        for index in range(count):
            name = f"{split}{index}"
            drawn = torch.randint(16, (60, 3), generator=generator).short()
            frames[name] = drawn if discrete else torch.randn(60, 8, generator=generator).half() * 2 + 1
            times = torch.rand(12, generator=generator).mul(4.5).sort().values.tolist()
            rows.append({
                "id": name, "speaker": "s", "text": "", "phones": [],
                "words": [[WORDS[(index + k) % len(WORDS)], t, t + 0.2] for k, t in enumerate(times)],
            })  # fmt: skip
        save_file(frames, folder / "latents" / f"{split}.safetensors")
        (folder / "latents" / f"{split}.json").write_text(json.dumps(rows))
    # the tokenizer learns from the corpus's words
    (folder / "corpus").mkdir()
    row = {
        "id": "a", "split": "train", "speaker": "s", "text": "", "shard": "none.flac", "start": 0, "samples": 1,
        "phones": [], "words": [[word, 0.0, 0.1] for word in WORDS * 4],
    }  # fmt: skip
    (folder / "corpus" / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    import soundfile as sf

    sf.write(folder / "corpus" / "none.flac", np.zeros(1), 24_000)
    torch.manual_seed(0)
    config = parse_config({"task": "codec", "codec": codec}, "codec")
    assert isinstance(config, CodecModelConfig)
    built = build_codec(config.codec)
    if isinstance(built, RVQCodec):
        built.quantizer.codebooks.normal_(generator=generator)
    save_file(built.state_dict(), folder / "codec.safetensors")
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({
        "kind": "continuation", "folder": str(folder / "run"), "corpus": str(folder / "corpus"),
        "latents": str(folder / "latents"), "codec": str(folder / "codec.safetensors"), "model": model, "seconds": 2.0,
        "head_batch_multiplier": 2, "text_dropout": 0.5,
        "schedule": {"steps": 30, "batch": 4, "learning_rate": 5e-3, "warmup": 2, "bf16": False, "evaluate_every": 100},
    }))  # fmt: skip
    return path


def curve(folder: Path, name: str) -> list[float]:
    rows = [line.split(",") for line in (folder / "curves.csv").read_text().splitlines()[1:]]
    return [float(value) for _, key, value in rows if key == name]


def test_the_text_is_learned_and_the_run_becomes_a_model(recipe: Path, tmp_path: Path) -> None:
    train_recipe(recipe, [f"folder={tmp_path / 'run'}", "schedule.log_every=5"], resume=False)
    text = curve(tmp_path / "run", "text")
    assert text[-1] < text[0] - 0.5
    read = read_recipe(recipe, [f"folder={tmp_path / 'run'}"])
    assert isinstance(read, ContinuationRecipe)
    package(read, tmp_path / "made", "A model", "MIT", codec_id="codec", weights="int8")
    (tmp_path / "codec").mkdir()
    (tmp_path / "codec" / "model.safetensors").write_bytes(read.codec.read_bytes())
    speaker = calm_core.load(str(tmp_path / "made"), task="speech_continuation")
    made = speaker.generate(Audio(tiny.recording(2.0), 24_000), 1.0, seed=1)
    assert made.seconds == pytest.approx(3.0)
    assert not speaker.discrete or made.meta["temperature"] == 0.8


@pytest.mark.parametrize("recipe", ["rq_transformer"], indirect=True)
def test_a_model_may_use_the_first_levels_of_its_codec(recipe: Path, tmp_path: Path) -> None:
    changes = [f"folder={tmp_path / 'run'}", "model.codec.levels=2", "schedule.steps=2"]
    train_recipe(recipe, changes, resume=False)
    read = read_recipe(recipe, changes)
    assert isinstance(read, ContinuationRecipe)
    package(read, tmp_path / "made", "A model", "MIT", codec_id="codec", weights="int8")
    (tmp_path / "codec").mkdir()
    (tmp_path / "codec" / "model.safetensors").write_bytes(read.codec.read_bytes())
    speaker = calm_core.load(str(tmp_path / "made"), task="speech_continuation")
    assert speaker.generate(Audio(tiny.recording(2.0), 24_000), 1.0, seed=1).seconds == pytest.approx(3.0)
    codec = load_file(tmp_path / "run" / "model.safetensors")["codec.quantizer.codebooks"]
    assert torch.equal(codec, load_file(read.codec)["quantizer.codebooks"][:2])
    with pytest.raises(InputError, match="codebooks' is \\[3, 16, 8\\] there and \\[4, 16, 8\\]"):
        train_recipe(recipe, [*changes, "model.codec.levels=4"], resume=False)


def test_resuming_equals_never_having_stopped(recipe: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    train_recipe(recipe, [f"folder={whole}", "schedule.steps=6"], resume=False)
    steps = ["schedule.steps=6", "schedule.save_minutes=0.0000001"]
    collate, calls = Passages.collate, 0

    def thrice(self: Passages, indices: list[int], generator: torch.Generator) -> PassageBatch:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return collate(self, indices, generator)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Passages, "collate", thrice)
        with pytest.raises(KeyboardInterrupt):
            train_recipe(recipe, [f"folder={part}", *steps], resume=False)
    assert json.loads((part / "checkpoint" / "checkpoint.json").read_text())["step"] == 3
    train_recipe(recipe, [f"folder={part}", *steps], resume=True)
    a, b = load_file(whole / "model.safetensors"), load_file(part / "model.safetensors")
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_pieces_carry_their_words_and_hide_some(recipe: Path) -> None:
    read = read_recipe(recipe, [])
    assert isinstance(read, ContinuationRecipe) and read.model.text is not None
    tokenizer = prepare_tokenizer(read.corpus, read.model.text)
    passages = Passages(read.latents / "train.safetensors", read.model.text, tokenizer, 12.5, 2.0, 0.5)
    rows = [i % 6 for i in range(64)]
    batch, again = (passages.collate(rows, torch.Generator().manual_seed(0)) for _ in range(2))
    assert batch.text is not None and again.text is not None and torch.equal(batch.text, again.text)
    assert batch.frames.shape[:2] == (64, 25) and batch.text.shape == (64, 27)
    hidden = (batch.known > 0).float().mean().item()
    assert 0.3 < hidden < 0.7
    whole = passages.texts[0]
    spoken = tokenizer.decode([t for t in whole.tolist() if t < read.model.text.n_bins])
    assert spoken.split() == [word for word, _, _ in passages.rows[0]["words"]]


def test_a_tokenizer_that_cannot_be_made_says_why(recipe: Path, tmp_path: Path) -> None:
    read = read_recipe(recipe, [f"model.text.tokenizer_path={tmp_path / 'other.model'}", "model.text.n_bins=5000"])
    assert isinstance(read, ContinuationRecipe) and read.model.text is not None
    with pytest.raises(InputError, match="5000 pieces"):
        prepare_tokenizer(read.corpus, read.model.text)
    assert not (tmp_path / "other.model").exists()

"""A CLAP learns four kinds of sound from captions, is packaged, and embeds a corpus."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import calm_core
from calm_core import Audio
from calm_core.clap.model import ClapModel
from calm_core.cli import main
from calm_core.config import ClapModelConfig
from calm_core.errors import InputError
from calm_core.training.cost import trace
from calm_core.training.data import Corpus
from calm_core.training.dry_run import OUTLINES
from calm_core.training.latent_shards import index_path
from calm_core.training.loop import train_recipe
from calm_core.training.mels import Augmentation, ClapBatch, Clips, encode_mels, mels_path
from calm_core.training.recipes import ClapRecipe, embeddings_file, read_recipe
from tests.calm_core.clap import sounds

CONFIGS = Path(calm_core.__file__).parent / "configs"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clap")
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({
        "kind": "clap", "folder": str(folder / "run"), "mels": str(folder / "mels"),
        "corpus": str(sounds.write_corpus(folder / "corpus", {"train": 48, "valid": 16, "heldout": 12})),
        "model": sounds.model(folder / "words.model"), "masked_bands": 4, "masked_seconds": 0.2,
        "schedule": {"steps": 60, "batch": 16, "learning_rate": 3e-3, "warmup": 5, "bf16": False, "ema": 0.9,
                     "evaluate_every": 60},
    }))  # fmt: skip
    return path


@pytest.fixture(scope="module")
def trained(recipe: Path) -> dict[str, float]:
    return train_recipe(recipe, [], resume=False)


def clips(recipe: Path) -> tuple[ClapRecipe, Clips]:
    read = read_recipe(recipe, [])
    assert isinstance(read, ClapRecipe)
    return read, Clips(read.mels, "train", read.model.audio)


def test_it_learns_to_tell_four_kinds_of_sound(trained: dict[str, float]) -> None:
    """Of 16 clips, 4 of each kind; a caption has three wordings, so even a perfect ear is not always first."""
    assert trained["text_to_audio_recall_5"] > 0.85 and trained["audio_to_text_recall_5"] > 0.85  # chance: below 0.6
    assert trained["text_to_audio_recall_1"] > 0.3  # chance: about 0.1
    assert trained["contrast"] < 2.0  # log 16 = 2.8 knows nothing, log 4 = 1.4 knows the kind


def test_the_run_becomes_a_model_that_hears(
    trained: dict[str, float], recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tiny-clap"
    arguments = ["package", str(recipe), "--out", str(out), "--title", "Tiny", "--licence", "MIT"]
    assert main([*arguments, "--codec", "codec"]) == 2 and "leave --codec out" in capsys.readouterr().err
    assert main([*arguments, "--statistics", "s"]) == 2 and "belong to a codec" in capsys.readouterr().err
    assert main([*arguments, "--weights", "int8"]) == 0
    made = json.loads(capsys.readouterr().out)
    clap = calm_core.load(str(out), task="clap")
    assert clap.info.parameters == made["parameters"] and clap.info.title == "Tiny"
    rng = np.random.default_rng(5)
    heard = clap.embed_audio(
        [Audio(torch.from_numpy(sounds.sound(kind, 3.0, rng)).float(), sounds.RATE) for kind in sounds.KINDS]
    )
    means = torch.stack([clap.embed_text(said).mean(0) for said in sounds.KINDS.values()])
    assert (heard @ means.T).argmax(1).tolist() == [0, 1, 2, 3]

    # the corpus through it
    encode = tmp_path / "encode.yaml"
    corpus = read_recipe(recipe, []).corpus
    encode.write_text(yaml.safe_dump({
        "kind": "encode_clap", "corpus": str(corpus), "clap": str(out), "latents": str(tmp_path / "latents"),
        "splits": ["valid", "heldout"],
    }))  # fmt: skip
    assert main(["encode", str(encode)]) == 0
    figures = json.loads(capsys.readouterr().out)
    valid = load_file(embeddings_file(tmp_path / "latents", "valid"))
    assert figures["rows"] == 28 and figures["width"] == 16 and set(valid) == {f"valid{i}" for i in range(16)}
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    lengths = {row["id"]: row["samples"] / sounds.RATE for row in rows}
    for name, windows in valid.items():
        assert windows.dtype == torch.float16 and windows.shape[1] == 16
        assert len(windows) == 1 + max(0, int(np.ceil(lengths[name] - 2.1)))  # windows of 2 s, one a second
        torch.testing.assert_close(windows.float().norm(dim=1), torch.ones(len(windows)), rtol=1e-3, atol=1e-3)
    assert main(["encode", str(encode)]) == 2 and "is there already" in capsys.readouterr().err
    assert main(["encode", str(encode), f"latents={tmp_path / 'b'}", "clap=nowhere"]) == 2
    assert "There is no model 'nowhere'" in capsys.readouterr().err


def test_resuming_equals_never_having_stopped(trained: dict[str, float], recipe: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    steps = ["schedule.steps=6", "schedule.save_minutes=0.0000001"]
    train_recipe(recipe, [f"folder={whole}", *steps], resume=False)
    collate, calls = Clips.collate, 0

    def thrice(self: Clips, *arguments: object) -> ClapBatch:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return collate(self, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clips, "collate", thrice)
        with pytest.raises(KeyboardInterrupt):
            train_recipe(recipe, [f"folder={part}", *steps], resume=False)
    assert json.loads((part / "checkpoint" / "checkpoint.json").read_text())["step"] == 3
    train_recipe(recipe, [f"folder={part}", *steps], resume=True)
    a, b = load_file(whole / "model.safetensors"), load_file(part / "model.safetensors")
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_windows_captions_and_what_is_done_to_them(trained: dict[str, float], recipe: Path) -> None:
    from calm_core.conditioners.tokenizer import load_tokenizer

    read, data = clips(recipe)
    tokenizer = load_tokenizer(Path(read.model.text.tokenizer_path), "sentencepiece", read.model.text.n_bins)
    hidden = torch.full((24,), 9.0)

    def batch(how: Augmentation, rows: list[int], seed: int = 0) -> ClapBatch:
        return data.collate(rows, tokenizer, 32, hidden, how, torch.Generator().manual_seed(seed))

    one, two = batch(Augmentation(), [3] * 40), batch(Augmentation(), [3] * 40)
    assert all(torch.equal(a, b) for a, b in zip(vars(one).values(), vars(two).values(), strict=True))
    assert one.same.all()  # one row, whatever its caption
    said = {tokenizer.decode([t for t in row.tolist() if t < read.model.text.n_bins]) for row in one.tokens}
    assert said == set(data.rows[3]["captions"]) == set(sounds.KINDS["clicks"])
    whole = data.mels[data.rows[3]["id"]].float()
    frames = int(one.lengths[0])
    assert frames == min(100, len(whole))
    starts = {tuple(window.tolist()) for window in one.mel[:, :, 0]}
    assert len(starts) > 1 or len(whole) == frames
    # rows of one kind share a caption now and then, rows of two kinds never
    mixed = batch(Augmentation(), [0, 4, 8, 12, 16, 20, 1])
    assert mixed.same[:6, :6].float().mean() > 1 / 6 and not mixed.same[6, :6].any()
    # a gain multiplies the magnitudes of a window, which are above the floor, by one factor within 6 dB
    plain, louder = (batch(how, [2] * 40).mel.exp() - 1e-4 for how in (Augmentation(), Augmentation(gain_db=6.0206)))
    factors = louder.sum((1, 2)) / plain.sum((1, 2))
    torch.testing.assert_close(louder, plain * factors[:, None, None], rtol=1e-3, atol=1e-6)
    assert 0.5 < factors.min() < 0.7 and 1.6 < factors.max() < 2.0
    masked = batch(Augmentation(masked_bands=4, masked_frames=10), [2] * 40)
    shares = (masked.mel == 9.0).float().mean((1, 2))
    assert 0 < shares.mean() < 4 / 24 + 0.1 and (shares <= 4 / 24 + 10 / int(masked.lengths[0])).all()


def test_bands_made_with_other_settings_are_refused(trained: dict[str, float], recipe: Path) -> None:
    with pytest.raises(InputError, match="were made with hop 160"):
        train_recipe(recipe, ["model.audio.hop=80", "folder=elsewhere"], resume=False)


def test_rows_without_a_caption_are_left_out(tmp_path: Path, recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = sounds.write_corpus(tmp_path / "corpus", {"train": 5, "valid": 4})
    manifest = corpus / "manifest.jsonl"
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows[1] |= {"text": " ", "captions": []}
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = read_recipe(recipe, [])
    assert isinstance(read, ClapRecipe)
    audio = read.model.audio
    encode_mels(Corpus(corpus, "train"), "train", tmp_path / "mels", audio)
    left = [row["id"] for row in Clips(tmp_path / "mels", "train", audio).rows]
    assert left == ["train0", "train2", "train3", "train4"]
    assert "1 rows of train have no caption" in capsys.readouterr().err
    manifest.write_text("".join(json.dumps(row | {"text": "", "captions": []}) + "\n" for row in rows))
    changes = [f"corpus={corpus}", f"mels={tmp_path / 'none'}", f"folder={tmp_path / 'run'}"]
    with pytest.raises(InputError, match=r"No row of the split 'train' of .* has a caption"):
        train_recipe(recipe, changes, resume=False)
    assert not index_path(mels_path(tmp_path / "none", "train")).exists()


def test_what_is_missing_is_said_before_any_work(recipe: Path, tmp_path: Path) -> None:
    changes = [f"corpus={tmp_path}", f"mels={tmp_path / 'mels'}", f"folder={tmp_path / 'run'}"]
    with pytest.raises(InputError, match="There is no corpus"):
        train_recipe(recipe, changes, resume=False)
    with pytest.raises(InputError, match="heads of even width"):
        train_recipe(recipe, ["model.audio.num_heads=5"], resume=False)


def test_the_bundled_recipe_is_of_the_size_that_it_says() -> None:
    read = read_recipe(CONFIGS / "clap_music.yaml", [])
    assert isinstance(read, ClapRecipe) and isinstance(read.model, ClapModelConfig)
    count = sum(p.numel() for p in ClapModel(read.model).parameters())
    assert 1_000_000 < count < 3_000_000


def test_its_cost_can_be_traced(recipe: Path) -> None:
    outline = OUTLINES["clap"](read_recipe(recipe, []), 4)
    assert {"audio", "text"} <= outline.modules().keys()
    cost = trace(outline.loss)
    # the projections of the attention alone, forward and twice backward: 25 steps of sound, 24 of text, 4 d^2 each
    assert cost.flops > 3 * 2 * 4 * (25 + 24) * 4 * 32 * 32

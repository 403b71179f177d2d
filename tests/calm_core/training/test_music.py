"""The recipes of music on latents that fit in a hand: CLAP embeddings, every head, from a recipe to a sound."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import calm_core
from calm_core.cli import main
from calm_core.codecs import RVQCodec, build_codec
from calm_core.errors import InputError
from calm_core.tasks import clap_to_music
from calm_core.training.check import build_model, build_without_storage, check
from calm_core.training.loop import train_recipe
from calm_core.training.passages import Passages, embedding_of
from calm_core.training.recipes import ContinuationRecipe, embeddings_path, read_recipe
from tests.calm_core import tiny
from tests.calm_core.training.test_tiny_recipes import MUSIC

CONFIGS = Path(calm_core.__file__).parent / "configs"
RECIPES = ("music_calm", "music_trigflow", "music_rq", "music_musicgen")
WIDTH = 32


def read(path: Path, *overrides: str) -> ContinuationRecipe:
    recipe = read_recipe(path, list(overrides))
    assert isinstance(recipe, ContinuationRecipe)
    return recipe


def corpus(name: str) -> ContinuationRecipe:
    """Latents or codes of clips of 12 s, CLAP embeddings and a codec with random weights, where a recipe looks."""
    recipe = read(CONFIGS / "tiny" / f"{name}.yaml")
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    codec = build_codec(recipe.model.codec)
    if isinstance(codec, RVQCodec):
        codec.quantizer.codebooks.normal_(generator=generator)
    recipe.codec.parent.mkdir(parents=True, exist_ok=True)
    save_file({n: t.contiguous() for n, t in codec.state_dict().items()}, recipe.codec)
    recipe.latents.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", 6), ("valid", 3), ("heldout", 3)):
        names = [f"{split}{index}" for index in range(count)]
        frames, claps = {}, {}
        for each in names:
            drawn = torch.randint(64, (300, 4), generator=generator).short()
            frames[each] = drawn if isinstance(codec, RVQCodec) else torch.randn(300, 8, generator=generator).half()
            embeddings = torch.randn(2, WIDTH, generator=generator)
            claps[each] = torch.nn.functional.normalize(embeddings, dim=-1).half()
        save_file(frames, recipe.latents / f"{split}.safetensors")
        rows = [{"id": n, "speaker": "", "text": "A song.", "phones": [], "words": []} for n in names]
        (recipe.latents / f"{split}.json").write_text(json.dumps(rows))
        path = embeddings_path(recipe, split)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(claps, path)
    return recipe


class WideClap(tiny.Clap):
    width = WIDTH


@pytest.mark.parametrize("name", MUSIC)
def test_a_tiny_recipe_becomes_a_model_that_plays(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = corpus(name)
    path = CONFIGS / "tiny" / f"{name}.yaml"
    few = ["schedule.steps=3", "schedule.batch=2", "schedule.bf16=false"]
    figures = train_recipe(path, few, resume=False)
    assert figures and all(math.isfinite(value) for value in figures.values())
    learned = load_file(recipe.folder / "model.safetensors")
    assert {"clap.linear.weight", "clap.null"} <= learned.keys()
    codec = tmp_path / "models" / recipe.codec.parent.name
    codec.mkdir(parents=True)
    (codec / "model.safetensors").write_bytes(recipe.codec.read_bytes())
    arguments = ["package", str(path), "--out", f"models/{name}", "--title", "Tiny", "--licence", "MIT"]
    assert main([*arguments, "--codec", codec.name, "--weights", "int8"]) == 0
    folder = tmp_path / "models" / name
    assert yaml.safe_load((folder / "config.yaml").read_text())["clap"] == {
        "width": WIDTH, "model": "../clap", "text_map_path": None,
    }  # fmt: skip
    player = calm_core.load(str(folder), task="music_continuation")
    assert player.generate(None, 0.4, seed=1).seconds == pytest.approx(0.4)
    monkeypatch.setattr(clap_to_music, "load_clap", lambda *_: WideClap())
    composer = calm_core.load(str(folder), task="clap_to_music")
    assert composer.generate("a song", 0.4, seed=1).samples.isfinite().all()


@pytest.mark.parametrize(
    ("name", "override"), [("music", "model.head.kind=trigflow"), ("music_rq", "model.head={kind: delay}")]
)
def test_the_other_heads_train_on_the_same(
    name: str, override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus(name)
    few = ["schedule.steps=2", "schedule.batch=2", "schedule.bf16=false", override]
    assert train_recipe(CONFIGS / "tiny" / f"{name}.yaml", few, resume=False)


def test_a_head_is_distilled_and_all_else_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    corpus("music")
    path = CONFIGS / "tiny" / "music.yaml"
    few = ["schedule.steps=2", "schedule.batch=2", "schedule.bf16=false"]
    assert train_recipe(path, ["folder=teacher", "model.head.kind=trigflow", *few], resume=False)
    start = "start_from=teacher/model.safetensors"
    for step, resume in ((3, False), (4, True)):
        # other noise would fit another linear prediction; the teacher's stays
        distil = ["folder=pupil", start, "distil_head=true", "short_noise=0.9", *few[1:], f"schedule.steps={step}"]
        assert train_recipe(path, distil, resume=resume)
    teacher, pupil = (load_file(Path(name, "model.safetensors")) for name in ("teacher", "pupil"))
    assert teacher.keys() == {name for name in pupil if not name.startswith("head.weight.")}
    changed = {name for name, tensor in teacher.items() if not torch.equal(tensor, pupil[name])}
    assert changed and all(name.startswith("head.net.") for name in changed)
    Path("models/codec").mkdir(parents=True)
    Path("models/codec/model.safetensors").write_bytes(read(path).codec.read_bytes())
    options = ["--title", "Tiny", "--licence", "MIT", "--weights", "int8", "--codec", "codec"]
    for name, asked in (
        ("teacher", ["folder=teacher", "model.head.kind=trigflow"]),
        ("whole", ["folder=pupil"]),
        ("pupil", ["folder=pupil", "--base", "teacher"]),
    ):
        assert main(["package", str(path), *asked, "--out", f"models/{name}", *options]) == 0
    stored = load_file("models/pupil/model.safetensors")
    assert {name.removesuffix(".scale") for name in stored} == changed
    whole, pupil_sound = (
        calm_core.load(f"models/{name}", task="music_continuation").generate(None, 0.4, seed=1).samples
        for name in ("whole", "pupil")
    )
    assert torch.equal(whole, pupil_sound)
    assert main(["package", str(path), "folder=pupil", "--base", "nobody", "--out", "models/other", *options]) == 2
    with pytest.raises(InputError, match="distil_head needs a consistency head, and start_from"):
        read(path, "distil_head=true")
    with pytest.raises(InputError, match=r"teacher/model.safetensors lacks head.net.* distil_head needs the same"):
        train_recipe(path, ["folder=other", start, "distil_head=true", "model.head.channels=16", *few], resume=False)


def test_pieces_carry_the_embedding_of_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = corpus("music")
    train = embeddings_path(recipe, "train")
    passages = Passages(recipe.latents / "train.safetensors", None, None, 25.0, 5.0, 0.0, "stop", train, 0.2)
    rows = [i % 6 for i in range(200)]
    batch, again = (passages.collate(rows, torch.Generator().manual_seed(0)) for _ in range(2))
    assert batch.clap is not None and again.clap is not None and batch.clap_known is not None
    assert torch.equal(batch.clap, again.clap) and batch.clap.shape == (200, WIDTH)
    torch.testing.assert_close(batch.clap.norm(dim=-1), torch.ones(200), atol=1e-4, rtol=0)
    assert 0.7 < batch.clap_known.float().mean() < 0.9
    # Without CLAP the draws are what they were: runs that have none go on as they began.
    plain = Passages(recipe.latents / "train.safetensors", None, None, 25.0, 5.0, 0.0)
    assert torch.equal(plain.collate([2], torch.Generator().manual_seed(3)).frames,
                       passages.collate([2], torch.Generator().manual_seed(3)).frames)  # fmt: skip
    moved = batch.to(torch.device("cpu"))
    assert torch.equal(moved.frames, batch.frames) and moved.clap_known is not None
    save_file({"train0": torch.ones(1, WIDTH)}, train)
    with pytest.raises(InputError, match=r"lack 5 of 6 rows, the first is train1"):
        Passages(recipe.latents / "train.safetensors", None, None, 25.0, 5.0, 0.0, "stop", train)


def test_the_end_of_a_piece_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    latents = corpus("music").latents / "train.safetensors"
    for without, share in ((1.0, None), (1e3, 0.5)):  # more than there is leaves half
        passages = Passages(latents, None, None, 25.0, 1e3, 0.0, without_end=without)
        batch = passages.collate([0, 1], torch.Generator().manual_seed(0))
        for row, count in enumerate(batch.lengths.tolist()):
            whole = passages.latents()[row].float()
            assert count == passages.lengths[row] == (len(whole) - 25 if share is None else -(-len(whole) // 2))
            assert torch.equal(batch.frames[row, :count], whole[:count])


@pytest.mark.parametrize(
    ("start", "end", "heard"),
    [
        (0.0, 4.0, [0]),
        (0.0, 5.0, [0]),
        (0.0, 20.0, [0, 1, 2, 3]),
        (6.0, 11.0, [0, 1, 2]),
        (10.0, 15.0, [1, 2]),
        (24.9, 30.0, [3, 4]),
        (31.0, 33.0, [4]),  # behind the last window
    ],
)
def test_windows_that_overlap_a_piece_are_averaged(start: float, end: float, heard: list[int]) -> None:
    windows = torch.eye(5)  # [0, 10), [5, 15), ..., [20, 30)
    found = embedding_of(windows, start, end)
    assert found.nonzero().flatten().tolist() == heard
    assert float(found.norm()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipes_of_the_bundled_size_fit_together(name: str) -> None:
    recipe = read(CONFIGS / f"{name}.yaml")
    model: Any = build_without_storage(lambda: build_model(recipe.model), "model")
    learned = sum(p.numel() for n, p in model.named_parameters() if not n.startswith("codec."))
    assert 2.5e6 < learned < 6.1e6 and model.codec.sample_rate == 32_000 and model.codec.frame_rate == 25
    assert recipe.clap_dropout == 0.2 and recipe.model.task == "music_continuation"
    base = read(CONFIGS / "music_calm.yaml")
    assert recipe.model.backbone == base.model.backbone and recipe.schedule == base.schedule


def test_the_ablations_of_table_5_are_overrides() -> None:
    path = CONFIGS / "music_calm.yaml"
    lines = [line.split("    ")[-1].split() for line in path.read_text().splitlines() if line.startswith("#   without")]
    assert len(lines) == 4 and sorted(lines[3]) == sorted(lines[0] + lines[1] + lines[2])
    bare = read(path, *lines[3])
    assert (bare.head_batch_multiplier, bare.model.short_context) == (1, None)
    assert (bare.context_noise, bare.short_noise, bare.drift) == (0.0, 0.0, 0.0)


def test_missing_or_foreign_embeddings_are_found_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = corpus("music")
    check(recipe)
    with pytest.raises(InputError, match=r"have 32 numbers and the recipe's model.clap.width is 64"):
        check(read(CONFIGS / "tiny" / "music.yaml", "model.clap.width=64"))
    valid = embeddings_path(recipe, "valid")
    valid.write_bytes(valid.read_bytes()[:50])
    with pytest.raises(InputError, match="damaged"):
        check(recipe)
    valid.unlink()
    with pytest.raises(InputError, match=r"no CLAP embeddings .*clap-valid"):
        check(recipe)

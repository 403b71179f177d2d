"""The map from captions to sounds: fitted on a corpus, refused where it does not belong, and heard by a music model."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from calm_core.catalogue import find
from calm_core.cli import main
from calm_core.conditioners.text_map import TextMap
from calm_core.errors import InputError
from calm_core.tasks import clap_to_music
from calm_core.tasks.clap_to_music import ClapToMusic
from calm_core.training import text_map
from calm_core.training.recipes import embeddings_file
from tests.calm_core import tiny
from tests.calm_core.clap import sounds

WIDTH = tiny.Clap.width


def pairs(count: int, gap: torch.Tensor, turn: torch.Tensor, seed: int) -> text_map.Pairs:
    """Sounds, and texts that are the same turned, moved by a gap, and inexact."""
    generator = torch.Generator().manual_seed(seed)
    heard = F.normalize(torch.randn(count, WIDTH, generator=generator), dim=-1)
    said = heard @ turn + gap + 0.05 * torch.randn(count, WIDTH, generator=generator)
    return text_map.Pairs(F.normalize(said, dim=-1), heard)


def test_it_undoes_a_turn_and_a_gap_and_a_large_penalty_leaves_the_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator)).Q
    gap = torch.full((WIDTH,), 0.15)
    train, fresh = pairs(400, gap, turn, 1), pairs(100, gap, turn, 2)
    assert abs(fresh.cosine(fresh.texts)) < 0.3
    mapped = text_map.fit(train, 1e-3)(fresh.texts)
    assert fresh.cosine(mapped) > 0.95
    torch.testing.assert_close(mapped.norm(dim=1), torch.ones(100))
    means = text_map.fit(train, 1e9)(fresh.texts)
    torch.testing.assert_close(means, F.normalize(train.sounds.mean(0), dim=0).expand_as(means), atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, and embeddings of its rows that a CLAP of noise gives: one direction for each kind of sound."""
    folder = tmp_path_factory.mktemp("text_map")
    corpus = sounds.write_corpus(folder / "corpus", {"train": 12, "valid": 8})
    kinds = {kind: F.normalize(torch.randn(WIDTH, generator=torch.Generator().manual_seed(index)), dim=0)
             for index, kind in enumerate(sounds.KINDS)}  # fmt: skip
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    for split in ("train", "valid"):
        heard = {}
        for row in rows:
            if row["split"] == split:
                kind = next(kind for kind, said in sounds.KINDS.items() if row["captions"][0] in said)
                heard[row["id"]] = kinds[kind].repeat(3, 1).half()
        save_file(heard, embeddings_file(folder, split))
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({
        "kind": "fit_text_map", "corpus": str(corpus), "clap": "tiny", "clap_embeddings": str(folder),
        "text_map": str(folder / "made" / "map.safetensors"),
    }))  # fmt: skip
    return path


@pytest.fixture(autouse=True)
def clap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_map, "load_clap", lambda name, device: tiny.Clap())
    monkeypatch.setattr(clap_to_music, "load_clap", lambda found, device, progress: tiny.Clap())
    monkeypatch.setattr(tiny.Clap, "info", SimpleNamespace(id="tiny"), raising=False)


def test_the_command_fits_it_and_a_model_reads_texts_through_it(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(recipe)]) == 0
    told = json.loads(capsys.readouterr().out)
    # The stand-in hears letters alone, so what it says of a caption need not be near; the map brings it there.
    assert told["cosine_after"] > max(0.9, told["cosine_before"] + 0.2) and told["penalty"] in text_map.PENALTIES
    made = Path(yaml.safe_load(recipe.read_text())["text_map"])
    with safe_open(made, framework="pt") as file:
        assert file.metadata()["clap"] == "tiny" and float(file.metadata()["cosine_after"]) == told["cosine_after"]
    assert main(["encode", str(recipe)]) == 2 and "is there already" in capsys.readouterr().err
    assert main(["encode", str(recipe), f"text_map={tmp_path / 'other'}", f"clap_embeddings={tmp_path}"]) == 2
    assert "clap-train.safetensors" in capsys.readouterr().err

    folder = music_model(tmp_path / "music", made.name)
    (folder / made.name).write_bytes(made.read_bytes())
    composer, caption = ClapToMusic.load(find(str(folder))), next(iter(sounds.KINDS.values()))[0]
    plain = tiny.Clap().embed_text([caption])
    torch.testing.assert_close(composer.embedding(caption), TextMap.of(load_file(made), made.name)(plain))
    assert F.cosine_similarity(composer.embedding(caption), plain) < 0.9


def music_model(folder: Path, text_map_path: str) -> Path:
    folder.mkdir()
    model = tiny.build_music("consistency")
    tensors = {n: t.contiguous() for n, t in model.state_dict().items() if not n.startswith("head.weight.")}
    save_file(tensors, folder / "model.safetensors")
    config = tiny.music("consistency")
    config["clap"]["text_map_path"] = text_map_path
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        (None, "There is no file"),
        ({"weight": torch.eye(4)}, "holds no map of texts"),
        ({"weight": torch.zeros(4, 3), "bias": torch.zeros(4)}, "holds no map of texts"),
        ({"weight": torch.eye(WIDTH + 1), "bias": torch.zeros(WIDTH + 1)}, f"is {WIDTH + 1} wide"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, tensors: dict[str, torch.Tensor] | None, says: str) -> None:
    folder = music_model(tmp_path / "music", "map.safetensors")
    if tensors is not None:
        save_file(tensors, folder / "map.safetensors")
    with pytest.raises(InputError, match=says):
        ClapToMusic.load(find(str(folder)))


def test_embeddings_of_another_clap_and_a_split_without_captions_are_refused(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = yaml.safe_load(recipe.read_text())
    rows = [json.loads(line) for line in (Path(values["corpus"]) / "manifest.jsonl").read_text().splitlines()]
    for split in ("train", "valid"):
        narrow = {row["id"]: torch.ones(2, 3).half() for row in rows if row["split"] == split}
        save_file(narrow, embeddings_file(tmp_path, split))
    other = f"text_map={tmp_path / 'map.safetensors'}"
    assert main(["encode", str(recipe), other, f"clap_embeddings={tmp_path}"]) == 2
    assert "have 3 numbers" in capsys.readouterr().err and not (tmp_path / "map.safetensors").exists()
    silent = Path(shutil.copytree(values["corpus"], tmp_path / "silent"))
    lines = [json.dumps({**row, "captions": [], "text": " "}) for row in rows]
    (silent / "manifest.jsonl").write_text("\n".join(lines))
    assert main(["encode", str(recipe), other, f"corpus={silent}"]) == 2
    assert "has a caption or a text" in capsys.readouterr().err

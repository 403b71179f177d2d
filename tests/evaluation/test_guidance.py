"""Guidance by several weights, on validation pieces of a corpus in miniature."""

import json
from pathlib import Path

import pytest

from evaluation.__main__ import main
from evaluation.bundled.guidance import Settings, measure
from evaluation.errors import InputError
from tests.evaluation import music_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("guidance")
    music_world.write_corpus(root / "corpus")
    music_world.write_clap(root / "clap")
    music_world.write_music(root / "calm", "consistency", short=True)
    return root


def test_weights_are_told_apart_and_a_row_is_the_same_again(world: Path) -> None:
    def rows(**changes: object) -> list[dict[str, object]]:
        small = {"model": str(world / "calm"), "pieces": 3, "begin": 1.0, "seconds": 2.0, "weights": (1.0, 4.0)}
        return measure(Settings(world / "corpus", embedder=f"clap:{world / 'clap'}", **small | changes))  # type: ignore[arg-type]

    none, much = rows()
    assert none["clips"] == much["clips"] == 6 and none["fad"] != much["fad"] and none["clap"] != much["clap"]
    for row in (none, much):
        assert row["fad_low"] <= row["fad"] <= row["fad_high"]  # type: ignore[operator]
        assert row["clap_low"] <= row["clap"] <= row["clap_high"]  # type: ignore[operator]
    assert rows(weights=(4.0,)) == [much]
    (heard,) = rows(weights=(4.0,), by="sound")
    assert heard["by"] == "sound" and heard["fad"] != much["fad"]
    with pytest.raises(InputError, match=r"has 3 validation pieces .* 4 and 2 are needed"):
        rows(pieces=4)


def test_the_command_prints_a_row_a_weight(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["bundled", "guidance", "--corpus", str(world / "corpus"), "--model", str(world / "calm"), "--json"]
    assert main([*asked, "--pieces", "2", "--seconds", "3", "--seeds", "0", "--cfg", "1", "2.5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["guidance"] for row in found["rows"]] == [1.0, 2.5] and found["arguments"]["by"] == "caption"
    assert main([*asked, "--pieces", "1"]) == 2
    assert "--pieces must be at least 2" in capsys.readouterr().err
    assert main([*asked, "--seconds", "-5"]) == 2
    assert "--seconds must be above 0, not -5" in capsys.readouterr().err

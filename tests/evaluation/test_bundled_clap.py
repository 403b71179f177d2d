"""The report on retrieval, with a model whose space is known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import calm_core
from evaluation.__main__ import main
from evaluation.bundled import clap
from evaluation.errors import InputError
from tests.calm_core.clap import sounds


class ByEar:
    """Tells the kinds of the test corpus apart by hand-made measures, and knows which words belong to which."""

    def embed_audio(self, audio: calm_core.Audio) -> torch.Tensor:
        x = audio.samples
        crossings = (x[1:] * x[:-1] < 0).float().mean().item() * audio.sample_rate
        silent = (x.abs() < 1e-3).float().mean().item()
        kind = 3 if silent > 0.5 else 0 if crossings < 1000 else 1 if crossings < 6000 else 2
        return torch.eye(4)[[kind]]

    def embed_text(self, texts: list[str]) -> torch.Tensor:
        kinds = list(sounds.KINDS.values())
        return torch.eye(4)[[next(i for i, said in enumerate(kinds) if text in said) for text in texts]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds.write_corpus(tmp_path_factory.mktemp("clap") / "corpus", {"heldout": 16, "valid": 4})


def test_recall_of_a_perfect_ear(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It puts the four clips of a kind first, in no order: those with the same caption answer, the others are ahead."""
    monkeypatch.setattr(calm_core, "load", lambda *_, **__: ByEar())
    assert main(["bundled", "clap", "--corpus", str(corpus), "--models", "ear", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["direction"], row["at"]) for row in rows] == [
        (direction, at) for direction in ("text to audio", "audio to text") for at in (1, 5, 10)
    ]
    manifest = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    said = [(row["attributes"]["kind"], row["text"]) for row in manifest if row["split"] == "heldout"]
    # a tie counts as behind: only a kind whose clips all have one caption is found at 1
    alone = [len({text for kind, text in said if kind == mine}) == 1 for mine, _ in said]
    expected = 100 * np.mean(alone)
    for row in rows:
        assert row["clips"] == 16 and row["low"] <= row["recall"] <= row["high"] and row["model"] == "ear"
        assert row["recall"] == pytest.approx(expected if row["at"] == 1 else 100.0)
        assert row["chance"] < 100 and (row["at"] == 1) == (row["chance"] < 20)


def test_what_cannot_be_measured(corpus: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no model 'nobody'"):
        clap.measure(clap.Settings(corpus, models=["nobody"]))
    monkeypatch.setattr(calm_core, "load", lambda *_, **__: ByEar())
    with pytest.raises(InputError, match="There is no corpus"):
        clap.measure(clap.Settings(tmp_path, models=["ear"]))
    with pytest.raises(InputError, match="has 4 clips and recall at 10 needs at least 10"):
        clap.measure(clap.Settings(corpus, split="valid", models=["ear"]))

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from evaluation.__main__ import main
from evaluation.metrics import METRICS, attributes
from tests.evaluation.conftest import SAID

SENTENCES = ("The weather can change very quickly.", "The mountains are high.", "The weather in the mountains is cold.")


def metrics(folder: Path, *arguments: str) -> int:
    return main(["metrics", *arguments, "--degraded-dir", str(folder), "--out", str(folder / "r.csv")])


def figures(folder: Path) -> dict[tuple[str, str], float]:
    with open(folder / "r.csv", encoding="utf-8") as file:
        return {(row["metric"], row["item"]): float(row["value"]) for row in csv.DictReader(file)}


@pytest.fixture
def noises(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("one.wav", "two.wav"):
        soundfile.write(tmp_path / name, 0.1 * rng.standard_normal(16_000), 16_000)
    return tmp_path


def test_metrics_without_references_over_a_folder(
    readings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join([*SENTENCES, SAID]), encoding="utf-8")
    assert metrics(readings, "ppx", "vert", "speaker_diversity", "--language-model", str(text)) == 0
    found = figures(readings)
    each = [found["ppx", item] for item in ("rms.wav", "slt.wav")]
    assert 1 < min(each) <= found["ppx", "mean"] <= max(each) < 50
    assert 0 <= found["unknown_words", "mean"] < 1
    assert found["vert", "mean"] == pytest.approx(
        np.sqrt(found["self_bleu", "mean"] * found["auto_bleu", "mean"]), abs=1e-5
    )
    assert found["self_bleu", "mean"] > 0.3  # both voices read the same sentence
    assert -1 < found["speaker_diversity", "mean"] < 0.7
    shown = capsys.readouterr().out
    assert "speaker_diversity ci_low" in shown and "ppx" in shown


def test_abx_over_a_folder(noises: Path) -> None:
    lines = [f"{name} {n / 10} {(n + 1) / 10} {'AB'[n % 2]} x y {name}" for name in ("one", "two") for n in range(8)]
    header = "#file onset offset #phone prev-phone next-phone speaker"
    (noises / "a.item").write_text("\n".join([header, *lines]), encoding="utf-8")
    assert metrics(noises, "abx", "--items", str(noises / "a.item")) == 0
    found = figures(noises)
    assert set(found) == {("abx_within", "mean"), ("abx_across", "mean")}
    assert all(0 < value < 1 for value in found.values())  # noise: about one half


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("give --reference-dir", ["si_snr"]),
        ("needs --language-model", ["ppx"]),
        ("There is no text nowhere.txt", ["ppx", "--language-model", "nowhere.txt"]),
        ("no recogniser 'sphinx'", ["vert", "--recogniser", "sphinx"]),
        ("cannot load 'nowhere/near'", ["vert", "--recogniser", "whisper:nowhere/near"]),
        ("no speaker model 'ecapa'", ["speaker_diversity", "--speaker-model", "ecapa"]),
        ("needs --items", ["abx"]),
        ("no features 'mfcc'", ["abx", "--items", "ITEMS", "--features", "mfcc"]),
        ("needs --mos-model FILE.onnx", ["dnsmos"]),
        ("There is no model nowhere.safetensors", ["utmos", "--mos-model", "nowhere.safetensors"]),
        ("choose from wer", ["loudness"]),
        ("metric fad compares with references", ["fad", "--embedder", "mel"]),
        ("no embedder 'openl3'", ["clap_score", "--embedder", "openl3"]),
        ("give --attributes FILE.safetensors", ["attribute_agreement"]),
        ("There is no classifier of attributes", ["attribute_agreement", "--attributes", "nowhere.safetensors"]),
        ("has no attributes", ["key_agreement"]),
    ],
)
def test_what_is_missing_is_one_line_and_status_2(
    says: str, arguments: list[str], noises: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALM_OFFLINE", "1")
    monkeypatch.setattr(attributes, "BUNDLED", noises / "nowhere.safetensors")
    items = noises / "a.item"
    items.write_text("#file onset offset #phone prev-phone next-phone speaker\n", encoding="utf-8")
    assert metrics(noises, *(str(items) if word == "ITEMS" else word for word in arguments)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line
    assert not (noises / "r.csv").exists()


def test_references_and_clips_alone_go_together(noises: Path) -> None:
    given = ["si_snr", "speaker_diversity", "--reference-dir", str(noises)]
    assert metrics(noises, *given) == 0
    assert list(figures(noises)) == [
        *(("si_snr", item) for item in ("one.wav", "two.wav", "mean")),
        *(("speaker_diversity", item) for item in ("mean", "ci_low", "ci_high")),
    ]


def test_the_guide_names_every_metric() -> None:
    guide = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8").replace("`", " ").split()
    assert set(METRICS) <= set(guide)

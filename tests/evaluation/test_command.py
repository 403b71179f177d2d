import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from evaluation.__main__ import main
from evaluation.benchmarks.__main__ import main as benchmarks


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    for name in ("one.wav", "two.wav"):
        clean = 0.1 * rng.standard_normal(16_000)
        for folder, samples in (("clean", clean), ("noisy", clean + 0.05 * rng.standard_normal(16_000))):
            (tmp_path / folder).mkdir(exist_ok=True)
            soundfile.write(tmp_path / folder / name, samples, 16_000, subtype="FLOAT")
    return tmp_path / "clean", tmp_path / "noisy"


def metrics(names: list[str], clean: Path, noisy: Path, out: Path) -> int:
    return main(["metrics", *names, "--reference-dir", str(clean), "--degraded-dir", str(noisy), "--out", str(out)])


def test_metrics_writes_every_item_and_a_mean_row(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.csv"
    assert metrics(["si_snr", "mel_distance", "si_snr"], *folders, out) == 0
    with open(out, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["item"], row["metric"]) for row in rows] == [
        (item, metric) for metric in ("si_snr", "mel_distance") for item in ("one.wav", "two.wav", "mean")
    ]
    values = [float(row["value"]) for row in rows]
    assert values[2] == pytest.approx((values[0] + values[1]) / 2, abs=1e-6)
    assert values[0] == pytest.approx(20 * np.log10(0.1 / 0.05), abs=0.5)
    said = capsys.readouterr()
    assert "si_snr" in said.out and "one.wav" in said.err


def test_bad_input_is_one_line_and_status_2(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean, noisy = folders
    out = tmp_path / "r.csv"

    def refused(says: str, names: list[str], *paths: Path) -> None:
        assert metrics(names, *paths) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
        assert len(lines) == 1 and says in lines[0]

    refused("choose from wer", ["loudness"], clean, noisy, out)
    refused("There is no folder", ["si_snr"], clean, tmp_path / "nowhere", out)
    refused("for --out", ["si_snr"], clean, noisy, tmp_path / "nowhere" / "r.csv")
    (tmp_path / "empty").mkdir()
    refused("holds no WAV files", ["si_snr"], clean, tmp_path / "empty", out)
    out.mkdir()
    refused("Cannot write", ["si_snr"], clean, noisy, out)
    out.rmdir()
    (noisy / "one.wav").write_text("not a sound", encoding="utf-8")
    refused("not a sound file", ["si_snr"], clean, noisy, out)
    soundfile.write(noisy / "one.wav", np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    refused("not finite", ["si_snr"], clean, noisy, out)
    soundfile.write(noisy / "one.wav", np.zeros(0), 16_000)
    refused("holds no sound", ["si_snr"], clean, noisy, out)
    (noisy / "one.wav").unlink()
    refused("one.wav is missing in", ["si_snr"], clean, noisy, out)
    assert not out.exists()


def test_a_failed_run_leaves_the_older_table(folders: tuple[Path, Path], tmp_path: Path) -> None:
    clean, noisy = folders
    out = tmp_path / "r.csv"
    out.write_text("older", encoding="utf-8")
    (noisy / "two.wav").write_text("not a sound", encoding="utf-8")
    assert metrics(["si_snr"], clean, noisy, out) == 2
    assert out.read_text(encoding="utf-8") == "older"


@pytest.mark.parametrize("arguments", [[], ["metrics"], ["nothing"], ["bundled"], ["metrics", "si_snr", "--unknown"]])
def test_usage_errors_are_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_rates_and_channels_may_differ(folders: tuple[Path, Path], tmp_path: Path) -> None:
    clean, _ = folders
    shutil.copytree(clean, tmp_path / "stereo")
    for path in (tmp_path / "stereo").iterdir():
        samples, _ = soundfile.read(path)
        doubled = np.repeat(samples, 3)  # 48 kHz
        soundfile.write(path, np.stack([doubled, doubled], axis=1), 48_000, subtype="FLOAT")
    assert metrics(["si_snr", "stoi"], clean, tmp_path / "stereo", tmp_path / "r.csv") == 0
    with open(tmp_path / "r.csv", encoding="utf-8") as file:
        means = {row["metric"]: float(row["value"]) for row in csv.DictReader(file) if row["item"] == "mean"}
    assert means["stoi"] > 0.95


def test_an_unknown_benchmark_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmarks(["nothing"]) == 2
    assert "name a benchmark" in capsys.readouterr().err

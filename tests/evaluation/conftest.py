"""Speech for the metrics: two short readings by flite, made once."""

import shutil
import subprocess
from pathlib import Path

import pytest

from evaluation.clips import Clip, read_clip

SAID = "The weather in the mountains can change very quickly."


@pytest.fixture(scope="session")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `slt.wav`, `rms.wav` (16 kHz) and their transcripts."""
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed; on Debian: apt-get install flite")
    folder = tmp_path_factory.mktemp("readings")
    for voice in ("slt", "rms"):
        subprocess.run(["flite", "-voice", voice, "-t", SAID, "-o", str(folder / f"{voice}.wav")], check=True)
        (folder / f"{voice}.txt").write_text(SAID, encoding="utf-8")
    return folder


@pytest.fixture
def slt(readings: Path) -> Clip:
    return read_clip(readings / "slt.wav")


@pytest.fixture
def rms(readings: Path) -> Clip:
    return read_clip(readings / "rms.wav")

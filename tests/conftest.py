"""What every test shares: no Hub, one thread, and skips that say what is missing."""

import os
import shutil
from pathlib import Path

os.environ["CALM_OFFLINE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # there are several workers: more threads would wait for each other

import pytest
from hypothesis import settings

from tests.chromium import browser  # noqa: F401, a fixture of every test

settings.register_profile("house", derandomize=True, database=None)  # the same examples on every machine
settings.load_profile("house")


SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
CHECKPOINTS = Path(__file__).parents[1] / "assets" / "checkpoints"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with long files; skip tests of flite, of fluidsynth and of bundled weights where these are missing.

    xdist alone would begin with the files of many tests, and those of one or two that take long would come last.
    """
    items.sort(key=lambda item: item.get_closest_marker("long") is None)  # stable: files stay whole and in order
    missing = {}
    if shutil.which("flite") is None:
        missing["flite"] = "flite is not installed; on Debian: apt-get install flite"
    if shutil.which("fluidsynth") is None or not SOUND_FONT.is_file():
        missing["fluidsynth"] = "fluidsynth is not installed; on Debian: apt-get install fluidsynth fluid-soundfont-gm"
    if not (CHECKPOINTS / "calm-tts-en" / "model.safetensors").is_file():
        missing["bundled"] = "the bundled weights are not in assets/checkpoints"
    for item in items:
        for marker, reason in missing.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))

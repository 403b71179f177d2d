"""What every test shares: no Hub, one thread, and skips that say what is missing."""

import os
import shutil

os.environ["CALM_OFFLINE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("OMP_NUM_THREADS", "2")

import pytest
from hypothesis import settings

settings.register_profile("house", derandomize=True, database=None)  # the same examples on every machine
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `flite` where flite is not installed."""
    if shutil.which("flite") is None:
        for item in items:
            if item.get_closest_marker("flite"):
                item.add_marker(pytest.mark.skip(reason="flite is not installed; on Debian: apt-get install flite"))

"""Chromium for every test that needs a page."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator:
    if CHROMIUM is None:
        if os.environ.get("CALM_REQUIRE_BROWSER") == "1":
            pytest.fail("Chromium is required and not installed; on Debian: apt-get install chromium")
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()

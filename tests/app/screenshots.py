"""Pictures of a running app: `python -m tests.app.screenshots http://127.0.0.1:7860 FOLDER`.

Writes screenshot.png and continuation.png (the README's), dark.png, phone.png and codec.png.
"""

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.chromium import CHROMIUM, CHROMIUM_FLAGS

SENTENCE = "Dear Anna, the boats came home before the rain, and nobody in the harbour was surprised."
WIDE = {"width": 1280, "height": 900}
VISITS = {
    "screenshot": {"viewport": WIDE},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}


def main(url: str, folder: Path) -> None:
    """Speak a sentence in every look of the page, and send a preset's sound through the codec."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        for name, look in VISITS.items():
            page = browser.new_page(**look)
            speak(page, url)
            page.screenshot(path=folder / f"{name}.png", full_page=True)
            if name == "screenshot":
                page.get_by_role("tab", name="Codec").click()
                sound = next(Path("assets/voices").glob("*.flac"))
                page.set_input_files("#codec-sound input[type=file]", sound)
                page.wait_for_selector("#codec-sound [aria-label='Clear']")
                page.click("#codec-run")
                page.wait_for_selector(".compare:not([hidden])")
                page.screenshot(path=folder / "codec.png", full_page=True)
                go_on(page)
                page.screenshot(path=folder / "continuation.png", full_page=True)
            page.close()
        browser.close()


def speak(page: Page, url: str) -> None:
    """Speak the sentence and stop in its middle."""
    page.goto(url)
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    page.fill("#text textarea", SENTENCE)
    page.click("#speak")
    page.wait_for_function("document.querySelector('.player .status').textContent.startsWith('Done')", timeout=60_000)
    page.wait_for_timeout(800)


def go_on(page: Page) -> None:
    """Continue an example with the baseline beside it, and listen to some words of it."""
    page.get_by_role("tab", name="Speech continuation").click()
    page.wait_for_function("window.calmStudio.desks?.continuation")
    page.fill("#seconds input[type=number]", "10")
    if page.locator("#beside input").is_visible():
        page.check("#beside input")
    page.click("#go-on")
    page.wait_for_function(
        "[...document.querySelectorAll('#going-on .player:not([hidden]) .status')]"
        ".every((status) => status.textContent.startsWith('Done'))",
        timeout=120_000,
    )
    page.wait_for_function("document.querySelectorAll('#going-on .thoughts span.heard').length > 5", timeout=60_000)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

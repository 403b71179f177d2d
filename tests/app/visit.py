"""A visit to the page in real Chromium, with what went wrong in it."""

import io

import numpy as np
import soundfile

from tests.app.conftest import Site
from tests.app.tiny import RATE

HEARD = "document.querySelector('.player').dataset.firstSound"
STATUS = ".player .status"
ALERT = ".player .alert"


class Visit:
    """A page with what went wrong in it."""

    def __init__(self, context, site: Site):
        self.site = site
        self.faults: list[str] = []
        self.expected: set[str] = set()  # parts of messages that are no faults, whenever they come
        self.page = context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self._note(message.text))
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("request", lambda request: self._check_address(request.url))
        self.page.goto(site.url)
        self.page.wait_for_selector("body[data-ready]")

    def _note(self, fault: str) -> None:
        if not any(words in fault for words in self.expected):
            self.faults.append(fault)

    def _check_address(self, url: str) -> None:
        if not url.startswith((self.site.url, "data:", "blob:")):
            self.faults.append(f"a request to {url}")

    def write(self, text: str) -> None:
        self.page.fill("#text textarea", text)

    def speak(self, text: str) -> None:
        self.write(text)
        self.page.click("#speak")

    def wait_sound(self) -> float:
        """Wait for the first sound; seconds from the click to it by the clock of the AudioContext."""
        self.page.wait_for_function(HEARD, timeout=20_000)
        return float(self.page.evaluate(HEARD))

    def wait_text(self, selector: str, words: str) -> str:
        self.page.wait_for_function(
            "([s, w]) => document.querySelector(s)?.textContent.includes(w)", arg=[selector, words], timeout=20_000
        )
        return self.page.inner_text(selector)

    def open_tab(self, name: str) -> None:
        """Open a tab, on a phone through the menu of those that have no room."""
        self.page.wait_for_selector("body[data-ready]")
        tab = self.page.get_by_role("tab", name=name)
        if not tab.is_visible():
            self.page.locator("#tasks .overflow-menu > button").click()
            tab = self.page.locator("#tasks .overflow-dropdown").get_by_text(name)
        tab.click()

    def choose_model(self, words: str) -> None:
        self.page.click("#model input")
        self.page.get_by_role("option", name=words).click()

    def upload(self, where: str, name: str, sound: bytes) -> None:
        self.page.set_input_files(f"{where} input[type=file]", {"name": name, "mimeType": "audio/wav", "buffer": sound})
        self.page.wait_for_selector(f"{where} button[aria-label='Clear'], {where} [aria-label='Clear']")


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV")
    return buffer.getvalue()

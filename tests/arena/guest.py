"""A visitor of the arena in real Chromium, by mouse (or touch) or by keyboard alone."""

from __future__ import annotations

from typing import Any

from tests.arena.conftest import Ring
from tests.studies.participant import Means

OPEN = "() => [...document.querySelectorAll('.ballot')].every((b) => b.getAttribute('aria-disabled') === 'false')"
KEYS = {"a": "a", "b": "b", "tie": "t", "both_bad": "x"}
PATIENCE = 60_000


class Guest:
    """One page, with everything that went wrong in it and all that it received before the vote."""

    def __init__(self, context: Any, ring: Ring, means: Means = "mouse"):
        self.ring, self.means = ring, means
        self.faults: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._check_address(request.url))

    def _check_address(self, url: str) -> None:
        if not url.startswith((self.ring.url, "data:", "blob:")):
            self.faults.append(f"a request to {url}")

    def open(self) -> None:
        self.page.goto(self.ring.url + "/arena")
        self.page.wait_for_selector("body[data-ready]")

    @property
    def heading(self) -> str:
        return self.page.inner_text("h1")

    def reach(self, selector: str) -> None:
        """Tab until an element has the focus."""
        for _ in range(60):
            if self.page.evaluate("(s) => document.activeElement?.matches(s) ?? false", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} cannot be reached by the Tab key")

    def ask(self, text: str | None = None) -> None:
        """Write a text, or take the first line of the list, and wait for the pair."""
        if self.means == "keyboard":
            if text is None:
                self.reach(".chip")
                self.page.keyboard.press("Space")
                self.reach(".ask .go")
                self.page.keyboard.press("Enter")
            else:
                self.reach("#text")
                self.page.keyboard.press("Control+A")
                self.page.keyboard.type(text)
                self.page.keyboard.press("Control+Enter")
        else:
            if text is None:
                self.page.locator(".chip").first.click()
            else:
                self.page.fill("#text", text)
            self.page.click(".ask .go")
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector(".battle", timeout=PATIENCE)
        self.page.wait_for_function("() => !document.querySelector('.battle .play').disabled", timeout=PATIENCE)

    def hear_both(self) -> None:
        for slot in (0, 1):
            if self.means == "mouse":
                self.page.locator("button.disc").nth(slot).click()
            else:
                self.page.keyboard.press(str(slot + 1))
            self.page.wait_for_function(
                "(slot) => document.querySelectorAll('.plate')[slot].classList.contains('heard')",
                arg=slot,
                timeout=PATIENCE,
            )

    def vote(self, outcome: str) -> None:
        self.page.wait_for_function(OPEN, timeout=PATIENCE)
        if self.means == "mouse":
            self.page.click(f".ballot[data-outcome={outcome}]")
        else:
            self.page.keyboard.press(KEYS[outcome])
        self.page.wait_for_selector(".battle.revealed", timeout=PATIENCE)

    def names(self) -> list[str]:
        return self.page.locator(".told .name").all_inner_texts()

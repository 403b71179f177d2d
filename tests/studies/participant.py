"""A participant in real Chromium, who works by mouse (or touch) or by keyboard alone."""

from __future__ import annotations

import re
from typing import Literal

from tests.studies.conftest import Hall

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "color_scheme": "dark"}
LOOKS = {"desktop": DESKTOP, "phone": PHONE}
Means = Literal["mouse", "keyboard"]
UNLOCKED = "() => document.querySelector('.trial .go')?.getAttribute('aria-disabled') === 'false'"


class Participant:
    """One page, with everything that went wrong in it."""

    def __init__(self, context, hall: Hall, means: Means = "mouse"):
        self.hall, self.means = hall, means
        self.faults: list[str] = []
        self.codes: list[int] = []
        self.page = context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._check_address(request.url))

    def _check_address(self, url: str) -> None:
        if not url.startswith((self.hall.url, "data:", "blob:")):
            self.faults.append(f"a request to {url}")

    def open(self, path: str) -> None:
        self.page.goto(self.hall.url + path)
        self.page.wait_for_selector("body[data-ready]")

    @property
    def heading(self) -> str:
        return self.page.inner_text("h1")

    # ------------------------------------------------------------------------ moving about

    def reach(self, selector: str) -> None:
        """Tab until an element has the focus, as somebody without a mouse would."""
        for _ in range(60):
            if self.page.evaluate("(s) => document.activeElement?.matches(s) ?? false", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} cannot be reached by the Tab key")

    def press(self, selector: str) -> None:
        """Click, or go there and press Space."""
        if self.means == "mouse":
            self.page.click(selector)
        else:
            self.reach(selector)
            self.page.keyboard.press("Space")

    def choose(self, name: str, value: str) -> None:
        """A radio button of a group."""
        if self.means == "mouse":
            self.page.click(f"label:has(input[name='{name}'][value='{value}'])")
            return
        self.reach(f"input[name='{name}']")
        self.page.keyboard.press("Space")
        for _ in range(10):
            if self.page.evaluate("document.activeElement.value") == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"the arrows do not lead to {value}")

    def next(self) -> None:
        """The main button, which must be unlocked; then the next page."""
        before = self.page.evaluate("window.calmStudy.main.firstElementChild.dataset.page = String(Math.random())")
        self.page.wait_for_function("() => document.querySelector('.go').getAttribute('aria-disabled') !== 'true'")
        self.press(".go")
        self.left(before)

    def left(self, mark: str) -> None:
        self.page.wait_for_function(
            "(mark) => window.calmStudy.main.firstElementChild.dataset.page !== mark", arg=mark, timeout=20_000
        )

    # ------------------------------------------------------------------------ the steps

    def consent(self) -> None:
        self.press("input[type=checkbox]")
        self.next()

    def set_up(self) -> None:
        self.press("form .listen")
        self.page.wait_for_function("() => document.querySelector('form .listen').textContent.includes('Play')")
        self.press("form .tick input" if self.means == "keyboard" else "form .tick")
        self.choose("device", "headphones")
        self.choose("room", "quiet")
        self.next()

    def trial(self, answer: int = 4) -> None:
        """Listen to everything, answer, submit."""
        kind = self.page.get_attribute(".trial", "data-kind")
        self.page.wait_for_function("() => !document.querySelector('.trial .play').disabled", timeout=20_000)
        mark = self.page.evaluate("window.calmStudy.main.firstElementChild.dataset.page = String(Math.random())")
        getattr(self, f"_{kind}")(answer)
        self.page.wait_for_function(UNLOCKED, timeout=20_000)
        if self.means == "mouse":
            self.page.click(".trial .go")
        else:
            self.page.keyboard.press("Enter")
        self.left(mark)

    def hear(self, slot: int, reference: bool = False) -> None:
        """Play a slot until the page has counted enough of it."""
        if self.means == "mouse":
            self.page.locator(".listen.reference" if reference else ".listen:not(.reference)").nth(
                0 if reference else slot
            ).click()
        else:
            self.page.keyboard.press("0" if reference else str(slot + 1))
        self.heard(slot)

    def heard(self, slot: int) -> None:
        self.page.wait_for_function(
            "(slot) => { const { trial } = window.calmStudy;"
            "return trial.player.heard[slot] > trial.trial.minimum_seconds + 0.1; }",
            arg=slot,
            timeout=20_000,
        )

    def _mos(self, answer: int) -> None:
        if self.means == "mouse":
            self.page.click(".trial .play")
            self.choose("attribute-0", str(answer))
        else:
            self.page.keyboard.press("Space")
            self.page.keyboard.press(str(answer))
        self.heard(0)

    def _pairwise(self, _: int) -> None:
        count = self.page.locator(".listen:not(.reference)").count()
        self.hear(0)
        self.hear(1)
        if self.page.locator(".listen.reference").count():
            self.hear(count, reference=True)
        if self.means == "mouse":
            self.choose("attribute-0", "a")
        else:
            self.page.keyboard.press("a")

    def _mushra(self, _: int) -> None:
        count = self.page.locator(".signal").count()
        for slot in range(count):
            self.hear(slot)
            if self.means == "mouse":
                box = self.page.locator(".signal input").nth(slot).bounding_box()
                upright = box["height"] > box["width"]
                x, y = (0.5, 0.25) if upright else (0.75, 0.5)
                self.page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
            else:
                for key in ("ArrowUp", "Shift+ArrowUp", "PageUp"):
                    self.page.keyboard.press(key)
        if self.page.locator(".listen.reference").count():
            self.hear(count, reference=True)

    def trials(self) -> int:
        """All trials with the feedback after training; how many there were."""
        number = 0
        while True:
            if self.page.locator(".trial").count():
                self.trial()
                number += 1
            elif self.page.locator(".feedback").count():
                self.next()
            else:
                return number

    def questionnaire(self) -> None:
        self.reach("textarea")
        self.page.keyboard.type("=1+1 & <b>fine</b>")
        self.choose("question-1", "yes")
        self.next()

    def code(self) -> str:
        code = self.page.inner_text(".code")
        assert re.fullmatch(r"[2-9A-Z]{5}-[2-9A-Z]{5}", code)
        return code

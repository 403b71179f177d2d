"""Writing SVG: shapes with classes, whose colours a style sheet gives, so that a figure follows its page.

A figure that leaves the page carries that sheet with it, with light colours filled in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

SHEET = Path(__file__).parents[2] / "static" / "board" / "figures.css"
CHARACTER = 6.9  # px, about the mean width at the size of labels
LINE = 34.0  # px from one row of a figure to the next
WIDE = 560.0  # px; narrower figures leave the numbers to the table
# of app/static/study/study.css, light; and the series' colours of board.css
LIGHT = {
    "sheet": "#fffdf8", "ink": "#16262b", "ink-soft": "#55666a", "line": "#ded8ca", "edge": "#857f70",
    "sea": "#1a6b60", "sea-wash": "#e3f0ec", "coral": "#b83a26",
    "s0": "#1a6b60", "s1": "#b83a26", "s2": "#2f5fa8", "s3": "#946000", "s4": "#7b3f98", "s5": "#5a6a1f",
    "s6": "#a33a6f", "s7": "#44606e",
}  # fmt: skip
SERIES = 8


class Drawing:
    """Shapes on a canvas, in px; `label` is what a screen reader says."""

    def __init__(self, width: float, height: float, label: str):
        self.width, self.height, self.label = width, height, label
        self._parts: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """A straight line."""
        self._parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        kind: str,
        *,
        told: str = "",
        opacity: float | None = None,
    ) -> None:
        """A rectangle; `told` is shown under the pointer."""
        faint = "" if opacity is None else f' fill-opacity="{opacity:.3f}"'
        size = f'width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
        self._shape(f'rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size}{faint}', told)

    def dot(self, x: float, y: float, radius: float, kind: str, told: str = "") -> None:
        """A disc."""
        self._shape(f'circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"', told)

    def diamond(self, x: float, y: float, radius: float, kind: str, told: str = "") -> None:
        """A square on its corner."""
        corners = f"M{x:.1f} {y - radius:.1f}l{radius} {radius} -{radius} {radius} -{radius} -{radius}z"
        self._shape(f'path class="{kind}" d="{corners}"', told)

    def path(self, points: Sequence[tuple[float, float]], kind: str, *, closed: bool = False) -> None:
        """A line through points, or the area within."""
        drawn = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("z" if closed else "")
        self._parts.append(f'<path class="{kind}" d="{drawn}"/>')

    def text(self, x: float, y: float, words: str, kind: str = "label", anchor: str = "start") -> None:
        """One line of text, its base line at y."""
        self._parts.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(_printable(words))}</text>'
        )

    def name(self, x: float, y: float, words: str, room: float, kind: str = "label", anchor: str = "start") -> None:
        """A name that is cut to its room in px; the whole one is shown under the pointer."""
        words = _printable(words)
        most = max(int(room / CHARACTER), 3)
        shown = words if len(words) <= most else words[: most - 1] + "…"
        whole = f"<title>{escape(words)}</title>" if shown != words else ""
        self._parts.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(shown)}{whole}</text>'
        )

    def render(self, *, alone: bool = False) -> str:
        """The SVG.

        Args:
            alone: With its style sheet and a background, to be read outside a page.
        """
        size = f'viewBox="0 0 {self.width:.0f} {self.height:.0f}" width="{self.width:.0f}" height="{self.height:.0f}"'
        ground = '<rect class="ground" width="100%" height="100%"/>' if alone else ""
        sheet = f"<style>{light_sheet()}</style>" if alone else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" {size} role="img" '
            f"aria-label={quoteattr(_printable(self.label))}>{sheet}{ground}{''.join(self._parts)}</svg>"
        )

    def _shape(self, opening: str, told: str) -> None:
        if told:
            name = opening.split(" ", 1)[0]
            self._parts.append(f"<{opening}><title>{escape(_printable(told))}</title></{name}>")
        else:
            self._parts.append(f"<{opening}/>")


def light_sheet() -> str:
    """The figures' style sheet with light colours in the place of the page's."""
    return re.sub(r"var\(--([\w-]+)\)", lambda found: LIGHT[found[1]], SHEET.read_text(encoding="utf-8"))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values within an interval, at most about `most`."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * k for k in (1, 2, 2.5, 5, 10) if span / (power * k) <= most)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def name_room(names: Sequence[str], width: float) -> float:
    """Room for a column of names: what the longest needs, up to a third of the figure."""
    return min(max((len(name) for name in names), default=0) * CHARACTER + 22, max(0.34 * width, 96))


@dataclass(frozen=True)
class Rows:
    """Rows of a figure: names in a column on the left, or above their rows where that column would cut them.

    Attributes:
        left: Where the names' column ends, px.
        height: Of one row, px.
        stacked: Whether names stand above their rows.
    """

    left: float
    height: float
    stacked: bool

    @classmethod
    def of(cls, names: Sequence[str], width: float) -> Rows:
        """Rows for these names in a figure of this width."""
        longest = max((len(name) for name in names), default=0) * CHARACTER + 22
        if width < WIDE and longest > name_room(names, width):
            return cls(12.0, LINE + 16, True)
        return cls(name_room(names, width), LINE, False)

    def name(self, drawing: Drawing, y: float, words: str, kind: str = "label") -> None:
        """A row's name; y is the middle of what is drawn in the row."""
        if self.stacked:
            drawing.name(0, y - 15, words, drawing.width, kind)
        else:
            drawing.name(0, y + 5, words, self.left - 8, kind)


def _printable(words: str) -> str:
    """What XML can hold."""
    return "".join(c for c in words if c >= " " and not 0xD800 <= ord(c) <= 0xDFFF and c not in "\ufffe\uffff")

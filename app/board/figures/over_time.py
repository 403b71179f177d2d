"""Ratings after growing parts of the votes, with the shades of their 95 % intervals."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from app.board.figures.svg import SERIES, Drawing, name_room, ticks

APART = 15.0  # px between two names at the lines' ends


def over_time(question: dict[str, Any], width: float) -> Drawing:
    """Elo against time; with a single moment, against the number of votes."""
    found = question["over_time"]
    lines = found["lines"]
    height = max(300.0, 60 + APART * len(lines))
    drawing = Drawing(width, height, f"Elo over time: {question['name']}")
    left, right = 44.0, name_room([line["system"] for line in lines], width)
    moments = [datetime.fromisoformat(text) for text in found["moments"]]
    first, last = moments[0], moments[-1]
    span = (last - first).total_seconds()
    shares = [(moment - first).total_seconds() / span for moment in moments] if span > 0 else _even(len(moments))
    values = [value for line in lines for key in ("low", "high") for value in line[key][len(moments) // 4 :] if value]
    values += [value for line in lines for value in line["elo"] if value is not None]
    low, high = min(values) - 10, max(values) + 10
    bottom, top = height - 34, 10.0

    def x(share: float) -> float:
        return left + share * (width - left - right - 8)

    def y(elo: float) -> float:
        return bottom - (min(max(elo, low), high) - low) / (high - low) * (bottom - top)

    for tick in ticks(low, high, 5):
        drawing.line(left, y(tick), x(1), y(tick), "grid")
        drawing.text(left - 8, y(tick) + 4, f"{tick:.0f}", "tick", "end")
    words = [(0.0, _when(first, span), "start"), (1.0, _when(last, span), "end")] if span > 0 else []
    if span > 0 and width >= 480:
        words.insert(1, (0.5, _when(first + timedelta(seconds=span / 2), span), "middle"))
    for share, text, anchor in words:
        drawing.text(x(share), bottom + 18, text, "tick", anchor)
    drawing.text(x(0.5), height - 2, f"{found['votes'][-1]} votes", "tick", "middle")
    for at, line in enumerate(lines):
        there = [k for k, value in enumerate(line["elo"]) if value is not None]
        upper = [(x(shares[k]), y(line["high"][k])) for k in there]
        lower = [(x(shares[k]), y(line["low"][k])) for k in reversed(there)]
        drawing.path(upper + lower, f"band s{at % SERIES}", closed=True)
    for at, line in enumerate(lines):
        points = [(x(shares[k]), y(value)) for k, value in enumerate(line["elo"]) if value is not None]
        drawing.path(points, f"series s{at % SERIES}{' dashed' if at >= SERIES else ''}")
        told = f"{line['system']}: {line['elo'][-1]:.0f}"
        drawing.dot(*points[-1], 3.5, f"end s{at % SERIES}", told)
    for at, (line, place) in enumerate(
        zip(lines, _apart([y(line["elo"][-1]) for line in lines], top, bottom), strict=True)
    ):
        drawing.name(x(1) + 10, place + 4, line["system"], right - 4, f"label of s{at % SERIES}")
    return drawing


def _even(count: int) -> list[float]:
    return [k / max(count - 1, 1) for k in range(count)]


def _when(moment: datetime, span_seconds: float) -> str:
    if span_seconds > 2 * 86_400:
        return f"{moment.day} {moment:%b}" if span_seconds < 300 * 86_400 else f"{moment:%b %Y}"
    return f"{moment.day} {moment:%b %H:%M}"


def _apart(places: list[float], top: float, bottom: float) -> list[float]:
    """The same places from top to bottom, none nearer to the one above than a line of text."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    floor = top - APART
    for k in order:
        moved[k] = floor = max(moved[k], floor + APART)
    over = floor - bottom
    ceiling = bottom + APART
    if over > 0:
        for k in reversed(order):
            moved[k] = ceiling = min(moved[k], ceiling - APART)
    return moved

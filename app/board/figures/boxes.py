"""MUSHRA grades as box plots: quartiles and median, whiskers of 1.5 interquartile ranges, the mean as a diamond."""

from __future__ import annotations

from typing import Any

from app.board.figures.svg import LINE, WIDE, Drawing, Rows

BANDS = ("Bad", "Poor", "Fair", "Good", "Excellent")


def boxes(question: dict[str, Any], width: float) -> Drawing:
    """Grades from 0 to 100 over the five bands of ITU-R BS.1534-3."""
    rows = question["standings"]
    lines = Rows.of([row["system"] for row in rows], width)
    left, right = lines.left, 110.0 if width >= WIDE else 16.0
    height = 26 + lines.height * max(len(rows), 1) + 30
    drawing = Drawing(width, height, f"MUSHRA grades: {question['name']}")

    def place(score: float) -> float:
        return left + score / 100 * (width - left - right)

    bottom = height - 28
    for at, word in enumerate(BANDS):
        drawing.rect(place(20 * at), 22, place(20) - place(0), bottom - 22, f"zone {'odd' if at % 2 else 'even'}")
        if width >= WIDE or at in (0, 4):
            drawing.text(place(20 * at + 10), 14, word, "tick", "middle")
    for score in range(0, 101, 20):
        drawing.line(place(score), 22, place(score), bottom, "grid")
        drawing.text(place(score), bottom + 17, str(score), "tick", "middle")
    for at, row in enumerate(rows):
        y = 24 + lines.height * (at + 1) - LINE / 2
        told = f"{row['system']}: median {row['median']:.0f}, quartiles {row['q1']:.0f} and {row['q3']:.0f}"
        lines.name(drawing, y, row["system"])
        drawing.line(place(row["whisker_low"]), y, place(row["whisker_high"]), y, "whisker")
        for end in ("whisker_low", "whisker_high"):
            drawing.line(place(row[end]), y - 5, place(row[end]), y + 5, "whisker")
        drawing.rect(place(row["q1"]), y - 10, place(row["q3"]) - place(row["q1"]), 20, "box", told=told)
        drawing.line(place(row["median"]), y - 10, place(row["median"]), y + 10, "median")
        for score in row["outside"][:200]:
            drawing.dot(place(score), y, 2.5, "outside", f"{row['system']}: {score:g}")
        drawing.diamond(place(row["mean"]), y, 4.5, "mean", f"mean {row['mean']:.1f}")
        if width >= WIDE:
            drawing.text(width, y + 5, f"{row['median']:.0f}  [{row['q1']:.0f}, {row['q3']:.0f}]", "value", "end")
    return drawing

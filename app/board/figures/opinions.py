"""Mean opinion scores as bars from the worst score, with their intervals."""

from __future__ import annotations

from typing import Any

from app.board.figures.svg import LINE, WIDE, Drawing, Rows


def opinions(question: dict[str, Any], width: float) -> Drawing:
    """MOS with 95 % intervals, on the whole scale."""
    rows, labels = question["standings"], question["labels"]
    top_score = max([len(labels), 5 if not labels else 0, *(row["mean"] for row in rows)])
    lines = Rows.of([row["system"] for row in rows], width)
    left, right = lines.left, 130.0 if width >= WIDE else 16.0
    height = 16 + lines.height * len(rows) + 44
    drawing = Drawing(width, height, f"Mean opinion scores with 95 % intervals: {question['name']}")

    def place(score: float) -> float:
        return left + (min(max(score, 1), top_score) - 1) / (top_score - 1) * (width - left - right)

    bottom = height - 42
    for score in range(1, int(top_score) + 1):
        drawing.line(place(score), 4, place(score), bottom, "grid")
        drawing.text(place(score), bottom + 16, str(score), "tick", "middle")
        if score <= len(labels) and (width >= WIDE or score in (1, len(labels))):
            anchor = "start" if score == 1 else "end" if score == len(labels) and width < WIDE else "middle"
            drawing.text(place(score), bottom + 33, labels[score - 1], "tick", anchor)
    for at, row in enumerate(rows):
        y = 8 + lines.height * (at + 1) - LINE / 2
        has = row["ci_low"] is not None
        interval = f", 95 % interval {row['ci_low']:.2f} to {row['ci_high']:.2f}" if has else ""
        lines.name(drawing, y, row["system"])
        drawing.rect(
            left, y - 9, place(row["mean"]) - left, 18, "bar", told=f"{row['system']}: {row['mean']:.2f}{interval}"
        )
        if has:
            drawing.line(place(row["ci_low"]), y, place(row["ci_high"]), y, "whisker")
            for end in ("ci_low", "ci_high"):
                drawing.line(place(row[end]), y - 5, place(row[end]), y + 5, "whisker")
        if width >= WIDE:
            words = f"{row['mean']:.2f}" + (f"  [{row['ci_low']:.2f}, {row['ci_high']:.2f}]" if has else "")
            drawing.text(width, y + 5, words, "value", "end")
    return drawing

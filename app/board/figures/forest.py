"""Ratings with their intervals, one row a system; the paper's fixed point and published ratings beside them."""

from __future__ import annotations

from typing import Any

from app.board.figures.svg import LINE, WIDE, Drawing, Rows, ticks


def forest(question: dict[str, Any], width: float) -> Drawing:
    """Elo with 95 % intervals."""
    rows, tables = question["standings"], question["published"]
    names = [row["system"] for row in rows] + [row["system"] for table in tables for row in table["rows"]]
    lines = Rows.of(names, width)
    left, right = lines.left, 150.0 if width >= WIDE else 14.0
    ends = [row[key] for row in rows for key in ("low", "high", "paper_elo")]
    ends += [row[key] for table in tables for row in table["rows"] for key in ("low", "high")]
    low, high = min(ends, default=1900.0), max(ends, default=2100.0)
    margin = max(0.05 * (high - low), 10.0)
    low, high = low - margin, high + margin
    height = 44 + lines.height * (len(rows) + sum(len(table["rows"]) for table in tables)) + 38 * len(tables) + 28
    drawing = Drawing(width, height, f"Elo ratings with 95 % intervals: {question['name']}")

    def place(elo: float) -> float:
        return left + (elo - low) / (high - low) * (width - left - right)

    bottom = height - 34
    for tick in ticks(low, high, 4 if width < WIDE else 7):
        drawing.line(place(tick), 8, place(tick), bottom, "grid")
        drawing.text(place(tick), bottom + 16, f"{tick:.0f}", "tick", "middle")
    drawing.text((left + width - right) / 2, height - 3, "Elo", "tick", "middle")
    y = 28.0 + (lines.height - LINE)
    for row in rows:
        told = f"{row['system']}: {row['elo']:.0f}, 95 % interval {row['low']:.0f} to {row['high']:.0f}"
        lines.name(drawing, y, row["system"])
        drawing.line(place(row["low"]), y, place(row["high"]), y, "interval")
        drawing.dot(place(row["elo"]), y, 5.5, "mark", told)
        drawing.diamond(
            place(row["paper_elo"]), y + 11, 4, "hollow", f"The paper's fixed point: {row['paper_elo']:.0f}"
        )
        if width >= WIDE:
            drawing.text(width, y + 5, f"{row['elo']:.0f}  [{row['low']:.0f}, {row['high']:.0f}]", "value", "end")
        y += lines.height
    source = "Published in the paper" if width >= WIDE else "Paper"
    for table in tables:
        drawing.name(0, y + 15 - (lines.height - LINE), f"{source}, {table['table']}", width, "head")
        y += 38
        for row in table["rows"]:
            told = f"{row['system']}: {row['elo']:.0f}, published interval {row['low']:.0f} to {row['high']:.0f}"
            lines.name(drawing, y, row["system"], "label soft")
            drawing.line(place(row["low"]), y, place(row["high"]), y, "interval soft")
            drawing.dot(place(row["elo"]), y, 5, "hollow", told)
            if width >= WIDE:
                words = f"{row['elo']:.0f}  [{row['low']:.0f}, {row['high']:.0f}]"
                drawing.text(width, y + 5, words, "value soft", "end")
            y += lines.height
    return drawing

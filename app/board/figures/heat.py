"""How likely each system is to be preferred to each other one, as a table of shades."""

from __future__ import annotations

from typing import Any

from app.board.figures.svg import Drawing, name_room

CELL = 64.0
READABLE = 30.0  # px; in smaller cells the numbers are left to the pointer


def heat(question: dict[str, Any], width: float) -> Drawing:
    """P(the row is preferred to the column by the next listener); ties are neither's."""
    names, chances, compared = question["systems"], question["win_probability"], question["compared"]
    n = max(len(names), 1)
    numbered = [f"{at + 1}  {name}" for at, name in enumerate(names)]
    left = name_room(numbered, width)
    cell = min(CELL, (width - left - 2) / n)
    drawing = Drawing(
        width, 30 + n * cell + 8, f"Probability that the row is preferred to the column: {question['name']}"
    )
    for j in range(len(names)):
        drawing.text(left + (j + 0.5) * cell, 20, str(j + 1), "tick", "middle")
    for i, name in enumerate(numbered):
        y = 30 + i * cell
        drawing.name(0, y + cell / 2 + 5, name, left - 8)
        for j in range(len(names)):
            x = left + j * cell
            if i == j:
                drawing.rect(x + 1, y + 1, cell - 2, cell - 2, "self")
                continue
            share = chances[i][j]
            lean = share - chances[j][i]
            told = f"{names[i]} preferred to {names[j]}: {share:.0%}; {compared[i][j]} votes between them"
            kind = "cell win" if lean >= 0 else "cell loss"
            drawing.rect(x + 1, y + 1, cell - 2, cell - 2, kind, told=told, opacity=0.06 + 0.5 * abs(lean))
            if cell >= READABLE:
                drawing.text(x + cell / 2, y + cell / 2 + 5, f"{100 * share:.0f}", "number", "middle")
    return drawing

"""Results as CSV, one line a system, in names that say what they are."""

from __future__ import annotations

import csv
import io
from typing import Any

from app.studies.sheets import neutral

# what the page's JSON calls it -> the column's name; those of the command line's outputs stay as they are there
COLUMNS: dict[str, dict[str, str]] = {
    "pairs": {
        "system": "system", "elo": "elo", "low": "ci_low", "high": "ci_high", "rank": "rank", "rank_low": "rank_low",
        "rank_high": "rank_high", "best": "p_best", "wins": "wins", "losses": "losses", "ties": "ties",
        "votes": "comparisons", "both_bad": "both_bad", "paper_elo": "fixed_point_elo",
        "paper_low": "fixed_point_ci_low", "paper_high": "fixed_point_ci_high",
    },
    "mos": {
        "system": "system", "mean": "mean", "ci_low": "ci_low", "ci_high": "ci_high", "ratings": "ratings",
        "raters": "raters",
    },
    "mushra": {
        "system": "system", "median": "median", "q1": "q1", "q3": "q3", "mean": "mean", "ci_low": "ci_low",
        "ci_high": "ci_high", "ratings": "ratings",
    },
}  # fmt: skip


def csv_table(question: dict[str, Any]) -> str:
    """The table of a question; empty where a number does not exist."""
    columns = COLUMNS[question["kind"]]
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns.values())
    for row in question["standings"]:
        cells = (row[name] for name in columns)
        writer.writerow(["" if cell is None else neutral(cell) if isinstance(cell, str) else cell for cell in cells])
    return written.getvalue()

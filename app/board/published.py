"""The paper's published ratings beside ours, where the question is the same."""

from __future__ import annotations

from typing import Any

from app.board.selection import QuestionKey
from evaluation.published import PAPER, PublishedRating

SOURCE = "Rouard et al. 2025, arXiv:2509.06926"
# words that all occur in a question's names -> tables of the paper that asked it; the first match counts
ASKED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("meaningful",), ("table 2, meaningfulness of speech",)),
    (("similarity",), ("table 3, speaker similarity", "table 12, speaker similarity")),
    (("enjoy", "text"), ("table 6, enjoyment of text-to-music",)),
    (("enjoy",), ("table 4, enjoyment of music", "table 6, enjoyment of text-to-music")),
    (("quality",), ("table 12, audio quality",)),
)


def published_beside(key: QuestionKey) -> list[dict[str, Any]]:
    """Tables of the paper that asked the same question in pairs; none for scores, which do not compare."""
    if key.kind != "pairs":
        return []
    named = f"{key.attribute} {key.study}".lower()
    for words, tables in ASKED:
        if all(word in named for word in words):
            return [
                {
                    "table": table,
                    "source": SOURCE,
                    "rows": [_row(row) for row in PAPER[table]],
                }
                for table in tables
            ]
    return []


def _row(row: PublishedRating) -> dict[str, Any]:
    return {"system": row.system, "elo": row.elo, "low": row.elo - row.half_width, "high": row.elo + row.half_width}

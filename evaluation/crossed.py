"""Scores side by side: who gave which system what on the same item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


def names_and_codes(scores: pd.DataFrame, column: str) -> tuple[list[str], np.ndarray]:
    """The sorted names in a column and each row's index into them."""
    names, codes = np.unique(np.asarray(scores[column], dtype=str), return_inverse=True)
    return names.tolist(), codes.reshape(-1)


@dataclass(frozen=True)
class Crossed:
    """Scores of all systems by one rater on one item, row by row.

    Attributes:
        systems: Names, `S`.
        raters: Code of each row's rater, `[U]`.
        items: Code of each row's item, `[U]`.
        values: `[U, S]`, not-a-number where the rater did not score that system on that item.
    """

    systems: list[str]
    raters: np.ndarray
    items: np.ndarray
    values: np.ndarray

    def both(self, a: int, b: int) -> np.ndarray:
        """Rows in which two systems were scored, as indices."""
        return np.flatnonzero(np.isfinite(self.values[:, a]) & np.isfinite(self.values[:, b]))


def side_by_side(scores: pd.DataFrame) -> Crossed:
    """Line up scores; of two scores of one rater for one system on one item the mean is taken.

    Args:
        scores: Columns `rater, system, item, score`.
    """
    (_, rater), (items, item), (systems, system) = (
        names_and_codes(scores, column) for column in ("rater", "item", "system")
    )
    rows, row = np.unique(rater * max(len(items), 1) + item, return_inverse=True)
    shape = (len(rows), len(systems))
    cell = row.reshape(-1) * len(systems) + system
    total = np.bincount(cell, weights=np.asarray(scores["score"], dtype=float), minlength=shape[0] * shape[1])
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    values = np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape)
    return Crossed(systems, rows // max(len(items), 1), rows % max(len(items), 1), values)

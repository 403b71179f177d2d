"""How far raters agree: Krippendorff's alpha and the intraclass correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from evaluation.crossed import side_by_side

Scale = Literal["nominal", "ordinal", "interval"]


def ratings_matrix(scores: pd.DataFrame) -> np.ndarray:
    """Scores as `[raters, units]`, a unit being a system on an item; not-a-number where a rater gave none."""
    lined = side_by_side(scores)
    if not len(lined.raters):
        return np.empty((0, 0))
    table = np.full((lined.raters.max() + 1, len(lined.systems), lined.items.max() + 1), np.nan)
    table[lined.raters, :, lined.items] = lined.values
    flat = table.reshape(len(table), -1)
    return flat[:, np.isfinite(flat).any(axis=0)]


def krippendorff_alpha(ratings: np.ndarray, scale: Scale = "interval") -> float:
    """Krippendorff's alpha (2011) by coincidences: 1 is agreement, 0 is what chance gives.

    Args:
        ratings: `[raters, units]`, not-a-number where there is none; units with one rating do not count.
        scale: What a difference between two values means.

    Returns:
        alpha; not-a-number where nothing can be compared or every value is the same.
    """
    values = np.unique(ratings[np.isfinite(ratings)])
    counts = np.stack([(ratings == value).sum(axis=0) for value in values], axis=1).astype(float)  # [units, values]
    rated = counts.sum(axis=1)
    counts, rated = counts[rated > 1], rated[rated > 1]
    if not len(counts):
        return float("nan")
    coincidences = (counts / (rated - 1)[:, None]).T @ counts - np.diag((counts / (rated - 1)[:, None]).sum(axis=0))
    totals = coincidences.sum(axis=1)
    expected = np.outer(totals, totals) - np.diag(totals)
    distance = _distances(values, totals, scale)
    disagreement = (expected * distance).sum() / (totals.sum() - 1)
    return float(1 - (coincidences * distance).sum() / disagreement) if disagreement > 0 else float("nan")


def _distances(values: np.ndarray, totals: np.ndarray, scale: Scale) -> np.ndarray:
    if scale == "nominal":
        return (values[:, None] != values[None, :]).astype(float)
    if scale == "ordinal":
        place = np.cumsum(totals) - totals / 2  # the middle of each value's block of ranks
        return (place[:, None] - place[None, :]) ** 2
    return (values[:, None] - values[None, :]) ** 2


@dataclass(frozen=True)
class IntraclassCorrelation:
    """The six forms of Shrout and Fleiss (1979); `_k` is of the mean over all raters, `_1` of a single one.

    Attributes:
        one_way_1, one_way_k: ICC(1,1) and ICC(1,k): each unit has raters of its own.
        random_1, random_k: ICC(2,1) and ICC(2,k): the same raters, drawn from many; agreement.
        fixed_1, fixed_k: ICC(3,1) and ICC(3,k): these raters only; consistency.
        units, raters: What they rest on; units that a rater left out are left out.
    """

    one_way_1: float
    one_way_k: float
    random_1: float
    random_k: float
    fixed_1: float
    fixed_k: float
    units: int
    raters: int


def intraclass_correlation(ratings: np.ndarray) -> IntraclassCorrelation | None:
    """Intraclass correlations of the units that every rater rated.

    Args:
        ratings: `[raters, units]`, not-a-number where there is none.

    Returns:
        None where fewer than two raters share two units.
    """
    whole = ratings[:, np.isfinite(ratings).all(axis=0)].T
    n, k = whole.shape
    if n < 2 or k < 2:
        return None
    mean = whole.mean()
    between = k * ((whole.mean(axis=1) - mean) ** 2).sum() / (n - 1)
    raters = n * ((whole.mean(axis=0) - mean) ** 2).sum() / (k - 1)
    total = ((whole - mean) ** 2).sum()
    within = (total - between * (n - 1)) / (n * (k - 1))
    error = (total - between * (n - 1) - raters * (k - 1)) / ((n - 1) * (k - 1))

    def share(top: float, bottom: float) -> float:
        return float(top / bottom) if bottom > 0 else float("nan")

    return IntraclassCorrelation(
        share(between - within, between + (k - 1) * within),
        share(between - within, between),
        share(between - error, between + (k - 1) * error + k * (raters - error) / n),
        share(between - error, between + (raters - error) / n),
        share(between - error, between + (k - 1) * error),
        share(between - error, between),
        n,
        k,
    )

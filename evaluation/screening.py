"""Who is left out of a listening test, and why: the rules of ITU-R BS.1534-3, clause 4.1.2, as written.

An assessor goes who grades the hidden reference below 90 on more than 15 % of the items, or the mid anchor above 90 on
more than 15 %. For the second rule an item does not count when more than 25 % of the assessors grade its mid anchor
above 90: there the anchor did not degrade the item. Shares are of the items that the assessor graded and that count.
Outliers by 1.5 times the interquartile range are reported and never removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.crossed import names_and_codes, side_by_side
from evaluation.errors import InputError

LIMIT = 90.0
SHARE = 0.15
ITEM_SHARE = 0.25


@dataclass(frozen=True)
class Exclusion:
    """One rule that one rater broke; share is of the items that count, 0 to 1."""

    rater: str
    rule: str
    share: float


@dataclass(frozen=True)
class Outlier:
    """A grade far from the others of its item and system; for reading, not for removal."""

    rater: str
    item: str
    system: str
    score: float
    low: float
    high: float


def post_screen(scores: pd.DataFrame, reference: str, mid_anchor: str) -> list[Exclusion]:
    """Find the assessors that the recommendation excludes.

    Args:
        scores: Columns `rater, item, system, score` of the main test (training left out).
        reference: Name of the hidden reference.
        mid_anchor: Name of the mid anchor.

    Raises:
        InputError: A name that no row has; the systems that there are, are listed.
    """
    lined = side_by_side(scores)
    for name, what in ((reference, "reference"), (mid_anchor, "mid anchor")):
        if name not in lined.systems:
            there = ", ".join(lined.systems)[:200]
            raise InputError(f"No row has the {what} '{name}'; the column system holds {there}.")
    if reference == mid_anchor:
        raise InputError(f"'{reference}' cannot be both the hidden reference and the mid anchor.")
    raters, _ = names_and_codes(scores, "rater")
    own = lined.values[:, lined.systems.index(reference)]
    low = _share(own < LIMIT, np.isfinite(own), lined.raters)
    anchor = lined.values[:, lined.systems.index(mid_anchor)]
    graded = np.isfinite(anchor)
    of_item = _share(anchor > LIMIT, graded, lined.items)
    high = _share(anchor > LIMIT, graded & ~(of_item > ITEM_SHARE)[lined.items], lined.raters)
    rules = (
        (f"hidden reference below {LIMIT:g} on more than {SHARE:.0%} of items", low),
        (f"mid anchor above {LIMIT:g} on more than {SHARE:.0%} of items", high),
    )
    return [
        Exclusion(rater, rule, float(share))
        for rule, shares in rules
        for rater, share in zip(raters, shares, strict=True)
        if share > SHARE + 1e-12
    ]


def _share(broken: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Of the rows of each code that count, the share that is broken; 0 where none counts."""
    size = int(codes.max()) + 1
    total = np.bincount(codes, weights=counts, minlength=size)
    return np.bincount(codes, weights=broken & counts, minlength=size) / np.maximum(total, 1)


def outliers(scores: pd.DataFrame) -> list[Outlier]:
    """Grades more than 1.5 interquartile ranges outside the quartiles of their item and system."""
    raters, rater = names_and_codes(scores, "rater")
    items, item = names_and_codes(scores, "item")
    systems, system = names_and_codes(scores, "system")
    grades = np.asarray(scores["score"], dtype=float)
    cell = item * max(len(systems), 1) + system
    found = []
    for own in np.unique(cell):
        rows = np.flatnonzero(cell == own)
        q1, q3 = np.quantile(grades[rows], [0.25, 0.75])
        low, high = float(q1 - 1.5 * (q3 - q1)), float(q3 + 1.5 * (q3 - q1))
        found += [
            Outlier(raters[rater[k]], items[item[k]], systems[system[k]], float(grades[k]), low, high)
            for k in rows
            if not low <= grades[k] <= high
        ]
    return found

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
    systems = sorted(map(str, scores["system"].unique()))
    for name, what in ((reference, "reference"), (mid_anchor, "mid anchor")):
        if name not in systems:
            raise InputError(f"No row has the {what} '{name}'; the column system holds {', '.join(systems)[:200]}.")
    if reference == mid_anchor:
        raise InputError(f"'{reference}' cannot be both the hidden reference and the mid anchor.")
    own = scores[scores["system"] == reference]
    low = (own["score"] < LIMIT).groupby(own["rater"].astype(str)).mean()
    anchor = scores[scores["system"] == mid_anchor]
    high = anchor["score"] > LIMIT
    of_item = high.groupby(anchor["item"].astype(str)).mean()
    counts = anchor["item"].astype(str).isin(of_item.index[of_item <= ITEM_SHARE])
    high = high[counts].groupby(anchor["rater"].astype(str)[counts]).mean()
    rules = (
        (f"hidden reference below {LIMIT:g} on more than {SHARE:.0%} of items", low),
        (f"mid anchor above {LIMIT:g} on more than {SHARE:.0%} of items", high),
    )
    return [
        Exclusion(str(rater), rule, float(share))
        for rule, shares in rules
        for rater, share in shares.sort_index().items()
        if share > SHARE + 1e-12
    ]


def outliers(scores: pd.DataFrame) -> list[Outlier]:
    """Grades more than 1.5 interquartile ranges outside the quartiles of their item and system."""
    groups = scores.groupby(["item", "system"], observed=True)["score"]
    q1, q3 = (groups.transform(lambda values, q=q: np.quantile(values, q)) for q in (0.25, 0.75))
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    far = (scores["score"] < low) | (scores["score"] > high)
    columns = (scores[name][far] for name in ("rater", "item", "system", "score"))
    return [
        Outlier(str(rater), str(item), str(system), float(score), float(a), float(b))
        for rater, item, system, score, a, b in zip(*columns, low[far], high[far], strict=True)
    ]

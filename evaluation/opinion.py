"""Mean opinion scores with intervals that know who rated what.

Scores of one rater resemble each other, and so do scores of one item; an interval that takes them for independent is
too narrow. Three are offered: `clustered` by rater and item at once, `bootstrap` over both, and `plain`, which is
s t / sqrt(n) of ITU-T P.1401, for comparison with publications.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import t as student

from evaluation.records import OpinionScore

Interval = Literal["clustered", "bootstrap", "plain"]


@dataclass(frozen=True)
class MeanOpinion:
    """One system's mean score; the interval is not-a-number where one rating is all there is."""

    system: str
    mean: float
    ci_low: float
    ci_high: float
    ratings: int
    raters: int


def frame_of(records: Iterable[OpinionScore]) -> pd.DataFrame:
    """Records as a frame of `rater, system, item, score`."""
    rows = [(r.rater, r.system, r.item, float(r.score)) for r in records]
    return pd.DataFrame(rows, columns=["rater", "system", "item", "score"])


def mean_opinions(
    scores: pd.DataFrame, interval: Interval = "clustered", level: float = 0.95, seed: int = 0, draws: int = 2000
) -> list[MeanOpinion]:
    """Mean and interval of every system, the best first.

    Args:
        scores: Columns `rater, system, item, score`; a rater may have scored some of the items only.
        interval: How the interval is made.
        level: Coverage.
        seed: Of the bootstrap.
        draws: Resamples of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    found = []
    for system, group in sorted(scores.groupby("system", observed=True), key=lambda pair: str(pair[0])):
        values = group["score"].to_numpy(dtype=float)
        raters, items = (pd.factorize(group[column])[0] for column in ("rater", "item"))
        if interval == "bootstrap":
            low, high = bootstrap_interval(values, raters, items, rng, level, draws)
        elif interval == "clustered":
            low, high = clustered_interval(values, raters, items, level)
        else:
            low, high = plain_interval(values, level)
        found.append(MeanOpinion(str(system), float(values.mean()), low, high, len(values), int(raters.max()) + 1))
    return sorted(found, key=lambda row: (-row.mean, row.system))


def plain_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The interval of ITU-T P.1401 for independent scores: mean +- t s / sqrt(n)."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = student.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def clustered_interval(
    values: np.ndarray, raters: np.ndarray, items: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """An interval of the mean whose variance is clustered by rater and by item (Cameron, Gelbach, Miller 2011).

    The two clustered variances are added and that of single scores, counted in both, is taken off; the largest of the
    four stands where the difference is smaller than one of its parts. The quantile is Student's with one degree less
    than there are clusters in the smaller way. A way with a single cluster cannot be judged and is left out.

    Args:
        values: Scores, `[n]`.
        raters: Code of each score's rater.
        items: Code of each score's item.
        level: Coverage.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    residual = values - values.mean()
    single = np.arange(len(values))
    parts, degrees = [], []
    for codes in (raters, items):
        count = int(codes.max()) + 1
        if count > 1:
            parts.append(_clustered_variance(residual, codes))
            degrees.append(count - 1)
    if not parts:
        return plain_interval(values, level)
    alone = _clustered_variance(residual, single)
    variance = max(sum(parts) - alone * (len(parts) - 1), alone, *parts)
    half = student.ppf((1 + level) / 2, min(degrees)) * np.sqrt(variance)
    return float(values.mean() - half), float(values.mean() + half)


def _clustered_variance(residual: np.ndarray, codes: np.ndarray) -> float:
    sums = np.bincount(codes, weights=residual)
    groups = np.count_nonzero(np.bincount(codes))
    return float((sums**2).sum() / len(residual) ** 2 * groups / (groups - 1))


def bootstrap_interval(
    values: np.ndarray,
    raters: np.ndarray,
    items: np.ndarray,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 2000,
) -> tuple[float, float]:
    """The percentile interval of a bootstrap that draws raters and items, both with replacement (Owen 2007).

    A score counts as often as its rater times its item were drawn; this errs on the wide side.

    Args:
        values: Scores, `[n]`.
        raters: Code of each score's rater.
        items: Code of each score's item.
        rng: Source of the draws.
        level: Coverage.
        draws: Resamples.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    times = np.ones((draws, len(values)))
    for codes in (raters, items):
        count = int(codes.max()) + 1
        if count > 1:
            times *= rng.multinomial(count, np.full(count, 1 / count), size=draws)[:, codes]
    weight = times.sum(axis=1)
    means = (times @ values)[weight > 0] / weight[weight > 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

"""Intervals by resampling; every draw comes from a generator that the caller gives."""

from collections.abc import Sequence

import numpy as np


def bootstrap_ratio(
    numerators: Sequence[float],
    denominators: Sequence[float],
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 2000,
) -> tuple[float, float, float]:
    """A pooled ratio and its percentile bootstrap interval (Efron 1979), items drawn with replacement.

    With wrong words and words said per sentence it is the word error rate (Bisani and Ney 2004); with denominators of
    1 it is a plain mean.

    Args:
        numerators: One value an item, `[N]`.
        denominators: One value an item, `[N]`, with a positive sum.
        rng: Source of the draws.
        level: Coverage.
        draws: Number of resamples.

    Returns:
        `(ratio, low, high)`.
    """
    top, bottom = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    assert top.shape == bottom.shape and top.ndim == 1 and bottom.sum() > 0
    picks = rng.integers(0, len(top), size=(draws, len(top)))
    below = bottom[picks].sum(axis=1)
    ratios = top[picks].sum(axis=1)[below > 0] / below[below > 0]
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(top.sum() / bottom.sum()), float(low), float(high)

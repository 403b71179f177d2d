"""Intervals by resampling; every draw comes from a generator that the caller gives."""

import numpy as np
from numpy.typing import ArrayLike


def bootstrap_ratio(
    pairs: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 2000,
) -> tuple[float, float, float]:
    """A pooled ratio and its percentile bootstrap interval (Efron 1979), items drawn with replacement.

    With wrong words and words said per sentence it is the word error rate (Bisani and Ney 2004); with denominators of
    1 it is a plain mean.

    Args:
        pairs: Numerator and denominator of each item, `[N, 2]`; the denominators' sum is positive.
        rng: Source of the draws.
        level: Coverage.
        draws: Number of resamples.

    Returns:
        `(ratio, low, high)`.
    """
    top, bottom = np.asarray(pairs, dtype=float).T
    assert bottom.sum() > 0
    picks = rng.integers(0, len(top), size=(draws, len(top)))
    below = bottom[picks].sum(axis=1)
    ratios = top[picks].sum(axis=1)[below > 0] / below[below > 0]
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(top.sum() / bottom.sum()), float(low), float(high)


def basic_interval(found: float, errors: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The basic bootstrap's interval of a figure (Davison and Hinkley 1997, section 5.2).

    Args:
        found: The figure.
        errors: Of resamples `[draws]`, by how much each lies above what it estimates.
        level: Coverage.
    """
    low, high = np.quantile(errors, [(1 - level) / 2, (1 + level) / 2])
    return float(found - high), float(found - low)

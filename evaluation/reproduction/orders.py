"""Whether one system is better than another, as a paper claims: paired differences with intervals, and a verdict.

Both systems are measured on the same units (prompts, sentences, clips), so units are drawn together: what is hard for
both takes no part in the difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evaluation.errors import InputError
from evaluation.intervals import basic_interval

Pairs = Mapping[str, tuple[float, float]]
"""Numerator and denominator of each unit, such as wrong words and words, or nats and tokens."""


@dataclass(frozen=True)
class Difference:
    """The worse system's figure minus the better one's, in the sense of the claim: positive supports it.

    Attributes:
        value: Difference over all units.
        low: Lower end of the 95 % interval.
        high: Upper end.
        units: On how many units it rests.
    """

    value: float
    low: float
    high: float
    units: int

    @property
    def verdict(self) -> str:
        """`reproduced` or `the other way round` where the interval leaves out zero, else `undecided`."""
        if self.low > 0:
            return "reproduced"
        return "the other way round" if self.high < 0 else "undecided"


def _ratio(pairs: np.ndarray, logarithm: bool) -> np.ndarray:
    """Pooled ratio of pairs `[..., N, 2]` over N."""
    top, bottom = pairs[..., 0].sum(-1), pairs[..., 1].sum(-1)
    return np.exp(top / bottom) if logarithm else top / bottom


def paired_difference(
    better: Pairs,
    worse: Pairs,
    rng: np.random.Generator,
    *,
    higher_is_better: bool = False,
    perplexity: bool = False,
    draws: int = 2000,
) -> Difference:
    """How much worse the system is that a claim calls worse.

    Args:
        better: Of the system that the claim calls better, by unit.
        worse: Of the other one, the same units.
        rng: Source of the resamples.
        higher_is_better: Whether larger ratios are better.
        perplexity: Whether the figure is exp(ratio).
        draws: Number of resamples of the units (paired percentile bootstrap).

    Raises:
        InputError: The units differ, or there are fewer than two.

    Returns:
        The difference; NaN where one system has nothing to count, which is `undecided`.
    """
    if better.keys() != worse.keys() or len(better) < 2:
        raise InputError(
            f"Two systems are compared on the same units, at least 2; {len(better)} and {len(worse)} were given, "
            f"{len(better.keys() & worse.keys())} of them in both."
        )
    units = sorted(better)
    a, b = (np.array([pairs[unit] for unit in units], dtype=float) for pairs in (better, worse))
    sign = -1.0 if higher_is_better else 1.0
    picks = rng.integers(0, len(units), size=(draws, len(units)))
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample without words says nothing
        resampled = sign * (_ratio(b[picks], perplexity) - _ratio(a[picks], perplexity))
        value = sign * float(_ratio(b, perplexity) - _ratio(a, perplexity))
    known = resampled[np.isfinite(resampled)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    return Difference(value + 0.0, float(low) + 0.0, float(high) + 0.0, len(units))  # + 0.0: no difference is not -0


@dataclass(frozen=True)
class Order:
    """A claimed order of two systems by one figure.

    Attributes:
        better: The system that the paper found better.
        worse: The other one.
        figure: By what.
        source: Table or section of the paper.
        paper: The paper's figures, better then worse.
        ours: Our figures, in the same order.
        difference: Ours, with its interval; positive supports the claim.
    """

    better: str
    worse: str
    figure: str
    source: str
    paper: tuple[float | None, float | None]
    ours: tuple[float, float]
    difference: Difference


def seed_difference(better: list[float], worse: list[float], *, higher_is_better: bool = False) -> Difference:
    """Of figures that only a whole set has, one a seed: the mean difference and the range over the seeds.

    The range is no interval: with n seeds, all on one side happens by chance with probability 2^(1 - n).

    Raises:
        InputError: The numbers of seeds differ, or there is only one.
    """
    if len(better) != len(worse) or len(better) < 2:
        raise InputError(f"Sets are compared seed by seed, at least 2; {len(better)} and {len(worse)} were given.")
    sign = -1.0 if higher_is_better else 1.0
    each = [sign * (w - b) for b, w in zip(better, worse, strict=True)]
    return Difference(float(np.mean(each)), min(each), max(each), len(each))


@dataclass(frozen=True)
class Resampled:
    """A figure of a set, averaged over seeds, and the same of each resample of its units.

    Attributes:
        value: The figure.
        resamples: `[draws]`.
    """

    value: float
    resamples: np.ndarray

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by the basic bootstrap around the resamples' mean."""
        return basic_interval(self.value, self.resamples - self.resamples.mean())


def resampled_difference(
    better: Resampled, worse: Resampled, units: int, *, higher_is_better: bool = False
) -> Difference:
    """Of figures that only a whole set has, measured on the same units with the same resamples of them.

    Seeds of one system, which went on from the same units, are averaged, resample by resample. Resamples of a set stand
    beside their own mean, since a resample repeats units, which moves such figures (`frechet.distance_interval`).

    Args:
        better: Of the system that the claim calls better.
        worse: Of the other one.
        units: On how many units both rest.
        higher_is_better: Whether larger figures are better.

    Raises:
        InputError: The numbers of resamples differ.
    """
    if better.resamples.shape != worse.resamples.shape:
        raise InputError(
            f"Two systems are compared by the same resamples; {len(better.resamples)} and {len(worse.resamples)} were "
            "given."
        )
    sign = -1.0 if higher_is_better else 1.0
    drawn = sign * (worse.resamples - better.resamples)
    value = sign * (worse.value - better.value)
    low, high = basic_interval(value, drawn - drawn.mean())
    return Difference(value + 0.0, low + 0.0, high + 0.0, units)


def table_rows(orders: list[Order]) -> list[tuple[str, ...]]:
    """One row an order, for `tables.markdown_table` with the header `HEADER`."""

    def plain(value: float | None) -> str:
        return "-" if value is None else f"{value:.3g}"

    return [
        (
            f"{order.better} before {order.worse}",
            f"{order.figure} ({order.source})",
            f"{plain(order.paper[0])} / {plain(order.paper[1])}",
            f"{plain(order.ours[0])} / {plain(order.ours[1])}",
            f"{order.difference.value:.3g} [{order.difference.low:.3g}, {order.difference.high:.3g}]",
            order.difference.verdict,
        )
        for order in orders
    ]


HEADER = ("claim", "figure", "paper", "ours", "difference", "order")

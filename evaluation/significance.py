"""Tests between every two systems on the same raters, adjusted for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp, wilcoxon

from evaluation.crossed import side_by_side

Adjustment = Literal["holm", "hochberg"]


@dataclass(frozen=True)
class Test:
    """A two-sided test of one system against another.

    Attributes:
        system_a, system_b: The systems.
        difference: Of a over b.
        p_value: Of this test alone.
        adjusted: The same for the whole family of tests.
        pairs: Pairs of scores, or of raters' means, that it rests on.
    """

    __test__ = False  # for pytest

    system_a: str
    system_b: str
    difference: float
    p_value: float
    adjusted: float
    pairs: int


def adjusted_p_values(p_values: Sequence[float], method: Adjustment = "holm") -> np.ndarray:
    """P-values that may each be held against the level of the whole family.

    Holm (1979) needs no assumption; Hochberg (1988) is sharper and holds for independent or positively dependent tests.

    Args:
        p_values: Of the tests alone.
        method: `holm` or `hochberg`.
    """
    given = np.asarray(p_values, dtype=float)
    order = np.argsort(given, kind="stable")
    scaled = given[order] * (len(given) - np.arange(len(given)))
    if method == "holm":
        scaled = np.maximum.accumulate(scaled)
    else:
        scaled = np.minimum.accumulate(scaled[::-1])[::-1]
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(scaled, 1)
    return adjusted


def adjust(tests: Sequence[Test], method: Adjustment) -> list[Test]:
    """The same tests with their family's p-values."""
    values = adjusted_p_values([test.p_value for test in tests], method)
    return [replace(test, adjusted=float(value)) for test, value in zip(tests, values, strict=True)]


def paired_tests(
    scores: pd.DataFrame, kind: Literal["t", "wilcoxon"] = "t", adjustment: Adjustment = "holm"
) -> list[Test]:
    """Compare every two systems by the raters' own differences.

    A rater counts once, with the mean over the items that the rater scored for both systems, so scores of one rater are
    not taken for independent.

    Args:
        scores: Columns `rater, system, item, score`.
        kind: Student's paired test or Wilcoxon's signed ranks.
        adjustment: For the number of tests.
    """
    lined = side_by_side(scores)
    tests = []
    for a, b in combinations(range(len(lined.systems)), 2):
        rows = lined.both(a, b)
        _, rater, count = np.unique(lined.raters[rows], return_inverse=True, return_counts=True)
        differences = lined.values[rows, a] - lined.values[rows, b]
        own = np.bincount(rater.reshape(-1), weights=differences, minlength=len(count)) / count
        if len(own) < 2 or not own.any():
            p_value = 1.0
        elif kind == "wilcoxon":
            p_value = float(np.asarray(wilcoxon(own))[1])
        elif np.ptp(own) == 0:
            p_value = 0.0  # everyone differs by the same amount
        else:
            p_value = float(np.asarray(ttest_1samp(own, 0.0))[1])
        names = lined.systems[a], lined.systems[b]
        tests.append(Test(*names, float(own.mean()) if len(own) else float("nan"), p_value, p_value, len(own)))
    return adjust(tests, adjustment)

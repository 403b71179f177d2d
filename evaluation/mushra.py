"""MUSHRA results after ITU-R BS.1534-3: median and quartiles, mean and interval, tests on medians, and warnings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import kurtosis, skew

from evaluation.crossed import side_by_side
from evaluation.opinion import clustered_interval
from evaluation.significance import Test, adjust


@dataclass(frozen=True)
class MushraSummary:
    """One system's grades, 0 to 100; the interval is not-a-number where one grade is all there is."""

    system: str
    median: float
    q1: float
    q3: float
    mean: float
    ci_low: float
    ci_high: float
    ratings: int


def summarise(scores: pd.DataFrame, level: float = 0.95) -> list[MushraSummary]:
    """Median, quartiles, mean and interval (clustered by rater and item) of every system, the highest median first.

    Args:
        scores: Columns `rater, item, system, score`, screened.
        level: Coverage of the intervals.
    """
    found = []
    for system, group in scores.groupby("system", observed=True):
        values = group["score"].to_numpy(dtype=float)
        q1, median, q3 = (float(value) for value in np.quantile(values, [0.25, 0.5, 0.75]))
        raters, items = (pd.factorize(group[column])[0] for column in ("rater", "item"))
        low, high = clustered_interval(values, raters, items, level)
        found.append(MushraSummary(str(system), median, q1, q3, float(values.mean()), low, high, len(values)))
    return sorted(found, key=lambda row: (-row.median, -row.mean, row.system))


def median_tests(scores: pd.DataFrame, seed: int = 0, draws: int = 10_000) -> list[Test]:
    """Permutation tests on the difference of medians between every two systems, adjusted after Holm.

    Within a rater the two systems' names carry no meaning if there is no difference, so all of a rater's pairs of
    grades change names together or not at all; a rater's grades of several items are not taken for independent.

    Args:
        scores: Columns `rater, item, system, score`, screened.
        seed: Of the permutations.
        draws: Permutations.
    """
    rng = np.random.default_rng(seed)
    lined = side_by_side(scores)
    tests = []
    for a, b in combinations(range(len(lined.systems)), 2):
        rows = lined.both(a, b)
        if not len(rows):
            continue
        own, other = lined.values[rows, a], lined.values[rows, b]
        p_value = _permuted(own, other, lined.raters[rows], rng, draws)
        difference = float(np.median(own) - np.median(other))
        tests.append(Test(lined.systems[a], lined.systems[b], difference, p_value, p_value, len(rows)))
    return adjust(tests, "holm")


def _permuted(a: np.ndarray, b: np.ndarray, raters: np.ndarray, rng: np.random.Generator, draws: int) -> float:
    observed = abs(np.median(a) - np.median(b))
    as_far = 0
    for start in range(0, draws, 1000):  # in parts, for memory
        swapped = rng.random((min(1000, draws - start), int(raters.max()) + 1))[:, raters] < 0.5
        medians = (np.median(np.where(swapped, x, y), axis=1) for x, y in ((b, a), (a, b)))
        left, right = medians
        as_far += int((np.abs(left - right) >= observed - 1e-12).sum())
    return (1 + as_far) / (1 + draws)


def bimodality(values: np.ndarray) -> float:
    """Sarle's coefficient, (skewness^2 + 1) / kurtosis with small-sample terms; above 5/9 points to two camps."""
    n = len(values)
    if n < 4 or values.std() == 0:
        return float("nan")
    peak = kurtosis(values, bias=False) + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
    return float((skew(values, bias=False) ** 2 + 1) / peak)


def warnings_about(scores: pd.DataFrame) -> list[str]:
    """Sentences on what the summary hides: grades in two camps, and a scale used at its top only."""
    said = []
    medians = scores.groupby("system", observed=True)["score"].median()
    top = medians[medians >= 80]
    if len(medians) > 1 and len(top) > len(medians) / 2:
        said.append(
            f"{len(top)} of {len(medians)} conditions have a median of 80 or more: the scale is saturated and small "
            f"differences do not show; use harder items or a test for small impairments (ITU-R BS.1116)."
        )
    for system, group in scores.groupby("system", observed=True)["score"]:
        coefficient = bimodality(group.to_numpy(dtype=float))
        spread = np.subtract(*np.quantile(group, [0.75, 0.25]))
        if len(group) >= 20 and coefficient > 5 / 9 and spread >= 20:
            said.append(
                f"The grades of '{system}' fall into two camps (bimodality {coefficient:.2f}, above 0.56): "
                f"look at them before quoting a mean or median."
            )
    return said

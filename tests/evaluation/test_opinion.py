import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from evaluation.opinion import (
    bootstrap_interval,
    clustered_interval,
    frame_of,
    mean_opinions,
    plain_interval,
)
from evaluation.records import OpinionScore
from evaluation.reliability import intraclass_correlation, krippendorff_alpha, ratings_matrix
from evaluation.significance import adjusted_p_values, paired_tests

N = float("nan")
# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example C
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ]
)
# Shrout and Fleiss (1979), table 2: six targets, four judges
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]).T


def crossed(rng: np.random.Generator, raters: int = 15, items: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with mean 3 in which raters and items have their own levels."""
    r, i = (axis.ravel() for axis in np.meshgrid(np.arange(raters), np.arange(items), indexing="ij"))
    values = 3 + 0.5 * rng.normal(size=raters)[r] + 0.3 * rng.normal(size=items)[i] + 0.7 * rng.normal(size=len(r))
    return values, r, i


def test_intervals_cover_the_truth_as_often_as_they_say_and_the_plain_one_does_not() -> None:
    hits = {"clustered": 0, "bootstrap": 0, "plain": 0}
    for trial in range(400):
        rng = np.random.default_rng(trial)
        values, r, i = crossed(rng)
        found = {"clustered": clustered_interval(values, r, i), "plain": plain_interval(values)}
        if trial < 150:
            found["bootstrap"] = bootstrap_interval(values, r, i, rng, draws=300)
        for name, (low, high) in found.items():
            hits[name] += low < 3 < high
    assert 0.92 <= hits["clustered"] / 400 <= 0.98
    assert hits["bootstrap"] / 150 >= 0.90
    assert hits["plain"] / 400 < 0.75


def test_the_plain_interval_is_the_textbooks() -> None:
    values = np.array([3.0, 4, 4, 5, 2])
    half = student.ppf(0.975, 4) * values.std(ddof=1) / np.sqrt(5)
    assert plain_interval(values) == pytest.approx((3.6 - half, 3.6 + half))


def test_clusters_of_one_score_each_give_the_plain_interval() -> None:
    values = np.array([3.0, 4, 4, 5, 2])
    codes = np.arange(5)
    assert clustered_interval(values, codes, codes) == pytest.approx(plain_interval(values))
    assert clustered_interval(values, codes, np.zeros(5, int)) == pytest.approx(plain_interval(values))


def test_a_summary_counts_ratings_and_raters_and_sorts_by_mean() -> None:
    records = [OpinionScore(r, s, i, v) for r, s, i, v in [("a", "x", "1", 5), ("a", "y", "1", 2), ("b", "y", "1", 3)]]
    best, other = mean_opinions(frame_of(records))
    assert (best.system, best.mean, best.ratings, best.raters) == ("x", 5, 1, 1) and np.isnan(best.ci_low)
    assert (other.system, other.mean, other.ratings, other.raters) == ("y", 2.5, 2, 2)
    assert other.ci_low < 2.5 < other.ci_high
    assert mean_opinions(frame_of([])) == []


def test_krippendorffs_own_example() -> None:
    found = {scale: krippendorff_alpha(KRIPPENDORFF, scale) for scale in ("nominal", "ordinal", "interval")}  # type: ignore[arg-type]
    assert found == pytest.approx({"nominal": 0.743, "ordinal": 0.815, "interval": 0.849}, abs=6e-4)
    assert np.isnan(krippendorff_alpha(np.array([[1.0, N], [N, 2.0]])))


def test_shrout_and_fleiss_own_example() -> None:
    found = intraclass_correlation(SHROUT_FLEISS.astype(float))
    assert found is not None and (found.units, found.raters) == (6, 4)
    own = (found.one_way_1, found.random_1, found.fixed_1, found.one_way_k, found.random_k, found.fixed_k)
    assert own == pytest.approx((0.17, 0.29, 0.71, 0.44, 0.62, 0.91), abs=6e-3)
    assert intraclass_correlation(np.array([[1.0, 2.0]])) is None


def test_the_matrix_of_ratings_has_a_place_for_what_nobody_said() -> None:
    frame = frame_of([OpinionScore("a", "x", "1", 5), OpinionScore("b", "y", "1", 3), OpinionScore("b", "x", "1", 4)])
    np.testing.assert_array_equal(ratings_matrix(frame), [[5, N], [4, 3]])


def test_holm_and_hochberg_by_hand() -> None:
    given = [0.01, 0.04, 0.03, 0.005]
    np.testing.assert_allclose(adjusted_p_values(given, "holm"), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(adjusted_p_values(given, "hochberg"), [0.03, 0.04, 0.04, 0.02])


def test_paired_tests_find_a_difference_and_keep_their_level() -> None:
    found = 0
    for trial in range(40):
        rng = np.random.default_rng(trial)
        values, r, i = crossed(rng, raters=10, items=5)
        own = 0.4 * rng.normal(size=10)[r]  # a rater's own taste for y, 0 on average
        frames = [
            pd.DataFrame(
                {"rater": r, "item": i, "system": name, "score": values + more + 0.3 * rng.normal(size=len(r))}
            )
            for name, more in (("x", 0.0), ("y", own), ("z", 2.0))
        ]
        tests = {(test.system_a, test.system_b): test for test in paired_tests(pd.concat(frames))}
        found += tests["x", "y"].p_value < 0.05
        assert tests["x", "z"].adjusted < 0.001 and tests["x", "z"].difference == pytest.approx(-2, abs=0.3)
        assert tests["x", "y"].pairs == 10
    assert 0 < found <= 6
    assert all(test.p_value < 0.05 for test in paired_tests(pd.concat(frames), "wilcoxon") if test.system_b == "z")

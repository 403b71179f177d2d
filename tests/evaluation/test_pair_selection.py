from collections import Counter

import numpy as np
import pytest

from evaluation.bradley_terry import VoteTable, gibbs
from evaluation.calibration.selection import votes_needed
from evaluation.errors import InputError
from evaluation.pair_selection import information_of_pairs, next_pairs, normal_posterior, order_uncertainty


def table(wins: list[list[float]]) -> VoteTable:
    matrix = np.array(wins, dtype=float)
    return VoteTable(tuple("ABCDEF"[: len(matrix)]), matrix, 0 * matrix)


FIVE = table([[0, 9, 20, 30, 8], [7, 0, 12, 25, 9], [4, 6, 0, 10, 30], [1, 2, 9, 0, 20], [1, 3, 4, 12, 0]])


def test_the_normal_posterior_is_close_to_the_sampled_one() -> None:
    mean, covariance = normal_posterior(FIVE)
    sampled = gibbs(FIVE, np.random.default_rng(0))
    np.testing.assert_allclose(mean * 400 / np.log(10) + 2000, sampled.mean(), atol=12)
    spread = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]) * 400 / np.log(10)
    assert spread == pytest.approx((sampled.elo[:, 0] - sampled.elo[:, 1]).std(), rel=0.1)
    sums = normal_posterior(table([[0] * 3] * 3))[0]
    np.testing.assert_allclose(sums, 0, atol=1e-12)


def test_the_information_of_a_pair_is_what_its_votes_are_worth_on_average() -> None:
    """Against brute force: the entropy after each outcome, weighted by the chance of the outcome."""

    def entropy(mean: np.ndarray, covariance: np.ndarray) -> float:
        from scipy.special import ndtr

        i, j = np.triu_indices(len(mean), 1)
        p = ndtr((mean[i] - mean[j]) / np.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]))
        return float(-(p * np.log(p) + (1 - p) * np.log1p(-p)).sum())

    close = table([[0, 90, 80, 99], [85, 0, 90, 95], [81, 80, 0, 88], [70, 90, 85, 0]])  # one more vote moves little
    mean, covariance = normal_posterior(close)
    pairs, gain = information_of_pairs(mean, covariance)
    brute = []
    for i, j in pairs.T:
        chance = 1 / (1 + np.exp(mean[j] - mean[i]))
        weight = chance * (1 - chance)
        column = covariance[:, i] - covariance[:, j]
        after = covariance - np.outer(column, column) * weight / (1 + weight * (column[i] - column[j]))
        move = column / (1 + weight * (column[i] - column[j]))
        ends = [entropy(mean + move * (1 - chance), after), entropy(mean - move * chance, after)]
        brute.append(entropy(mean, covariance) - (chance * ends[0] + (1 - chance) * ends[1]))
    assert np.corrcoef(gain, brute)[0, 1] > 0.99
    np.testing.assert_allclose(gain.sum(), np.sum(brute), rtol=0.1)


def test_settled_pairs_are_left_alone_and_open_ones_are_asked() -> None:
    settled = table([[0, 99, 99, 99], [1, 0, 99, 99], [1, 1, 0, 50], [1, 1, 50, 0]])
    chosen = Counter(frozenset(pair) for pair in next_pairs(settled, 200, np.random.default_rng(0), floor=0.1))
    assert chosen[frozenset("CD")] > 120
    assert len(chosen) == 6  # the floor asks the others too


def test_until_all_are_joined_the_pairs_that_join_come_first() -> None:
    apart = table([[0, 5, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    for seed in range(10):
        first, second = next_pairs(apart, 2, np.random.default_rng(seed))
        groups = {"A": "AB", "B": "AB"}
        assert groups.get(first[0], first[0]) != groups.get(first[1], first[1])
        joined = {*first, *second}
        assert {"C", "D"} <= joined


def test_sides_are_balanced_and_a_seed_repeats_itself() -> None:
    pairs = next_pairs(FIVE, 300, np.random.default_rng(1))
    assert pairs == next_pairs(FIVE, 300, np.random.default_rng(1))
    assert 110 < sum(a < b for a, b in pairs) < 190
    assert all(a != b for a, b in pairs)


def test_one_system_has_no_pairs() -> None:
    with pytest.raises(InputError, match="two systems at least; there is one"):
        next_pairs(table([[0]]), 1, np.random.default_rng(0))


def test_uncertainty_is_a_half_without_votes_and_none_with_many() -> None:
    assert order_uncertainty(*normal_posterior(table([[0] * 3] * 3))) == pytest.approx(0.5)
    assert order_uncertainty(*normal_posterior(table([[0, 900, 900], [90, 0, 900], [9, 90, 0]]))) < 1e-6


def test_it_saves_votes_on_the_papers_ratings() -> None:
    found = votes_needed("table 4, enjoyment of music", budget=1000, runs=8, seed=0)
    assert found.active_votes <= 0.6 * found.uniform_votes

"""How many votes the choice of pairs saves against pairs drawn evenly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.bradley_terry import VoteTable
from evaluation.calibration.simulate import true_ratings, win_chance, wrong_order
from evaluation.pair_selection import next_pairs, normal_posterior, order_uncertainty

BATCH = 20


@dataclass(frozen=True)
class Saving:
    """Votes to the same certainty.

    Attributes:
        ratings: Name of the true ratings.
        uniform_votes: Votes given to pairs drawn evenly.
        uncertainty: Expected share of pairs in the wrong order that these leave, mean over runs.
        active_votes: Votes on chosen pairs after which never more was left, mean over runs.
        uniform_wrong: Share of pairs that the estimates put in the wrong order after the even votes.
        active_votes_for_order: Votes on chosen pairs after which that share was never larger.
        runs: Simulations of each.
    """

    ratings: str
    uniform_votes: int
    uncertainty: float
    active_votes: int
    uniform_wrong: float
    active_votes_for_order: int
    runs: int


def votes_needed(ratings: str, budget: int, runs: int, seed: int, theta: float = 1.0) -> Saving:
    """Simulate both ways of choosing pairs, with posteriors after every 20 votes.

    Args:
        ratings: Name of the true ratings.
        budget: Votes on pairs drawn evenly; a multiple of 20.
        runs: Simulations of each.
        seed: Of everything drawn.
        theta: Tie parameter of the truth.
    """
    truth = true_ratings(ratings)
    uniform, uniform_wrong = _course(truth, budget, runs, seed, theta, active=False)
    active, active_wrong = _course(truth, budget, runs, seed + 1, theta, active=True)
    return Saving(
        ratings,
        budget,
        float(uniform[-1]),
        _settled(active, uniform[-1]),
        float(uniform_wrong[-1]),
        _settled(active_wrong, uniform_wrong[-1]),
        runs,
    )


def _settled(course: np.ndarray, limit: float) -> int:
    """Votes after which a course stays within a limit; one batch more than all of them where it does not."""
    above = np.flatnonzero(course > limit)
    return BATCH * (int(above[-1]) + 2 if len(above) else 1)


def _course(
    truth: tuple[float, ...], budget: int, runs: int, seed: int, theta: float, active: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Expected and actual share of pairs in the wrong order after each batch, means over runs."""
    elo, n = np.array(truth), len(truth)
    names = tuple(map(str, range(n)))
    expected, actual = np.zeros((2, budget // BATCH))
    for rng in np.random.default_rng(seed).spawn(runs):
        table = VoteTable(names, np.zeros((n, n)), np.zeros((n, n)))
        for step in range(budget // BATCH):
            if active:
                shown = np.array([(int(a), int(b)) for a, b in next_pairs(table, BATCH, rng)])
            else:
                first = rng.integers(0, n, BATCH)
                shown = np.stack([first, (first + rng.integers(1, n, BATCH)) % n], axis=1)
            table = _voted(table, elo, shown, theta, rng)
            mean, covariance = normal_posterior(table)
            expected[step] += order_uncertainty(mean, covariance) / runs
            actual[step] += wrong_order(mean[None], truth)[0] / runs
    return expected, actual


def _voted(table: VoteTable, elo: np.ndarray, shown: np.ndarray, theta: float, rng: np.random.Generator) -> VoteTable:
    wins, ties = table.wins.copy(), table.ties.copy()
    a, b = shown.T
    draw = rng.random(len(a))
    win_a, win_b = win_chance(elo[a], elo[b], theta), win_chance(elo[b], elo[a], theta)
    for x, y, u, p, q in zip(a, b, draw, win_a, win_b, strict=True):
        if u < p:
            wins[x, y] += 1
        elif u < p + q:
            wins[y, x] += 1
        else:
            ties[x, y] += 1
            ties[y, x] += 1
    return VoteTable(table.systems, wins, ties)

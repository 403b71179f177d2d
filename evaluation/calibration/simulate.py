"""True ratings, and votes drawn from them.

Shapes: R runs, N systems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.bradley_terry.posterior import ELO_PER_NAT
from evaluation.errors import InputError
from evaluation.published import PAPER


@dataclass(frozen=True)
class Scenario:
    """What is simulated.

    Attributes:
        name: Of the set of ratings.
        elo: True Elo points, `N`.
        votes: Votes of each run.
        theta: Tie parameter; 1 for no ties, 1.5 for one vote in five between equals.
        unbalanced: Whether systems differ in how often they are shown, the most shown 9 times as often as the least.
    """

    name: str
    elo: tuple[float, ...]
    votes: int
    theta: float = 1.0
    unbalanced: bool = False


def true_ratings(name: str) -> tuple[float, ...]:
    """Ratings of a table of the paper, or `spread-N`: N systems evenly over 400 Elo points.

    Raises:
        InputError: An unknown name.
    """
    if name in PAPER:
        return tuple(row.elo for row in PAPER[name])
    kind, _, count = name.partition("-")
    if kind == "spread" and count.isdigit() and 2 <= int(count) <= 500:
        return tuple(np.linspace(1800, 2200, int(count)).tolist())
    raise InputError(
        f"There is no set of ratings '{name}': take spread-N (N from 2 to 500) or one of {'; '.join(PAPER)}."
    )


def win_chance(elo_a: np.ndarray, elo_b: np.ndarray, theta: float) -> np.ndarray:
    """P(a beats b) of the model with ties."""
    return 1 / (1 + theta * np.exp((elo_b - elo_a) / ELO_PER_NAT))


def pair_shares(n: int, unbalanced: bool) -> np.ndarray:
    """`[N, N]`, zero on the diagonal: the share of votes that shows the row as A and the column as B."""
    popularity = np.geomspace(1, 3, n) if unbalanced else np.ones(n)
    if unbalanced:
        popularity = popularity[(np.arange(n) * 7) % n] if n % 7 else popularity  # not in the order of the ratings
    share = np.outer(popularity, popularity)
    np.fill_diagonal(share, 0)
    return share / share.sum()


def simulate(scenario: Scenario, runs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the votes of many runs.

    Returns:
        Wins and ties, `[R, N, N]` each, as in a `VoteTable`.
    """
    elo = np.array(scenario.elo)
    n = len(elo)
    wins = win_chance(elo[:, None], elo[None, :], scenario.theta)
    share = pair_shares(n, scenario.unbalanced)
    cells = np.stack([share * wins, share * wins.T, share * (1 - wins - wins.T)])
    cells = np.maximum(cells, 0).ravel()
    drawn = rng.multinomial(scenario.votes, cells / cells.sum(), size=runs).reshape(runs, 3, n, n).astype(float)
    won_a, won_b, tied = drawn[:, 0], drawn[:, 1], drawn[:, 2]
    return won_a + won_b.transpose(0, 2, 1), tied + tied.transpose(0, 2, 1)


def centred(elo: np.ndarray) -> np.ndarray:
    """Ratings with mean 0 over the systems, the last axis: votes fix no more than that."""
    return elo - elo.mean(axis=-1, keepdims=True)


def wrong_order(elo: np.ndarray, truth: Sequence[float]) -> np.ndarray:
    """`[R]`: share of the pairs with different true ratings that the estimates `[R, N]` put in the wrong order."""
    i, j = np.triu_indices(len(truth), 1)
    true = np.array(truth)
    differ = true[i] != true[j]
    i, j = i[differ], j[differ]
    if not len(i):
        return np.zeros(len(elo))
    return ((elo[:, i] - elo[:, j]) * (true[i] - true[j]) <= 0).mean(axis=1)

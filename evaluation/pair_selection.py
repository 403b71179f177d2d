"""Which two systems to compare next, so that the order of all is known soonest.

The ratings' posterior is taken for normal, with mean m and covariance C of log strengths. A vote on i and j carries the
information w = p (1 - p), p being the chance that i wins, and moves the difference of every two systems k and l by an
amount whose variance is known before the vote is cast:

    v_kl = w c^2 / (1 + w C_dd)      c = covariance of the differences (i, j) and (k, l), C_dd variance of (i, j)

What is unknown about the order is the sum over pairs of the entropy of P(k above l) = Phi(z), z = mean / deviation of
the difference. To second order a vote lowers it by

    sum over kl of  phi(z)^2 v_kl / (2 C_kl Phi(z) Phi(-z))

The next pair is the one with the most of that, with two safeguards: until votes join all systems, pairs that join two
groups come first; and a share of all pairs is drawn evenly, so that no surprise stays hidden behind an early verdict.

Shapes: N systems, Q = N (N - 1) / 2 unordered pairs.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtr

from evaluation.bradley_terry import VoteTable
from evaluation.errors import InputError

FLOOR = 0.1


def normal_posterior(table: VoteTable, shape: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Mode and curvature of the posterior of the log strengths, a tie counting as half a win to each side.

    Args:
        table: The votes.
        shape: Of the Gamma prior of the strengths.

    Returns:
        Means `[N]` with sum 0 and covariance `[N, N]`, of which only contrasts mean anything.
    """
    n = len(table.systems)
    won, compared = table.won + table.tied / 2, table.compared
    log_s = np.zeros(n)
    hessian = np.eye(n)
    for _ in range(100):
        chance = 1 / (1 + np.exp(np.clip(log_s[None, :] - log_s[:, None], -700, 700)))
        share = np.exp(log_s - log_s.max())
        share /= share.sum()
        # the prior with its scale taken out: shares of a Dirichlet distribution
        gradient = won - (compared * chance).sum(axis=1) + shape * (1 - n * share)
        information = compared * chance * chance.T
        hessian = np.diag(information.sum(axis=1)) - information
        hessian += shape * n * (np.diag(share) - np.outer(share, share)) + np.ones((n, n)) / n
        step = np.linalg.solve(hessian, gradient)
        log_s = log_s + step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-12))
        log_s -= log_s.mean()
        if np.abs(step).max() < 1e-9:
            break
    return log_s, np.linalg.inv(hessian)


def information_of_pairs(mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What one vote on each pair is expected to tell about the order.

    Args:
        mean: `[N]`, of the log strengths.
        covariance: `[N, N]`.

    Returns:
        Pairs `[2, Q]` and expected fall of the order's entropy, `[Q]`, in nats.
    """
    pairs = np.stack(np.triu_indices(len(mean), 1))
    i, j = pairs
    of_difference = covariance[i] - covariance[j]  # [Q, N]
    variance = of_difference[np.arange(len(i)), i] - of_difference[np.arange(len(i)), j]
    difference = mean[i] - mean[j]
    z = difference / np.sqrt(variance)
    both = np.maximum(ndtr(z) * ndtr(-z), 1e-300)
    worth = np.exp(-(z**2)) / (2 * np.pi) / (2 * variance * both)  # phi(z)^2 / (2 C Phi Phi)
    chance = 1 / (1 + np.exp(-difference))
    weight = chance * (1 - chance)
    gain = np.empty(len(i))
    for start in range(0, len(i), 512):  # in parts: Q by Q numbers would not fit for hundreds of systems
        rows = slice(start, start + 512)
        shared = of_difference[rows][:, i] - of_difference[rows][:, j]
        gain[rows] = (shared**2) @ worth
    return pairs, weight * gain / (1 + weight * variance)


def order_uncertainty(mean: np.ndarray, covariance: np.ndarray) -> float:
    """Expected share of pairs whose order is wrong when systems are ordered by their means, 0 to one half."""
    i, j = np.triu_indices(len(mean), 1)
    variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
    return float(ndtr(-np.abs(mean[i] - mean[j]) / np.sqrt(variance)).mean())


def next_pairs(table: VoteTable, count: int, rng: np.random.Generator, floor: float = FLOOR) -> list[tuple[str, str]]:
    """Choose the next pairs, each in a random order of showing.

    Several at once differ from each other: after each choice the covariance is updated as if its vote were in.

    Args:
        table: The votes so far; systems without votes are in it.
        count: Number of pairs.
        rng: Source of the draws.
        floor: Share of pairs drawn evenly, 0 to 1.

    Raises:
        InputError: Fewer than two systems.
    """
    n = len(table.systems)
    if n < 2:
        raise InputError(f"Pairs need two systems at least; there {'is one' if n else 'is none'}.")
    assert 0 <= floor <= 1
    mean, covariance = normal_posterior(table)
    compared = table.compared.copy()
    chosen = []
    for _ in range(count):
        groups, label = connected_components(csr_array(compared), directed=False)
        if groups > 1:
            i, j = _joining_pair(compared, label, rng)
        elif rng.random() < floor:
            i, j = rng.choice(n, 2, replace=False)
        else:
            pairs, gain = information_of_pairs(mean, covariance)
            best = np.flatnonzero(gain >= gain.max() * (1 - 1e-9))
            i, j = pairs[:, rng.choice(best)]
        covariance = _after_a_vote(mean, covariance, i, j)
        compared[i, j] += 1
        compared[j, i] += 1
        shown = (i, j) if rng.random() < 0.5 else (j, i)
        chosen.append((table.systems[shown[0]], table.systems[shown[1]]))
    return chosen


def _joining_pair(compared: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """Two systems of two groups, those with the fewest votes."""
    votes = compared.sum(axis=1) + rng.random(len(label))  # ties broken at random
    i = int(votes.argmin())
    others = np.flatnonzero(label != label[i])
    return i, int(others[votes[others].argmin()])


def _after_a_vote(mean: np.ndarray, covariance: np.ndarray, i: int, j: int) -> np.ndarray:
    chance = 1 / (1 + np.exp(mean[j] - mean[i]))
    weight = chance * (1 - chance)
    column = covariance[:, i] - covariance[:, j]
    return covariance - np.outer(column, column) * weight / (1 + weight * (column[i] - column[j]))

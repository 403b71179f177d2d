"""Simulation-based calibration (Talts et al. 2018): the truth's rank among posterior draws must be uniform.

Truths are drawn from the prior, votes from the truths, and draws from the posterior of the votes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chisquare

from evaluation.bradley_terry import Votes
from evaluation.bradley_terry.gibbs import USUAL_PRIOR, Chains, PairCounts, Prior, Sampler
from evaluation.bradley_terry.hierarchical import (
    CARELESS_COUNTS,
    CARELESS_MEANS,
    POSITION_SHAPE,
    HierarchicalSampler,
    log_beta_draw,
)


@dataclass(frozen=True)
class RankTest:
    """Chi-square test of one parameter's ranks; a p-value above 0.01 finds nothing wrong."""

    parameter: str
    p_value: float
    counts: tuple[int, ...]


def _tested(names: list[str], ranks: np.ndarray, kept: int, bins: int) -> list[RankTest]:
    found = []
    for name, own in zip(names, ranks, strict=True):
        counts = np.bincount(own * bins // (kept + 1), minlength=bins)
        found.append(RankTest(name, float(chisquare(counts).pvalue), tuple(counts.tolist())))
    return found


def gibbs_ranks(
    runs: int,
    seed: int,
    systems: int = 4,
    votes: int = 60,
    kept: int = 19,
    thin: int = 40,
    bins: int = 20,
    assumed: Prior = USUAL_PRIOR,
) -> list[RankTest]:
    """Test the plain sampler; every run is a chain with votes of its own.

    Args:
        runs: Simulations.
        seed: Of everything drawn.
        systems: Systems of a run.
        votes: Votes of a run, evenly over pairs.
        kept: Draws that the truth is ranked among.
        thin: Sweeps between two of them; enough for a system that lost everything, or ranks come in clumps.
        bins: Classes of the test; a divisor of `kept + 1`.
        assumed: Prior of the sampler; one that is not the truths' must fail the test.
    """
    assert (kept + 1) % bins == 0
    rng = np.random.default_rng(seed)
    prior = USUAL_PRIOR
    truth = Chains(
        rng.standard_gamma(prior.shape, (runs, systems)), 1 + rng.standard_gamma(prior.tie_shape, runs) / prior.tie_rate
    )
    tables = []
    for strength, theta in zip(truth.strength, truth.theta, strict=True):
        first = rng.integers(0, systems, votes)
        second = (first + rng.integers(1, systems, votes)) % systems
        outcome = _outcomes(strength[first], strength[second], np.full(votes, theta), rng)
        tables.append(Votes(tuple(map(str, range(systems))), first, second, outcome).table())
    counts = PairCounts.of(np.stack([t.wins for t in tables]), np.stack([t.ties for t in tables]))
    sampler = Sampler(counts, assumed)
    at, _, _ = sampler.run(sampler.start(runs, rng), 500, rng)

    def parameters(chains: Chains) -> np.ndarray:
        logs = np.log(chains.strength)
        return np.stack([logs[:, 0] - logs[:, 1], logs[:, 0] - logs.mean(axis=1), chains.theta])

    ranks = np.zeros((3, runs), dtype=int)
    for _ in range(kept):
        for _ in range(thin):
            at = sampler.sweep(at, rng)
        ranks += parameters(at) < parameters(truth)
    return _tested(["difference of two ratings", "rating above the mean", "theta"], ranks, kept, bins)


def hierarchical_ranks(
    runs: int, seed: int, raters: int = 5, each: int = 12, kept: int = 19, thin: int = 60, bins: int = 10
) -> list[RankTest]:
    """Test the sampler with raters, one run after the other.

    Args:
        runs: Simulations.
        seed: Of everything drawn.
        raters: Raters of a run.
        each: Votes of a rater.
        kept: Draws that the truth is ranked among.
        thin: Sweeps between two of them.
        bins: Classes of the test; a divisor of `kept + 1`.
    """
    assert (kept + 1) % bins == 0
    rng = np.random.default_rng(seed)
    prior, systems = USUAL_PRIOR, 3
    ranks = np.zeros((4, runs), dtype=int)
    for run in range(runs):
        strength = rng.standard_gamma(prior.shape, systems)
        theta = 1 + rng.standard_gamma(prior.tie_shape) / prior.tie_rate
        phi = rng.standard_gamma(POSITION_SHAPE) / POSITION_SHAPE
        mean, count = rng.choice(CARELESS_MEANS), rng.choice(CARELESS_COUNTS)
        share = np.full(raters, mean * count), np.full(raters, (1 - mean) * count)
        log_careless, _ = log_beta_draw(*share, rng)
        habit = rng.dirichlet(np.ones(3), size=raters)
        rater = np.repeat(np.arange(raters), each)
        first = rng.integers(0, systems, len(rater))
        second = (first + rng.integers(1, systems, len(rater))) % systems
        outcome = _outcomes(phi * strength[first], strength[second], np.full(len(rater), theta), rng)
        idle = rng.random(len(rater)) < np.exp(log_careless)[rater]
        habits = (rng.random(len(rater))[:, None] > habit[rater].cumsum(axis=1)[:, :2]).sum(axis=1)
        outcome = np.where(idle, habits, outcome)
        names = tuple(map(str, range(systems))), tuple(map(str, range(raters)))
        sampler = HierarchicalSampler(Votes(names[0], first, second, outcome, names[1], rater), prior)
        at = sampler.start(1, rng)
        for _ in range(400):
            at = sampler.sweep(at, rng)
        truth = np.array([np.log(strength[0] / strength[1]), theta, phi, log_careless[0]])
        for _ in range(kept):
            for _ in range(thin):
                at = sampler.sweep(at, rng)
            own = np.log(at.strength[0, 0] / at.strength[0, 1])
            ranks[:, run] += np.array([own, at.theta[0], at.phi[0], at.log_careless[0, 0]]) < truth
    return _tested(["difference of two ratings", "theta", "phi", "care of a rater"], ranks, kept, bins)


def _outcomes(a: np.ndarray, b: np.ndarray, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    draw = rng.random(len(a))
    win_a, win_b = a / (a + theta * b), b / (b + theta * a)
    return np.where(draw < win_a, 0, np.where(draw < win_a + win_b, 1, 2))

"""Raters who differ in care, and a side that is preferred for being there: a Gibbs sampler over every rater's votes.

A vote of rater r is given with care with probability 1 - e_r, and then follows the model of `gibbs` in which the system
shown first has its strength multiplied by phi; otherwise it is drawn from the rater's own habit q_r over (a, b, tie),
which says nothing about the systems. So a careless rater, or one who always presses the same key, weighs less, by as
much as the votes show.

    e_r ~ Beta(m k, (1 - m) k), with m and k on grids even in their logarithms; q_r ~ Dirichlet(1, 1, 1)
    phi ~ Gamma(10, 10); l and theta as in `gibbs`

Given which votes were given with care, everything is conjugate; how many of a rater's equal votes were, is binomial.

Shapes: C chains, N systems, R raters, E pairs in their order of showing, K cells (rater, pair, outcome).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import betaln

from evaluation.bradley_terry.diagnostics import judge
from evaluation.bradley_terry.gibbs import USUAL_PRIOR, Prior, draw_tie_parameter, not_converged, rescale
from evaluation.bradley_terry.posterior import CENTRE, ELO_PER_NAT, RatingPosterior
from evaluation.bradley_terry.votes import Votes
from evaluation.errors import InputError

POSITION_SHAPE = 10.0
CARELESS_MEANS = np.geomspace(0.005, 0.5, 20)
CARELESS_COUNTS = np.geomspace(1, 64, 7)


def _sums(rows: np.ndarray, size: int) -> csr_array:
    """The matrix that sums cells into rows."""
    return csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(size, len(rows)))


def log_beta_draw(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of x and of 1 - x for x ~ Beta(a, b); a share of 10^-40 is kept apart from none."""
    # G(a) = G(a + 1) U^(1/a) in logarithms
    log_a, log_b = (np.log(rng.standard_gamma(c + 1)) - rng.standard_exponential(c.shape) / c for c in (a, b))
    total = np.logaddexp(log_a, log_b)
    return log_a - total, log_b - total


@dataclass
class _State:
    strength: np.ndarray  # [C, N]
    theta: np.ndarray  # [C]
    phi: np.ndarray  # [C]
    log_careless: np.ndarray  # [C, R], log e_r
    log_careful: np.ndarray  # [C, R], log (1 - e_r)
    habit: np.ndarray  # [C, R, 3]
    mean: np.ndarray  # [C]
    count: np.ndarray  # [C]


class HierarchicalSampler:
    """Sweeps over one set of votes."""

    def __init__(self, votes: Votes, prior: Prior):
        assert votes.rater is not None
        weight = np.ones(len(votes.first)) if votes.weight is None else votes.weight
        keys = np.stack([votes.rater, votes.first, votes.second, votes.outcome])
        cells, where = np.unique(keys, axis=1, return_inverse=True)
        times = np.bincount(where.reshape(-1), weights=weight, minlength=cells.shape[1])
        if (times != np.round(times)).any():
            raise InputError("Votes with raters need whole weights: a rater's equal votes must add up to a count.")
        self.times = times.astype(np.int64)
        self.prior, self.n, self.r = prior, len(votes.systems), len(votes.raters)
        self.rater, first, second, self.outcome = cells
        pairs, self.pair = np.unique(np.stack([first, second]), axis=1, return_inverse=True)
        self.pair = self.pair.reshape(-1)
        self.first, self.second = pairs
        self._by_rater = _sums(self.rater, self.r)
        self._by_habit = _sums(self.rater * 3 + self.outcome, self.r * 3)
        n_pairs = pairs.shape[1]
        self._first_not_lost = _sums(self.pair, n_pairs) * (self.outcome != 1)
        self._second_not_lost = _sums(self.pair, n_pairs) * (self.outcome != 0)
        self._sum_first, self._sum_second = _sums(self.first, self.n), _sums(self.second, self.n)
        means, counts = np.meshgrid(CARELESS_MEANS, CARELESS_COUNTS, indexing="ij")
        self._grid_a, self._grid_b = (means * counts).ravel(), ((1 - means) * counts).ravel()

    def start(self, chains: int, rng: np.random.Generator) -> _State:
        """Chains dispersed over the prior."""
        strength = rng.standard_gamma(self.prior.shape, size=(chains, self.n)) + 1e-9
        logs = log_beta_draw(np.ones((chains, self.r)), np.full((chains, self.r), 9.0), rng)
        theta = 1 + rng.standard_gamma(self.prior.tie_shape, size=chains) / self.prior.tie_rate
        return _State(
            strength,
            theta,
            rng.standard_gamma(POSITION_SHAPE, size=chains) / POSITION_SHAPE,
            *logs,
            rng.dirichlet(np.ones(3), size=(chains, self.r)),
            np.full(chains, 0.1),
            np.full(chains, 10.0),
        )

    def sweep(self, at: _State, rng: np.random.Generator) -> _State:
        """Move every chain by one sweep."""
        theta, phi = at.theta[:, None], at.phi[:, None]
        a, b = at.strength[:, self.first], at.strength[:, self.second]
        rate_a, rate_b = phi * a + theta * b, b + theta * phi * a
        chance_a, chance_b = phi * a / rate_a, b / rate_b
        chance = np.stack([chance_a, chance_b, np.maximum(1 - chance_a - chance_b, 0)], axis=2)

        careful = np.exp(at.log_careful)[:, self.rater] * chance[:, self.pair, self.outcome]
        idle = np.exp(at.log_careless)[:, self.rater] * at.habit[:, self.rater, self.outcome]
        meant = rng.binomial(self.times, careful / (careful + idle + 1e-300)).astype(float)  # [C, K]
        idle_votes = self.times - meant

        careless_r, careful_r = (self._by_rater @ idle_votes.T).T, (self._by_rater @ meant.T).T
        a0, b0 = (at.mean * at.count)[:, None], ((1 - at.mean) * at.count)[:, None]
        careless, care = log_beta_draw(a0 + careless_r, b0 + careful_r, rng)
        habit = rng.standard_gamma(1 + (self._by_habit @ idle_votes.T).T).reshape(len(a), self.r, 3)
        habit /= habit.sum(axis=2, keepdims=True)
        mean, count = self._draw_population(careless, care, rng)

        s_a, s_b = (self._first_not_lost @ meant.T).T, (self._second_not_lost @ meant.T).T
        z_a, z_b = rng.standard_gamma(s_a) / rate_a, rng.standard_gamma(s_b) / rate_b
        shape = self.prior.shape + (self._sum_first @ s_a.T).T + (self._sum_second @ s_b.T).T
        rate = 1 + phi * (self._sum_first @ (z_a + theta * z_b).T).T + (self._sum_second @ (theta * z_a + z_b).T).T
        strength = rng.standard_gamma(shape) / rate
        a, b = strength[:, self.first], strength[:, self.second]

        phi_rate = POSITION_SHAPE + (a * (z_a + theta * z_b)).sum(axis=1)
        phi = rng.standard_gamma(POSITION_SHAPE + s_a.sum(axis=1)) / phi_rate
        ties = meant[:, self.outcome == 2].sum(axis=1)
        exposure = (z_a * b + z_b * phi[:, None] * a).sum(axis=1)
        drawn = draw_tie_parameter(ties, exposure, self.prior, rng)
        return _State(rescale(strength, self.prior, rng), drawn, phi, careless, care, habit, mean, count)

    def _draw_population(
        self, log_careless: np.ndarray, log_careful: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw how careless raters are on the whole from the grid of Beta densities."""
        ups, downs = log_careless.sum(axis=1), log_careful.sum(axis=1)
        density = ups[:, None] * (self._grid_a - 1) + downs[:, None] * (self._grid_b - 1)
        density -= self.r * betaln(self._grid_a, self._grid_b)
        picked = (density + rng.gumbel(size=density.shape)).argmax(axis=1)
        count = self._grid_a[picked] + self._grid_b[picked]
        return self._grid_a[picked] / count, count


def hierarchical(
    votes: Votes,
    rng: np.random.Generator,
    draws: int = 2000,
    prior: Prior = USUAL_PRIOR,
    chains: int = 4,
    max_sweeps: int = 64_000,
) -> RatingPosterior:
    """Draw from the posterior of ratings, raters' care and the preference for the system shown first.

    Args:
        votes: Votes with their raters; A is the system shown first.
        rng: Source of the draws.
        draws: Draws returned.
        prior: Of the strengths and of the tie parameter.
        chains: Chains, started apart from each other.
        max_sweeps: Sweeps of a chain at most.

    Returns:
        The posterior; `extra` holds `reliability`, `[D, R]`, the share of votes that each rater gave with care, and
        `position`, `[D]`, Elo points that being shown first is worth.

    Raises:
        NotConverged: The chains did not agree within `max_sweeps`.
        InputError: A weight that is no whole number.
    """
    sampler = HierarchicalSampler(votes, prior)
    n, r = sampler.n, sampler.r
    at = sampler.start(chains, rng)
    for _ in range(300):
        at = sampler.sweep(at, rng)
    names = [*votes.systems, "position", "theta"]
    kept = np.empty((chains, 0, n + 2 + r))  # log strength, log phi, log theta, care
    while True:
        more = np.empty((chains, max(-(-draws // chains), kept.shape[1]), kept.shape[2]))
        for k in range(more.shape[1]):
            at = sampler.sweep(at, rng)
            logs = np.log(at.strength)
            tail = [np.log(at.phi)[:, None], np.log(at.theta)[:, None], np.exp(at.log_careful)]
            more[:, k] = np.concatenate([logs - logs.mean(axis=1, keepdims=True), *tail], axis=1)
        kept = np.concatenate([kept, more], axis=1)
        looked_at = slice(0 if n > 1 else n, n + 2)
        found = judge(kept[..., looked_at], names[looked_at])
        if found.r_hat <= 1.01 and found.effective_draws >= 100 * chains:
            break
        if 2 * kept.shape[1] > max_sweeps:
            raise not_converged(found)
    picked = np.linspace(0, chains * kept.shape[1] - 1, draws).round().astype(int)
    flat = kept.reshape(-1, kept.shape[2])[picked]
    extra = {"reliability": flat[:, n + 2 :], "position": ELO_PER_NAT * flat[:, n]}
    elo = ELO_PER_NAT * flat[:, :n] + CENTRE
    return RatingPosterior(votes.systems, elo, np.exp(flat[:, n + 1]), found, extra)

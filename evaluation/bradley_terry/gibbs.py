"""The full posterior of the ratings by Gibbs sampling (Caron and Doucet 2010, with ties after Rao and Kupper 1967).

    P(i beats j) = l_i / (l_i + theta l_j)      P(tie) = (theta^2 - 1) l_i l_j / ((l_i + theta l_j)(l_j + theta l_i))

One sweep, with s_ij the votes in which i beat j or tied with it and T the ties in all:

    Z_ij  ~ Gamma(s_ij, l_i + theta l_j)
    l_i   ~ Gamma(a + sum s_ij, b + sum (Z_ij + theta Z_ji))
    theta - 1 = d, with density d^(T + a_t - 1) (d + 2)^T exp(-(b_t + sum Z_ij l_j) d): exact, by rejection from a Gamma
    sum of l ~ Gamma(N a, b), the shares kept: votes say nothing about the scale, which would otherwise wander slowly

Votes fix only differences of ratings, so every draw is centred on one mean. The prior l ~ Gamma(1, .) puts a system
within 200 Elo or so of the others until votes say more: wide beside any interval worth reading, and narrow enough that
a system that won or lost everything has a finite rating. Without votes, and across groups that no vote joins, the
posterior is this prior. The prior of theta keeps ties possible where none has been seen yet.

Shapes: C chains, P ordered pairs of systems with votes, N systems. Chains may carry different votes of the same pairs,
which makes simulations by the hundred one computation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from evaluation.bradley_terry.diagnostics import NotConverged, judge
from evaluation.bradley_terry.posterior import CENTRE, ELO_PER_NAT, Convergence, RatingPosterior
from evaluation.bradley_terry.votes import VoteTable


@dataclass(frozen=True)
class Prior:
    """Gamma priors: of the strengths by `shape` (their scale is free), of `theta - 1` by `tie_shape` and `tie_rate`."""

    shape: float = 1.0
    tie_shape: float = 1.0
    tie_rate: float = 1.0

    def __post_init__(self) -> None:
        assert min(self.shape, self.tie_shape, self.tie_rate) > 0


USUAL_PRIOR = Prior()


@dataclass
class Chains:
    """Where each chain is.

    Attributes:
        strength: `[C, N]`.
        theta: `[C]`.
    """

    strength: np.ndarray
    theta: np.ndarray


@dataclass(frozen=True)
class PairCounts:
    """Votes by ordered pair.

    Attributes:
        i, j: `[P]`; systems of each ordered pair.
        not_lost: `[C or 1, P]`; votes in which i beat j or tied with it.
        ties: `[C or 1]`; ties in all.
        n: Number of systems.
    """

    i: np.ndarray
    j: np.ndarray
    not_lost: np.ndarray
    ties: np.ndarray
    n: int

    @classmethod
    def of(cls, wins: np.ndarray, ties: np.ndarray) -> PairCounts:
        """Take the pairs that have votes out of tables `[C, N, N]`."""
        not_lost = wins + ties
        i, j = np.nonzero(not_lost.any(axis=0))
        return cls(i, j, not_lost[:, i, j], ties.sum(axis=(1, 2)) / 2, wins.shape[-1])


def draw_tie_parameter(ties: np.ndarray, exposure: np.ndarray, prior: Prior, rng: np.random.Generator) -> np.ndarray:
    """Draw theta with density (d)^(T + a_t - 1) (d + 2)^T exp(-(b_t + exposure) d) of d = theta - 1, exactly.

    log(d + 2) lies below each of its tangents, so a Gamma density lies above this one; the tangent is taken near the
    mode, where the two touch, and most proposals are accepted.

    Args:
        ties: `[C]` or `[1]`, T.
        exposure: `[C]`, the sum of Z_ij l_j.
        prior: Of theta.
        rng: Source of the draws.

    Returns:
        theta, `[C]`.
    """
    shape = ties + prior.tie_shape + np.zeros_like(exposure)
    ties = ties + np.zeros_like(exposure)
    rate = prior.tie_rate + exposure
    # the point m with shape / m + T / (m + 2) = rate
    half = (2 * rate - shape - ties) / (2 * rate)
    m = -half + np.sqrt(half**2 + 2 * shape / rate)
    excess = np.empty_like(exposure)
    waiting = np.arange(len(exposure))
    while len(waiting):
        at, t = m[waiting], ties[waiting]
        d = rng.standard_gamma(shape[waiting]) * at / shape[waiting]
        accept = t * (np.log((d + 2) / (at + 2)) - (d - at) / (at + 2)) > -rng.standard_exponential(len(waiting))
        excess[waiting[accept]] = d[accept]
        waiting = waiting[~accept]
    return 1 + excess


def rescale(strength: np.ndarray, prior: Prior, rng: np.random.Generator) -> np.ndarray:
    """Draw the sum of the strengths from its prior, each chain's shares kept; `[C, N]` in and out."""
    total = rng.standard_gamma(prior.shape * strength.shape[1], size=len(strength))
    return strength * (total / strength.sum(axis=1))[:, None]


class Sampler:
    """Sweeps over one set of votes."""

    def __init__(self, counts: PairCounts, prior: Prior):
        self.counts, self.prior = counts, prior
        pairs = np.arange(len(counts.i))
        ones = np.ones(len(pairs))
        self._sum_i = csr_array((ones, (counts.i, pairs)), shape=(counts.n, len(pairs)))
        self._sum_j = csr_array((ones, (counts.j, pairs)), shape=(counts.n, len(pairs)))
        self._shape = prior.shape + (self._sum_i @ counts.not_lost.T).T

    def start(self, chains: int, rng: np.random.Generator) -> Chains:
        """Chains dispersed over the prior."""
        strength = rng.standard_gamma(self.prior.shape, size=(chains, self.counts.n)) + 1e-9
        theta = 1 + rng.standard_gamma(self.prior.tie_shape, size=chains) / self.prior.tie_rate
        return Chains(strength, theta)

    def sweep(self, at: Chains, rng: np.random.Generator) -> Chains:
        """Move every chain by one sweep."""
        counts, theta = self.counts, at.theta[:, None]
        other = at.strength[:, counts.j]
        z = rng.standard_gamma(np.broadcast_to(counts.not_lost, other.shape))
        z /= at.strength[:, counts.i] + theta * other
        rate = 1 + (self._sum_i @ z.T).T + theta * (self._sum_j @ z.T).T
        strength = rng.standard_gamma(np.broadcast_to(self._shape, rate.shape)) / rate
        exposure = (z * strength[:, counts.j]).sum(axis=1)
        drawn = draw_tie_parameter(counts.ties, exposure, self.prior, rng)
        return Chains(rescale(strength, self.prior, rng), drawn)

    def run(self, at: Chains, sweeps: int, rng: np.random.Generator) -> tuple[Chains, np.ndarray, np.ndarray]:
        """Sweep and keep.

        Returns:
            The chains' end, centred Elo `[C, sweeps, N]` and theta `[C, sweeps]`.
        """
        elo = np.empty((len(at.theta), sweeps, self.counts.n))
        theta = np.empty((len(at.theta), sweeps))
        for k in range(sweeps):
            at = self.sweep(at, rng)
            elo[:, k] = at.strength
            theta[:, k] = at.theta
        return at, centred_elo(elo), theta


def centred_elo(strength: np.ndarray) -> np.ndarray:
    """Elo points with mean 2000 over the systems, the last axis."""
    logs = np.log(strength)
    return ELO_PER_NAT * (logs - logs.mean(axis=-1, keepdims=True)) + CENTRE


def gibbs(
    table: VoteTable,
    rng: np.random.Generator,
    draws: int = 2000,
    prior: Prior = USUAL_PRIOR,
    chains: int = 4,
    max_sweeps: int = 32_000,
) -> RatingPosterior:
    """Draw from the posterior of the ratings.

    The chains are lengthened until they agree (R-hat at most 1.01) and are worth 100 independent draws each; the draws
    returned are spread evenly over them.

    Args:
        table: The votes; of no votes and of one system too.
        rng: Source of the draws.
        draws: Draws returned.
        prior: Of the strengths and of the tie parameter.
        chains: Chains, started apart from each other.
        max_sweeps: Sweeps of a chain at most.

    Raises:
        NotConverged: The chains did not agree within `max_sweeps`.
    """
    n = len(table.systems)
    if n == 0:
        return RatingPosterior((), np.empty((draws, 0)), np.ones(draws))
    sampler = Sampler(PairCounts.of(table.wins[None], table.ties[None]), prior)
    at, _, _ = sampler.run(sampler.start(chains, rng), 200, rng)
    names = [*table.systems, "theta"] if n > 1 else ["theta"]
    elo, theta = np.empty((chains, 0, n)), np.empty((chains, 0))
    while True:
        more = max(-(-draws // chains), elo.shape[1])
        at, more_elo, more_theta = sampler.run(at, more, rng)
        elo, theta = np.concatenate([elo, more_elo], axis=1), np.concatenate([theta, more_theta], axis=1)
        looked_at = np.concatenate([elo if n > 1 else elo[..., :0], np.log(theta)[..., None]], axis=2)
        found = judge(looked_at, names)
        if found.r_hat <= 1.01 and found.effective_draws >= 100 * chains:
            break
        if 2 * elo.shape[1] > max_sweeps:
            raise not_converged(found)
    picked = np.linspace(0, chains * elo.shape[1] - 1, draws).round().astype(int)
    return RatingPosterior(table.systems, elo.reshape(-1, n)[picked], theta.reshape(-1)[picked], found)


def not_converged(found: Convergence) -> NotConverged:
    """The error that says what did not settle."""
    return NotConverged(
        f"After {found.sweeps} sweeps the chains disagree on {found.worst} (R-hat {found.r_hat:.3f}, "
        f"{found.effective_draws:.0f} effective draws): add votes that join it to the others or allow more sweeps."
    )

"""The paper's rating: equations 9 and 10 of CALM, App. G.3 (Rouard et al. 2025; after Caron and Doucet 2010).

    S_A <- (alpha + w_A) / (beta + sum over B of n_AB / (S_A + S_B))          30 times from S = 1
    E_A  = 400 log10(S_A) + 2000

A tie is half a win to each side. Equation 10 prints w_AB where n_AB is meant: S must be the mean of its own Gamma
posterior, as the text around it says. Opponents stand still inside that posterior, so its intervals are too narrow;
`python -m evaluation calibrate` prints by how much.

Every case has a value: a system without votes stays at 2000; one that won or lost everything is held by the prior;
groups that no vote joins are each pulled to the prior, and differences across them mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from evaluation.bradley_terry.posterior import CENTRE, ELO_PER_NAT, RatingPosterior
from evaluation.bradley_terry.votes import VoteTable


@dataclass(frozen=True)
class FixedPoint:
    """Gamma posteriors of the strengths S, each with its opponents held at their estimates.

    Attributes:
        systems: Names, `N`.
        shape, rate: `[N]`, of the Gamma posteriors (equation 10); S is their mean.
        constant: c of the Elo scale.
    """

    systems: tuple[str, ...]
    shape: np.ndarray
    rate: np.ndarray
    constant: float = CENTRE

    @property
    def strength(self) -> np.ndarray:
        """`[N]`: S of equation 9."""
        return self.shape / self.rate

    @property
    def elo(self) -> np.ndarray:
        """`[N]`: Elo points."""
        return ELO_PER_NAT * np.log(self.strength) + self.constant

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """`[N]` and `[N]`: quantiles of the Gamma posterior as Elo points."""
        low, high = (gammaincinv(self.shape, tail) / self.rate for tail in ((1 - level) / 2, (1 + level) / 2))
        return ELO_PER_NAT * np.log(low) + self.constant, ELO_PER_NAT * np.log(high) + self.constant

    def posterior(self, rng: np.random.Generator, draws: int = 4000) -> RatingPosterior:
        """Independent draws of the Gamma posteriors, for ranks and probabilities."""
        # the logarithm of a Gamma draw of small shape, without underflow: G(a) = G(a + 1) U^(1/a)
        log_s = np.log(rng.standard_gamma(self.shape + 1, size=(draws, len(self.systems))))
        log_s -= rng.standard_exponential(log_s.shape) / self.shape + np.log(self.rate)
        return RatingPosterior(self.systems, ELO_PER_NAT * log_s + self.constant, np.ones(draws))


def iterate(
    won: np.ndarray, compared: np.ndarray, alpha: float, beta: float, iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    """Equation 9 on any number of vote tables at once.

    Args:
        won: `[..., N]`, a tie as half a win.
        compared: `[..., N, N]`, symmetric, zero on the diagonal.
        alpha: Shape of the Gamma prior.
        beta: Rate of the Gamma prior.
        iterations: Updates from S = 1, at least one.

    Returns:
        Shape and rate of the Gamma posteriors, `[..., N]` each; S is their quotient.
    """
    assert iterations > 0
    shape = alpha + won
    rate = np.ones_like(shape)
    strength = np.ones_like(shape)
    for _ in range(iterations):
        rate = beta + (compared / (strength[..., :, None] + strength[..., None, :])).sum(axis=-1)
        strength = shape / rate
    return shape, rate


def fixed_point(
    table: VoteTable, alpha: float = 0.1, beta: float = 0.1, constant: float = CENTRE, iterations: int = 30
) -> FixedPoint:
    """Rate systems by the paper's fixed point.

    With `alpha = beta = 0` and many iterations it is the maximum-likelihood estimate by minorisation-maximisation
    (Hunter 2004), which exists where no group of systems lost everything to the others.

    Args:
        table: The votes.
        alpha: Shape of the Gamma prior of S.
        beta: Rate of the Gamma prior of S.
        constant: Elo of S = 1.
        iterations: Updates; the paper makes 30.
    """
    shape, rate = iterate(table.won + table.tied / 2, table.compared, alpha, beta, iterations)
    return FixedPoint(table.systems, shape, rate, constant)

"""What draws of the ratings say: ratings, ranks, and who beats whom.

Shapes: D draws, N systems.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

ELO_PER_NAT = 400 / np.log(10)  # equation 7 of CALM, App. G.3
CENTRE = 2000.0


@dataclass(frozen=True)
class Convergence:
    """How far chains can be trusted: the worst of all parameters.

    Attributes:
        r_hat: Largest rank-normalised split R-hat (Vehtari et al. 2021); 1 is perfect.
        effective_draws: Smallest effective sample size.
        sweeps: Sweeps of each chain, warm-up left out.
        worst: The parameter with the largest R-hat.
    """

    r_hat: float
    effective_draws: float
    sweeps: int
    worst: str


@dataclass(frozen=True)
class RatingPosterior:
    """Draws from the posterior of the ratings.

    Attributes:
        systems: Names, `N`.
        elo: `[D, N]`.
        theta: `[D]`, the tie parameter, 1 where ties are not modelled: P(i beats j) = S_i / (S_i + theta S_j).
        convergence: Of the chains; None where the draws are independent.
        extra: Draws of further parameters by name, the first axis D.
    """

    systems: tuple[str, ...]
    elo: np.ndarray
    theta: np.ndarray
    convergence: Convergence | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def mean(self) -> np.ndarray:
        """`[N]`: the posterior mean."""
        return self.elo.mean(axis=0)

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """`[N]` and `[N]`: the ends of the equal-tailed interval."""
        low, high = np.quantile(self.elo, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    def ranks(self) -> np.ndarray:
        """`[D, N]`: each system's rank in each draw, 1 for the best."""
        order = np.argsort(-self.elo, axis=1, kind="stable")
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(1, len(self.systems) + 1)[None, :], axis=1)
        return ranks

    def rank_interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """`[N]` and `[N]`: the best and the worst rank that the votes leave open."""
        tails = [(1 - level) / 2, (1 + level) / 2]
        best, worst = np.quantile(self.ranks(), tails, axis=0, method="inverted_cdf")
        return best.astype(int), worst.astype(int)

    def best_probability(self) -> np.ndarray:
        """`[N]`: the probability of being the best of all."""
        return np.bincount(self.elo.argmax(axis=1), minlength=len(self.systems)) / len(self.elo)

    def order_probability(self) -> np.ndarray:
        """`[N, N]`: the probability that the row's rating is above the column's; one half on the diagonal."""
        above = np.stack([(self.elo[:, [i]] > self.elo).mean(axis=0) for i in range(len(self.systems))])
        np.fill_diagonal(above, 0.5)
        return above

    def win_probability(self) -> np.ndarray:
        """`[N, N]`: the probability that the next listener prefers the row to the column (equation 8, with ties)."""
        return np.stack([self._against(i) for i in range(len(self.systems))])

    def tie_probability(self) -> np.ndarray:
        """`[N, N]`: the probability that the next listener calls the two equal."""
        wins = self.win_probability()
        return 1 - wins - wins.T

    def _against(self, i: int) -> np.ndarray:
        margin = (self.elo - self.elo[:, [i]]) / ELO_PER_NAT + np.log(self.theta)[:, None]
        chance = 1 / (1 + np.exp(np.clip(margin, -700, 700)))
        chance[:, i] = 1 / (1 + self.theta)
        return chance.mean(axis=0)

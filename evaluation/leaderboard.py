"""Votes to a ranked table: one call for each way of rating.

Shapes: D draws, N systems.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from evaluation.bradley_terry import RatingPosterior, Votes, VoteTable, fixed_point, gibbs, hierarchical

Method = Literal["fixed-point", "gibbs", "hierarchical"]
METHODS: tuple[Method, ...] = ("fixed-point", "gibbs", "hierarchical")


@dataclass(frozen=True)
class Standing:
    """One system's place.

    Attributes:
        system: Name.
        elo, ci_low, ci_high: Elo points: estimate and 95 % interval.
        rank: 1 for the best; equal estimates share the better rank.
        rank_low, rank_high: Best and worst rank that the votes leave open, 95 %.
        best: Probability of being the best of all.
        wins, losses, ties, comparisons: Weight of the votes.
    """

    system: str
    elo: float
    ci_low: float
    ci_high: float
    rank: int
    rank_low: int
    rank_high: int
    best: float
    wins: float
    losses: float
    ties: float
    comparisons: float


@dataclass(frozen=True)
class Leaderboard:
    """Standings, best first, and the posterior they come from (its systems in the order of the votes)."""

    method: Method
    standings: tuple[Standing, ...]
    posterior: RatingPosterior
    groups: tuple[tuple[str, ...], ...]
    raters: tuple[str, ...] = ()

    def details(self) -> dict[str, Any]:
        """Everything beside the table, for JSON: standings, matrices in the order of `systems`, convergence."""
        convergence = self.posterior.convergence
        found: dict[str, Any] = {
            "method": self.method,
            "standings": [asdict(standing) for standing in self.standings],
            "systems": list(self.posterior.systems),
            "probability_above": self.posterior.order_probability().tolist(),
            "win_probability": self.posterior.win_probability().tolist(),
            "tie_probability": self.posterior.tie_probability().tolist(),
            "groups": [list(group) for group in self.groups],
            "convergence": None if convergence is None else asdict(convergence),
        }
        if "reliability" in self.posterior.extra:
            care = self.posterior.extra["reliability"].mean(axis=0)
            found["reliability"] = dict(zip(self.raters, care.tolist(), strict=True))
            side = self.posterior.extra["position"]
            found["first_shown_elo"] = [float(side.mean()), *np.quantile(side, [0.025, 0.975]).tolist()]
        return found


def rank_systems(votes: Votes, method: Method = "fixed-point", seed: int = 0, draws: int = 4000) -> Leaderboard:
    """Rate the systems of some votes.

    Args:
        votes: The votes; none at all gives an empty or a level table.
        method: `fixed-point` (the paper's), `gibbs` (full posterior with ties) or `hierarchical` (with raters).
        seed: Of every draw.
        draws: Draws for ranks and probabilities.

    Raises:
        NotConverged: The chains of a Gibbs sampler did not agree.
    """
    rng = np.random.default_rng(seed)
    table = votes.table()
    if method == "fixed-point":
        estimate = fixed_point(table)
        elo, (low, high), posterior = estimate.elo, estimate.interval(), estimate.posterior(rng, draws)
    else:
        posterior = hierarchical(votes, rng, draws) if method == "hierarchical" else gibbs(table, rng, draws)
        elo, (low, high) = posterior.mean(), posterior.interval()
    return Leaderboard(
        method, _standings(table, elo, low, high, posterior), posterior, tuple(table.groups()), votes.raters
    )


def _standings(
    table: VoteTable, elo: np.ndarray, low: np.ndarray, high: np.ndarray, posterior: RatingPosterior
) -> tuple[Standing, ...]:
    if not table.systems:
        return ()
    rank = 1 + (elo[None, :] > elo[:, None]).sum(axis=1)
    rank_low, rank_high = posterior.rank_interval()
    columns = (elo, low, high, rank, rank_low, rank_high, posterior.best_probability())
    counts = (table.won, table.lost, table.tied, table.compared.sum(axis=1))
    rows = [
        Standing(name, *(column[k].item() for column in (*columns, *counts))) for k, name in enumerate(table.systems)
    ]
    return tuple(sorted(rows, key=lambda row: (row.rank, row.system)))

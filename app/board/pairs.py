"""Results of a question that was asked in pairs: the full posterior of the ratings, the paper's fixed point beside it.

Shapes: K moments, C chains, N systems.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from app.board.ballots import Ballot
from app.board.sentences import order_sentences
from evaluation.bradley_terry import NotConverged, RatingPosterior, VoteTable, fixed_point, from_records, gibbs
from evaluation.bradley_terry.gibbs import USUAL_PRIOR, PairCounts, Sampler
from evaluation.records import Comparison

DRAWS = 2000
MOMENTS = 16
SEED = 0


def pair_results(ballots: Sequence[Ballot]) -> dict[str, Any]:
    """Everything the page shows of a question asked in pairs, ready for JSON.

    Ratings, intervals, rank intervals and probabilities are those of the Gibbs posterior, centred on 2000; `paper` is
    the fixed point of equations 9 and 10. Where the chains do not agree, `failure` says so and the fixed point stands
    alone.
    """
    ordered = sorted(ballots, key=lambda ballot: (ballot.at, ballot.key))
    votes = from_records(_record(ballot) for ballot in ordered)
    table = votes.table()
    paper = fixed_point(table)
    rng = np.random.default_rng(SEED)
    failure = ""
    try:
        posterior = gibbs(table, rng, DRAWS)
        rating, (low, high) = posterior.mean(), posterior.interval()
    except NotConverged as error:
        failure = str(error)
        posterior = paper.posterior(rng, DRAWS)
        rating, (low, high) = paper.elo, paper.interval()
    order = np.argsort(-rating, kind="stable")
    names = [table.systems[k] for k in order]
    above = posterior.order_probability()[np.ix_(order, order)]
    groups = [list(group) for group in table.groups()]
    return {
        "systems": names,
        "standings": _standings(table, posterior, (rating, low, high), _paper(paper), _both_bad(ordered), order),
        "probability_above": _rounded(above),
        "win_probability": _rounded(posterior.win_probability()[np.ix_(order, order)]),
        "compared": table.compared[np.ix_(order, order)].astype(int).tolist(),
        "both_bad": sum(ballot.both_bad for ballot in ordered),
        "groups": groups,
        "convergence": _convergence(posterior),
        "failure": failure,
        "over_time": over_time(table.systems, votes, [ballot.at for ballot in ordered], (rating, low, high), order),
        "sentences": order_sentences(names, above, groups, int(table.votes)),
    }


def over_time(
    systems: Sequence[str],
    votes: Any,
    moments: Sequence[datetime],
    final: tuple[np.ndarray, np.ndarray, np.ndarray],
    order: np.ndarray,
) -> dict[str, Any]:
    """Ratings after growing parts of the votes, in the order in which they came.

    All parts are sampled at once, a chain for each; a short one, since it is only drawn. The last part is the table's
    own result. A system is left out until its first vote.

    Returns:
        `moments` and `votes`, K each, and for each system `elo`, `low` and `high`, K each with None where it has none.
    """
    n, total = len(systems), len(moments)
    ends = np.unique(np.linspace(0, total, MOMENTS + 1).round().astype(int)[1:])
    ends = ends[ends > 0]
    wins, ties = np.zeros((len(ends), n, n)), np.zeros((len(ends), n, n))
    for k, end in enumerate(ends):
        first, second, outcome = votes.first[:end], votes.second[:end], votes.outcome[:end]
        np.add.at(wins[k], (first[outcome == 0], second[outcome == 0]), 1)
        np.add.at(wins[k], (second[outcome == 1], first[outcome == 1]), 1)
        np.add.at(ties[k], (first[outcome == 2], second[outcome == 2]), 1)
    ties += ties.transpose(0, 2, 1)
    rng = np.random.default_rng(SEED)
    sampler = Sampler(PairCounts.of(wins, ties), USUAL_PRIOR)
    at, _, _ = sampler.run(sampler.start(len(ends), rng), 100, rng)
    _, elo, _ = sampler.run(at, 300, rng)
    centre = elo.mean(axis=1)
    low, high = np.quantile(elo, [0.025, 0.975], axis=1)
    centre[-1], low[-1], high[-1] = final
    seen = (wins.sum(axis=1) + wins.sum(axis=2) + ties.sum(axis=2)) > 0

    def line(values: np.ndarray, system: int) -> list[float | None]:
        return [
            round(float(v), 1) if there else None for v, there in zip(values[:, system], seen[:, system], strict=True)
        ]

    return {
        "moments": [moments[end - 1].isoformat(timespec="seconds") for end in ends],
        "votes": ends.tolist(),
        "lines": [
            {"system": systems[k], "elo": line(centre, k), "low": line(low, k), "high": line(high, k)} for k in order
        ],
    }


def _record(ballot: Ballot) -> Comparison:
    assert ballot.system_b is not None and ballot.outcome is not None
    return Comparison(ballot.system, ballot.system_b, ballot.outcome, ballot.rater, ballot.item)  # pyright: ignore[reportArgumentType]


def _paper(paper: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, high = paper.interval()
    return paper.elo, low, high


def _both_bad(ballots: Sequence[Ballot]) -> Counter[str]:
    found: Counter[str] = Counter()
    for ballot in ballots:
        if ballot.both_bad:
            found.update({ballot.system: 1, ballot.system_b or "": 1})
    return found


def _standings(
    table: VoteTable,
    posterior: RatingPosterior,
    rated: tuple[np.ndarray, np.ndarray, np.ndarray],
    paper: tuple[np.ndarray, np.ndarray, np.ndarray],
    both_bad: Counter[str],
    order: np.ndarray,
) -> list[dict[str, Any]]:
    rank_low, rank_high = posterior.rank_interval()
    best, compared = posterior.best_probability(), table.compared.sum(axis=1)
    rows = []
    for k in order:
        rows.append(
            {
                "system": table.systems[k],
                "rank": int((rated[0] > rated[0][k]).sum()) + 1,
                "rank_low": int(rank_low[k]),
                "rank_high": int(rank_high[k]),
                **_named("", rated, int(k)),
                "best": round(float(best[k]), 4),
                "votes": int(compared[k]),
                "wins": int(table.won[k]),
                "ties": int(table.tied[k]),
                "losses": int(table.lost[k]),
                "both_bad": both_bad[table.systems[k]],
                **_named("paper_", paper, int(k)),
            }
        )
    return rows


def _named(prefix: str, values: tuple[np.ndarray, np.ndarray, np.ndarray], system: int) -> dict[str, float]:
    return {
        f"{prefix}{name}": round(float(column[system]), 2)
        for name, column in zip(("elo", "low", "high"), values, strict=True)
    }


def _convergence(posterior: RatingPosterior) -> dict[str, Any] | None:
    found = posterior.convergence
    if found is None:
        return None
    return {
        "r_hat": round(found.r_hat, 4),
        "effective_draws": round(found.effective_draws),
        "sweeps": found.sweeps,
    }


def _rounded(matrix: np.ndarray) -> list[list[float]]:
    return [[round(float(value), 4) for value in row] for row in matrix]

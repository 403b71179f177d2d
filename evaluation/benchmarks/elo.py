"""Ratings from many votes: the fixed point and the full posterior, beside choix and a bootstrap.

`python -m evaluation.benchmarks elo [--votes 1000000] [--systems 100] [--draws 2000] [--json]`

One run on the same simulated votes. Times are processor seconds of this process, so that other work on the machine
weighs less; a ratio above 1 means that ours is faster.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from evaluation.bradley_terry import Votes, VoteTable, fixed_point, gibbs
from evaluation.bradley_terry.fixed_point import iterate
from evaluation.bradley_terry.gibbs import USUAL_PRIOR, PairCounts, Sampler
from evaluation.bradley_terry.posterior import ELO_PER_NAT
from evaluation.errors import InputError
from evaluation.tables import markdown_table


def simulated_votes(votes: int, systems: int, seed: int = 0, theta: float = 1.0) -> tuple[Votes, np.ndarray]:
    """Votes on pairs drawn evenly from systems spread by 100 Elo points, and the true ratings."""
    rng = np.random.default_rng(seed)
    elo = rng.normal(2000, 100, systems)
    first = rng.integers(0, systems, votes)
    second = (first + rng.integers(1, systems, votes)) % systems
    gap = np.exp((elo[second] - elo[first]) / ELO_PER_NAT)
    draw = rng.random(votes)
    win_a, win_b = 1 / (1 + theta * gap), 1 / (1 + theta / gap)
    outcome = np.where(draw < win_a, 0, np.where(draw < win_a + win_b, 1, 2))
    return Votes(tuple(f"system {k:04d}" for k in range(systems)), first, second, outcome), elo


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Processor seconds of the quickest of some runs."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def peak_megabytes(work: Callable[[], object]) -> float:
    """Most memory that a call held beyond what was there before, MB."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def bootstrap(table: VoteTable, draws: int, seed: int = 0) -> np.ndarray:
    """Elo of the fixed point on votes drawn again with replacement, `[draws, N]`."""
    rng = np.random.default_rng(seed)
    n = len(table.systems)
    cells = np.concatenate([table.wins.ravel(), np.triu(table.ties).ravel()])
    elo = np.empty((draws, n))
    for k in range(draws):
        won, tied = rng.multinomial(int(cells.sum()), cells / cells.sum()).reshape(2, n, n).astype(float)
        tied = tied + tied.T
        shape, rate = iterate(won.sum(axis=1) + tied.sum(axis=1) / 2, won + won.T + tied, 0.1, 0.1, 30)
        elo[k] = ELO_PER_NAT * np.log(shape / rate)
    return elo


def measure(votes: int, systems: int, draws: int, bootstraps: int, peer: bool) -> dict[str, Any]:
    """Time each way on the same votes.

    Args:
        votes: Votes, without ties, which choix does not know.
        systems: Systems.
        draws: Of the Gibbs sampler.
        bootstraps: Resamples of the bootstrap.
        peer: Whether choix is run.
    """
    given, truth = simulated_votes(votes, systems)
    table = given.table()
    found: dict[str, Any] = {"votes": votes, "systems": systems, "draws": draws}
    found["count_votes_s"] = seconds(given.table, 3)
    found["fixed_point_s"] = seconds(lambda: fixed_point(table).interval(), 5)
    posterior = []
    found["gibbs_s"] = seconds(lambda: posterior.append(gibbs(table, np.random.default_rng(1), draws)))
    found["gibbs_sweeps_a_chain"] = posterior[0].convergence.sweeps
    found["gibbs_r_hat"] = posterior[0].convergence.r_hat
    found["gibbs_effective_draws"] = posterior[0].convergence.effective_draws
    low, high = posterior[0].interval()
    centred = truth - truth.mean() + 2000
    found["gibbs_intervals_that_hold_the_truth"] = float(((low <= centred) & (centred <= high)).mean())
    found["bootstrap_s"] = seconds(lambda: bootstrap(table, bootstraps))
    if peer:
        found |= _choix(given, table)
    found["count_votes_mb"] = peak_megabytes(given.table)
    found["fixed_point_mb"] = peak_megabytes(lambda: fixed_point(table).interval())
    found["gibbs_mb"] = peak_megabytes(lambda: gibbs(table, np.random.default_rng(1), draws))
    found["growth"] = _growth(votes, systems)
    found["process_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return found


def _choix(given: Votes, table: VoteTable) -> dict[str, Any]:
    try:
        import choix
    except ImportError:
        raise InputError("The peer is not installed; pip install choix, or leave it out with --no-peer.") from None
    a_won = given.outcome == 0
    winner, loser = np.where(a_won, given.first, given.second), np.where(a_won, given.second, given.first)
    pairs = list(zip(winner.tolist(), loser.tolist(), strict=True))
    estimate = []
    took = seconds(lambda: estimate.append(choix.mm_pairwise(len(given.systems), pairs)))
    ours = fixed_point(table)
    counted = seconds(lambda: fixed_point(given.table()).interval(), 3)
    quick = seconds(lambda: fixed_point(table).interval(), 5)
    apart = np.abs((ours.elo - ours.elo.mean()) - ELO_PER_NAT * (estimate[0] - estimate[0].mean())).max()
    return {
        "choix_mm_s": took,
        "largest_difference_from_choix_elo": float(apart),
        "ratio_fixed_point": took / quick,
        "ratio_votes_to_fixed_point": took / counted,
    }


def _growth(votes: int, systems: int) -> list[dict[str, float]]:
    rows = []
    for v, n in [(votes // 100, systems), (votes // 10, systems), (votes, systems // 10), (votes, 3 * systems)]:
        given, _ = simulated_votes(max(v, 1), max(n, 2))
        table = given.table()
        sampler = Sampler(PairCounts.of(table.wins[None], table.ties[None]), USUAL_PRIOR)
        rng = np.random.default_rng(0)
        at = sampler.start(4, rng)
        rows.append(
            {
                "votes": v,
                "systems": n,
                "count_votes_s": seconds(given.table, 3),
                "fixed_point_s": seconds(lambda table=table: fixed_point(table).interval(), 3),
                "gibbs_100_sweeps_s": seconds(lambda sampler=sampler, at=at, rng=rng: sampler.run(at, 100, rng)),
            }
        )
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; JSON is one object on stdout."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.benchmarks elo", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--systems", type=int, default=100)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--bootstraps", type=int, default=1000)
    parser.add_argument("--no-peer", action="store_true", help="leave choix out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if min(options.votes, options.draws, options.bootstraps) < 1 or options.systems < 2:
        raise InputError("--votes, --draws and --bootstraps need 1 or more, --systems 2 or more.")
    found = measure(options.votes, options.systems, options.draws, options.bootstraps, not options.no_peer)
    if options.json:
        print(json.dumps(found))
        return 0
    print(markdown_table(("what", "figure"), [(k, v) for k, v in found.items() if k != "growth"]))
    columns = list(found["growth"][0])
    print(markdown_table(columns, [[row[name] for name in columns] for row in found["growth"]]))
    return 0

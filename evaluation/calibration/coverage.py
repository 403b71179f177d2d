"""How often each method's 95 % interval holds the true rating, how wide it is, and how often the order is wrong.

Estimates, interval ends and truths are centred to one mean, since votes fix only differences.

Shapes: R runs, N systems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from evaluation.bradley_terry.diagnostics import effective_draws
from evaluation.bradley_terry.fixed_point import iterate
from evaluation.bradley_terry.gibbs import USUAL_PRIOR, PairCounts, Sampler
from evaluation.bradley_terry.posterior import ELO_PER_NAT
from evaluation.calibration.simulate import Scenario, centred, simulate, wrong_order

TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimates:
    """Centred Elo points and interval ends, `[R, N]` each; no ends where a method has none."""

    elo: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


@dataclass(frozen=True)
class Coverage:
    """What one method did with one scenario.

    Attributes:
        coverage: Share of the intervals that hold the truth; not-a-number where there are none.
        width: Mean width of the intervals, Elo points.
        error: Root mean square error of the centred ratings, Elo points.
        wrong: Share of the pairs in the wrong order.
        runs: Simulations.
    """

    scenario: Scenario
    method: str
    coverage: float
    width: float
    error: float
    wrong: float
    runs: int


def by_fixed_point(wins: np.ndarray, ties: np.ndarray, rng: np.random.Generator) -> Estimates:
    """The paper's equations 9 and 10."""
    shape, rate = iterate(wins.sum(axis=2) + ties.sum(axis=2) / 2, wins + wins.transpose(0, 2, 1) + ties, 0.1, 0.1, 30)
    elo = ELO_PER_NAT * np.log(shape / rate)
    middle = elo.mean(axis=1, keepdims=True)
    ends = (ELO_PER_NAT * np.log(gammaincinv(shape, tail) / rate) - middle for tail in TAILS)
    return Estimates(elo - middle, *ends)


def by_gibbs(wins: np.ndarray, ties: np.ndarray, rng: np.random.Generator, sweeps: int = 2500) -> Estimates:
    """The full posterior: one chain for each run, 300 sweeps of warm-up; `gibbs` runs four on the same kernel."""
    sampler = Sampler(PairCounts.of(wins, ties), USUAL_PRIOR)
    at, _, _ = sampler.run(sampler.start(len(wins), rng), 300, rng)
    _, elo, _ = sampler.run(at, sweeps, rng)
    fewest = np.median([effective_draws(chain[None]).min() for chain in elo])
    assert fewest > 60, f"a chain is worth {fewest:.0f} draws; more sweeps are needed for these ratings"
    ends = np.asarray(np.quantile(elo, TAILS, axis=1)) - 2000
    return Estimates(centred(elo.mean(axis=1)), ends[0], ends[1])


def by_bootstrap(wins: np.ndarray, ties: np.ndarray, rng: np.random.Generator, draws: int = 300) -> Estimates:
    """The fixed point with percentile intervals of votes drawn again with replacement, as arenas do."""
    point = by_fixed_point(wins, ties, rng).elo
    ends = np.empty((2, *point.shape))
    for k, (won, tied) in enumerate(zip(wins, ties, strict=True)):
        cells = np.concatenate([won.ravel(), np.triu(tied).ravel()])
        drawn = rng.multinomial(int(cells.sum()), cells / cells.sum(), size=draws).astype(float)
        again_won, again_tied = drawn.reshape(draws, 2, *won.shape).transpose(1, 0, 2, 3)
        again = by_fixed_point(again_won, again_tied + again_tied.transpose(0, 2, 1), rng)
        ends[:, k] = np.quantile(again.elo, TAILS, axis=0)
    return Estimates(point, ends[0], ends[1])


def by_choix(wins: np.ndarray, ties: np.ndarray, rng: np.random.Generator) -> Estimates:
    """Choix's expectation propagation, which has a covariance; a tie, which it does not know, goes to either side."""
    import choix

    means, ends = [], []
    for won, tied in zip(wins, ties, strict=True):
        upper = np.triu(tied).astype(int)
        heads = rng.binomial(upper, 0.5)
        counts = (won + heads + (upper - heads).T).astype(int)
        pairs = [(int(i), int(j)) for i, j in np.argwhere(counts) for _ in range(counts[i, j])]
        rng.shuffle(pairs)
        mean, covariance = choix.ep_pairwise(len(won), pairs, alpha=0.1)
        middle = np.eye(len(won)) - 1 / len(won)
        spread = 1.96 * np.sqrt(np.diag(middle @ covariance @ middle))
        mean = ELO_PER_NAT * (mean - mean.mean())
        means.append(mean)
        ends.append((mean - ELO_PER_NAT * spread, mean + ELO_PER_NAT * spread))
    low, high = np.array(ends).transpose(1, 0, 2)
    return Estimates(np.array(means), low, high)


Method = Callable[[np.ndarray, np.ndarray, np.random.Generator], Estimates]
METHODS: dict[str, Method] = {
    "fixed-point": by_fixed_point,
    "gibbs": by_gibbs,
    "bootstrap": by_bootstrap,
    "choix": by_choix,
}
SLOW = {"choix": 20_000}  # votes in all that a method is given, since it walks over each


def measure(scenario: Scenario, methods: Iterable[str], runs: int, seed: int) -> list[Coverage]:
    """Simulate a scenario and judge every method on the same votes.

    Args:
        scenario: Ratings, votes, ties and balance.
        methods: Names out of `METHODS`.
        runs: Simulations; slow peers take the first few of them.
        seed: Of the simulation and of the methods.
    """
    wins, ties = simulate(scenario, runs, np.random.default_rng(seed))
    truth = centred(np.array(scenario.elo))
    found = []
    for method in methods:
        part = min(runs, max(2, SLOW[method] // scenario.votes)) if method in SLOW else runs
        got = METHODS[method](wins[:part], ties[:part], np.random.default_rng(seed + 1))
        if got.low is None or got.high is None:
            coverage = width = float("nan")
        else:
            coverage = float(((got.low <= truth) & (truth <= got.high)).mean())
            width = float((got.high - got.low).mean())
        error = float(np.sqrt(((got.elo - truth) ** 2).mean()))
        wrong = float(wrong_order(got.elo, scenario.elo).mean())
        found.append(Coverage(scenario, method, coverage, width, error, wrong, part))
    return found

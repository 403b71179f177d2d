import itertools

import choix
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chisquare, gamma

from evaluation.bradley_terry import NotConverged, Prior, Votes, VoteTable, fixed_point, from_records, gibbs
from evaluation.bradley_terry.diagnostics import effective_draws, r_hat
from evaluation.bradley_terry.gibbs import Chains, PairCounts, Sampler, draw_tie_parameter
from evaluation.errors import InputError
from evaluation.records import Comparison


def table(wins: list[list[float]], ties: list[list[float]] | None = None) -> VoteTable:
    matrix = np.array(wins, dtype=float)
    return VoteTable(tuple("ABCDEFGH"[: len(matrix)]), matrix, np.array(ties, float) if ties else 0 * matrix)


FOUR = table([[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]])  # Wikipedia, "Bradley-Terry model"


def simulated(strength: np.ndarray, theta: float, votes: int, rng: np.random.Generator) -> VoteTable:
    n = len(strength)
    first = rng.integers(0, n, votes)
    second = (first + rng.integers(1, n, votes)) % n
    a, b = strength[first], strength[second]
    draw = rng.random(votes)
    win_a, win_b = a / (a + theta * b), b / (b + theta * a)
    outcome = np.where(draw < win_a, 0, np.where(draw < win_a + win_b, 1, 2))
    return Votes(tuple("ABCDEFGH"[:n]), first, second, outcome).table()


def test_the_fixed_point_is_equation_9_to_the_last_digits() -> None:
    wins = {("p", "q"): 7, ("q", "p"): 3, ("p", "r"): 2, ("r", "p"): 6, ("q", "r"): 1}
    ties = {("p", "q"): 4, ("q", "r"): 5}
    names = ["p", "q", "r"]

    # the equations once more, over dictionaries
    def met(x: str, y: str) -> int:
        return sum(counts.get(pair, 0) for counts in (wins, ties) for pair in ((x, y), (y, x)))

    won = {
        x: sum(wins.get((x, y), 0) + 0.5 * (ties.get((x, y), 0) + ties.get((y, x), 0)) for y in names) for x in names
    }
    s = dict.fromkeys(names, 1.0)
    rates: dict[str, float] = {}
    for _ in range(30):
        rates = {x: 0.1 + sum(met(x, y) / (s[x] + s[y]) for y in names if y != x) for x in names}
        s = {x: (0.1 + won[x]) / rates[x] for x in names}

    records = [Comparison(x, y, "a") for (x, y), times in wins.items() for _ in range(times)]
    records += [Comparison(y, x, "tie") for (x, y), times in ties.items() for _ in range(times)]
    found = fixed_point(from_records(records).table())
    assert found.systems == ("p", "q", "r")
    np.testing.assert_allclose(found.elo, [400 * np.log10(s[x]) + 2000 for x in names], atol=1e-9)
    low, high = found.interval()
    for k, x in enumerate(names):
        ends = gamma.ppf([0.025, 0.975], 0.1 + won[x], scale=1 / rates[x])
        np.testing.assert_allclose([low[k], high[k]], 400 * np.log10(ends) + 2000, atol=1e-6)
    draws = found.posterior(np.random.default_rng(0), 40_000)
    np.testing.assert_allclose(np.quantile(draws.elo, [0.025, 0.975], axis=0), [low, high], atol=8)


def test_the_worked_example_of_wikipedia() -> None:
    strength = fixed_point(FOUR, alpha=0, beta=0, iterations=500).strength
    np.testing.assert_allclose(strength / np.exp(np.log(strength).mean()), [0.640, 1.043, 0.660, 2.270], atol=5e-4)


def test_maximum_likelihood_agrees_with_choix() -> None:
    rng = np.random.default_rng(1)
    counts = simulated(np.exp(rng.normal(0, 0.7, 6)), 1.0, 400, rng)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(counts.wins > 0) for _ in range(int(counts.wins[i, j]))]
    ours = np.log(fixed_point(counts, alpha=0, beta=0, iterations=3000).strength)
    np.testing.assert_allclose(ours - ours.mean(), choix.mm_pairwise(6, pairs), atol=1e-5)
    np.testing.assert_allclose(ours - ours.mean(), choix.opt_pairwise(6, pairs), atol=1e-4)


def test_gibbs_agrees_with_the_integral_over_the_posterior() -> None:
    """Two systems: the difference x of log strengths and theta have a density that can be integrated on a grid."""
    wins, losses, ties = 9, 4, 3
    x, d = np.meshgrid(np.linspace(-6, 8, 1401), np.linspace(1e-4, 8, 1200), indexing="ij")
    theta = 1 + d
    log_density = -2 * np.logaddexp(0, x) + x - d  # Gamma(1) strengths with the scale taken out, Exp(1) excess
    log_density += -(wins + ties) * np.log1p(theta * np.exp(-x)) - (losses + ties) * np.log1p(theta * np.exp(x))
    log_density += ties * np.log(theta**2 - 1)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    mean, spread = (density * x).sum(), np.sqrt((density * (x - (density * x).sum()) ** 2).sum())
    found = gibbs(table([[0, wins], [losses, 0]], [[0, ties], [ties, 0]]), np.random.default_rng(3), draws=20_000)
    sampled = (found.elo[:, 0] - found.elo[:, 1]) * np.log(10) / 400
    assert sampled.mean() == pytest.approx(mean, abs=0.03)
    assert sampled.std() == pytest.approx(spread, abs=0.03)
    assert found.theta.mean() == pytest.approx((density * theta).sum(), abs=0.03)
    above = found.order_probability()
    assert above[0, 1] == pytest.approx(density[x > 0].sum(), abs=0.015) and above[0, 1] + above[1, 0] == 1
    assert found.win_probability()[0, 1] == pytest.approx((density / (1 + theta * np.exp(-x))).sum(), abs=0.01)


@pytest.mark.parametrize(("ties", "exposure"), [(0.0, 0.2), (0.0, 900.0), (40.0, 30.0), (3000.0, 5000.0)])
def test_the_tie_parameter_is_drawn_from_its_density(ties: float, exposure: float) -> None:
    def log_density(d: float) -> float:
        return ties * (np.log(d) + np.log(d + 2)) - (1 + exposure) * d

    draws = draw_tie_parameter(np.array([ties]), np.full(20_000, exposure), Prior(), np.random.default_rng(0)) - 1
    peak = max(log_density(d) for d in np.quantile(draws, [0.1, 0.5, 0.9]))
    ends = np.quantile(draws, [0.0, 0.25, 0.5, 0.75, 1.0])
    ends[0], ends[-1] = max(ends[0] * 0.2, 0), ends[-1] * 1.5
    parts = [quad(lambda d: np.exp(log_density(d) - peak), a, b)[0] for a, b in itertools.pairwise(ends)]
    np.testing.assert_allclose(np.array(parts) / sum(parts), 0.25, atol=0.015)


def test_ranks_of_the_truth_among_the_draws_are_uniform() -> None:
    """Simulation-based calibration (Talts et al. 2018): 400 truths from the prior, each its own votes and chain."""
    rng = np.random.default_rng(20)
    prior, n, runs, kept = Prior(), 4, 400, 19
    truth = Chains(rng.standard_gamma(prior.shape, (runs, n)), 1 + rng.standard_gamma(1, runs))
    tables = [simulated(s, t, 60, rng) for s, t in zip(truth.strength, truth.theta, strict=True)]
    sampler = Sampler(PairCounts.of(np.stack([t.wins for t in tables]), np.stack([t.ties for t in tables])), prior)
    at, _, _ = sampler.run(sampler.start(runs, rng), 300, rng)
    ranks = np.zeros((2, runs), dtype=int)
    for _ in range(kept):
        at, elo, theta = sampler.run(at, 25, rng)
        contrast = np.log(truth.strength[:, 0] / truth.strength[:, 1]) * 400 / np.log(10)
        ranks += np.stack([elo[:, -1, 0] - elo[:, -1, 1] < contrast, theta[:, -1] < truth.theta])
    for parameter in ranks:
        assert chisquare(np.bincount(parameter, minlength=kept + 1)).pvalue > 0.01


def test_no_ties_seen_do_not_make_ties_impossible() -> None:
    found = gibbs(FOUR, np.random.default_rng(0))
    assert found.theta.min() > 1 and 0.005 < found.tie_probability()[0, 1] < 0.2


def test_systems_that_won_or_lost_everything_stand_at_finite_ratings() -> None:
    extreme = table([[0, 9, 9], [0, 0, 5], [0, 4, 0]])
    for low, high in (fixed_point(extreme).interval(), gibbs(extreme, np.random.default_rng(0)).interval()):
        assert np.isfinite(low).all() and np.isfinite(high).all()
    assert gibbs(extreme, np.random.default_rng(0)).rank_interval()[1][0] == 1
    winless = fixed_point(table([[0, 0], [9, 0]]))
    assert winless.elo[0] < 1500 < 2000 < winless.elo[1]


def test_no_votes_one_system_and_no_system_are_defined() -> None:
    for n in (0, 1, 3):
        empty = table([[0] * n] * n) if n else VoteTable((), np.empty((0, 0)), np.empty((0, 0)))
        assert (fixed_point(empty).elo == 2000).all()
        assert gibbs(empty, np.random.default_rng(0), draws=100).elo.shape == (100, n)
    alone = gibbs(table([[0]]), np.random.default_rng(0))
    assert (alone.elo == 2000).all() and alone.best_probability() == 1
    level = gibbs(table([[0] * 3] * 3), np.random.default_rng(0))
    np.testing.assert_allclose(level.best_probability(), 1 / 3, atol=0.06)
    assert list(level.rank_interval()[0]) == [1] * 3 and list(level.rank_interval()[1]) == [3] * 3


def test_groups_that_no_vote_joins_are_named_and_left_open() -> None:
    apart = table([[0, 30, 0, 0], [10, 0, 0, 0], [0, 0, 0, 30], [0, 0, 10, 0]])
    assert apart.groups() == [("A", "B"), ("C", "D")]
    found = gibbs(apart, np.random.default_rng(2))
    assert 0.3 < found.order_probability()[0, 2] < 0.7 and found.order_probability()[0, 1] > 0.98


def test_weights_count_as_repeated_votes() -> None:
    records = [Comparison("x", "y", "a"), Comparison("y", "x", "tie"), Comparison("y", "x", "a")]
    weighted = from_records(records, weight=[3, 2, 1]).table()
    repeated = from_records([records[0]] * 3 + [records[1]] * 2 + [records[2]]).table()
    assert (weighted.wins == repeated.wins).all() and (weighted.ties == repeated.ties).all()
    assert weighted.votes == 6 and list(weighted.won) == [3, 1] and list(weighted.tied) == [2, 2]


def test_records_out_of_the_vocabulary_are_refused() -> None:
    with pytest.raises(InputError, match="Comparison 2: 'x' is compared with itself"):
        from_records([Comparison("x", "y", "a"), Comparison("x", "x", "a")])
    with pytest.raises(InputError, match="'both' is none of"):
        from_records([Comparison("x", "y", "both")])  # type: ignore[arg-type]


def test_a_seed_gives_the_same_draws() -> None:
    first, again, other = (gibbs(FOUR, np.random.default_rng(seed), draws=50).elo for seed in (5, 5, 6))
    assert (first == again).all() and (first != other).any()


def test_r_hat_and_effective_draws_of_known_chains() -> None:
    rng = np.random.default_rng(0)
    fresh = rng.normal(size=(4, 1000, 1))
    assert r_hat(fresh)[0] < 1.01 and effective_draws(fresh)[0] > 3000
    walk = np.zeros((4, 4000, 1))
    for k in range(1, 4000):  # autocorrelation 0.9: (1 - 0.9) / (1 + 0.9) of the draws count
        walk[:, k] = 0.9 * walk[:, k - 1] + rng.normal(size=(4, 1))
    assert effective_draws(walk)[0] == pytest.approx(16_000 / 19, rel=0.25)
    assert r_hat(fresh + np.arange(4)[:, None, None])[0] > 1.3
    assert r_hat(fresh * np.array([1, 1, 1, 6])[:, None, None])[0] > 1.1


def test_chains_that_do_not_agree_are_an_error() -> None:
    far = table([[0, 100_000, 0], [1, 0, 100_000], [0, 1, 0]])
    with pytest.raises(NotConverged, match="R-hat"):
        gibbs(far, np.random.default_rng(0), draws=40, max_sweeps=20)

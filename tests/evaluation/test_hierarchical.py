import numpy as np

from evaluation.bradley_terry import Votes, gibbs, hierarchical

STRENGTH = np.exp([0.9, 0.3, -0.3, -0.9])


def votes(rng: np.random.Generator, raters: int, each: int, careless: float, side: float = 1.0) -> Votes:
    """Raters 0, 1, ... of which the first share answers at random; `side` multiplies the first one's strength."""
    rater = np.repeat(np.arange(raters), each)
    first = rng.integers(0, 4, len(rater))
    second = (first + rng.integers(1, 4, len(rater))) % 4
    a, b, theta = side * STRENGTH[first], STRENGTH[second], 1.3
    draw = rng.random(len(rater))
    win_a, win_b = a / (a + theta * b), b / (b + theta * a)
    outcome = np.where(draw < win_a, 0, np.where(draw < win_a + win_b, 1, 2))
    idle = rater < careless * raters
    outcome[idle] = rng.choice(3, size=idle.sum(), p=[0.45, 0.45, 0.1])
    return Votes(tuple("ABCD"), first, second, outcome, tuple(f"r{k}" for k in range(raters)), rater)


def test_careless_raters_are_found_and_weigh_less() -> None:
    given = votes(np.random.default_rng(0), raters=20, each=60, careless=0.4)
    found = hierarchical(given, np.random.default_rng(5))
    care = found.extra["reliability"].mean(axis=0)
    assert care[:8].mean() < 0.4 and care[8:].mean() > 0.8 and care[:8].max() < np.median(care[8:])
    truth = np.log(STRENGTH) * 400 / np.log(10) + 2000
    plain = gibbs(given.table(), np.random.default_rng(5))
    assert np.abs(found.mean() - truth).mean() < 0.5 * np.abs(plain.mean() - truth).mean()


def test_a_preferred_side_is_measured_in_elo_points() -> None:
    given = votes(np.random.default_rng(2), raters=6, each=200, careless=0, side=10 ** (80 / 400))
    found = hierarchical(given, np.random.default_rng(3), draws=1000)
    low, high = np.quantile(found.extra["position"], [0.005, 0.995])
    assert low < 80 < high and low > 0
    assert found.extra["reliability"].mean() > 0.85


def test_with_careful_raters_it_agrees_with_the_plain_model() -> None:
    given = votes(np.random.default_rng(4), raters=6, each=50, careless=0)
    found, plain = hierarchical(given, np.random.default_rng(5)), gibbs(given.table(), np.random.default_rng(5))
    np.testing.assert_allclose(found.mean(), plain.mean(), atol=45)
    assert found.convergence is not None and found.convergence.r_hat <= 1.01

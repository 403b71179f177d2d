import numpy as np
import pytest

from evaluation.intervals import bootstrap_ratio


def test_the_ratio_is_pooled_and_not_a_mean_of_ratios() -> None:
    ratio, low, high = bootstrap_ratio([(1, 1), (0, 9)], np.random.default_rng(0))
    assert ratio == 0.1
    assert low == 0.0 and high == 1.0


def test_the_interval_covers_as_often_as_it_says() -> None:
    covered = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        values = np.stack([rng.normal(3.0, 1.0, size=60), np.ones(60)], axis=1)
        _, low, high = bootstrap_ratio(values, rng, draws=400)
        covered += low <= 3.0 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_a_seed_gives_the_same_interval() -> None:
    items = [(0, 9), (1, 8), (2, 10), (0, 7), (3, 12)]
    first, second, other = (bootstrap_ratio(items, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == second
    assert first[0] == other[0] == pytest.approx(6 / 46)

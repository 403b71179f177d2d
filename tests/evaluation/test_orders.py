"""Verdicts on claimed orders, on data whose order is known."""

import numpy as np
import pytest

from evaluation.errors import InputError
from evaluation.reproduction.orders import Difference, Order, paired_difference, seed_difference, table_rows


def units(values: list[tuple[float, float]]) -> dict[str, tuple[float, float]]:
    return {f"u{i}": value for i, value in enumerate(values)}


def test_units_are_drawn_together() -> None:
    """Hard units are hard for both: a difference of one wrong word in each is certain, although units vary by 40."""
    rng = np.random.default_rng(0)
    hard = rng.integers(0, 40, 60)
    better, worse = units([(float(h), 50.0) for h in hard]), units([(h + 1.0, 50.0) for h in hard])
    found = paired_difference(better, worse, rng)
    assert (found.value, found.low, found.high) == pytest.approx((0.02, 0.02, 0.02))
    assert found.verdict == "reproduced" and found.units == 60
    assert paired_difference(worse, better, rng).verdict == "the other way round"
    assert paired_difference(better, worse, rng, higher_is_better=True).verdict == "the other way round"


def test_perplexities_are_exponentials_of_pooled_ratios() -> None:
    better, worse = units([(20.0, 10.0), (10.0, 10.0)]), units([(30.0, 10.0), (20.0, 10.0)])
    found = paired_difference(better, worse, np.random.default_rng(0), perplexity=True)
    assert found.value == pytest.approx(np.exp(2.5) - np.exp(1.5))


def test_the_interval_covers_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(0.0, 1.0, 40), rng.normal(0.3, 1.0, 40)
        found = paired_difference(
            units([(v, 1.0) for v in a]), units([(v, 1.0) for v in b]), rng, draws=400
        )  # fmt: skip
        covered += found.low <= 0.3 <= found.high
    assert 178 <= covered <= 198  # 95 % of 200 is 190; the percentile bootstrap of 40 units is a little narrow


def test_sets_are_compared_seed_by_seed() -> None:
    found = seed_difference([30.0, 31.0, 29.0], [33.0, 32.0, 31.5])
    assert (found.value, found.low, found.high) == pytest.approx((13 / 6, 1.0, 3.0))
    assert seed_difference([30.0, 31.0], [33.0, 30.5]).verdict == "undecided"


def test_units_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="1 of them in both"):
        paired_difference({"a": (1, 1), "b": (1, 1)}, {"a": (1, 1), "c": (1, 1)}, np.random.default_rng(0))
    with pytest.raises(InputError, match="seed by seed"):
        seed_difference([1.0], [2.0])


def test_rows_say_what_was_claimed_and_found() -> None:
    order = Order("A", "B", "WER", "table 3", (1.8, None), (7.0, 9.0), Difference(2.0, 0.5, 3.5, 100))
    assert table_rows([order]) == [
        ("A before B", "WER (table 3)", "1.8 / -", "7 / 9", "2 [0.5, 3.5]", "reproduced")
    ]  # fmt: skip

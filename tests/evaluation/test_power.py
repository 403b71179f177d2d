import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from evaluation.errors import InputError
from evaluation.power import Plan, for_elo, for_mos, vote_information
from evaluation.significance import paired_tests

PER_NAT = 400 / np.log(10)


def test_a_vote_without_ties_carries_p_times_one_less_p() -> None:
    assert vote_information(0.0, 0.0) == pytest.approx(0.25)
    chance = 1 / (1 + np.exp(-0.7))
    assert vote_information(0.7, 0.0) == pytest.approx(chance * (1 - chance))
    choice = 0.4  # of either side where a fifth are ties; the tie itself says nothing at the middle
    assert vote_information(0.0, 0.2) == pytest.approx(2 * choice * (1 - choice) ** 2)


def test_without_spread_it_is_the_textbooks_number_of_votes() -> None:
    nats = 50 / PER_NAT
    textbook = (norm.ppf(0.975) + norm.ppf(0.8)) ** 2 / (vote_information(nats, 0) * nats**2)
    need = for_elo(50, Plan(per_rater=1))
    assert need.raters == need.answers == int(np.ceil(textbook)) and need.items == 1
    assert need.power == pytest.approx(0.8, abs=0.002)


def test_the_power_for_votes_is_met_in_simulation() -> None:
    """Two systems; each rater and each item has a difference of its own, and the votes are tested by cluster."""
    need = for_elo(80, Plan(per_rater=10, items=40), rater_spread=80, item_spread=60)
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        own = 80 + 80 * rng.normal(size=(need.raters, 1))
        item = 60 * rng.normal(size=40)[rng.integers(0, 40, size=(need.raters, 10))]
        won = rng.random((need.raters, 10)) < 1 / (1 + np.exp(-(own + item) / PER_NAT))
        # the logit of the share, with the variance that the plan allows for
        share = won.mean()
        nats = np.log(share / (1 - share))
        variance = (80**2 / need.raters + 60**2 / 40) / PER_NAT**2 + 1 / (won.size * share * (1 - share))
        found += nats / np.sqrt(variance) > norm.ppf(0.975)
    assert 0.72 <= found / 300 <= 0.88


def test_the_power_for_scores_is_met_in_simulation() -> None:
    need = for_mos(0.4, Plan(per_rater=6), rater_spread=0.4, item_spread=0, noise=0.8)
    rng = np.random.default_rng(1)
    found = 0
    r, i = (axis.ravel() for axis in np.meshgrid(np.arange(need.raters), np.arange(6), indexing="ij"))
    for _ in range(80):
        level = rng.normal(size=need.raters)[r]
        frames = [
            pd.DataFrame(
                {
                    "rater": r,
                    "item": i,
                    "system": name,
                    "score": 3 + more + level + 0.4 * rng.normal(size=need.raters)[r] + 0.8 * rng.normal(size=len(r)),
                }
            )
            for name, more in (("x", 0.0), ("y", 0.4))
        ]
        (test,) = paired_tests(pd.concat(frames))
        found += test.p_value < 0.05
    assert 0.66 <= found / 80 <= 0.92


def test_more_is_needed_for_less_for_more_systems_and_for_more_power() -> None:
    base = for_elo(50, Plan()).raters
    assert for_elo(25, Plan()).raters > 3.5 * base
    assert for_elo(50, Plan(systems=5)).raters > base and for_elo(50, Plan(power=0.95)).raters > base
    assert for_elo(50, Plan(), rater_spread=100).raters > base
    assert for_mos(0.1, Plan()).raters > for_mos(0.2, Plan()).raters


def test_too_few_items_and_senseless_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="3 items cannot show this difference"):
        for_mos(0.1, Plan(per_rater=3, items=3))
    for call in (
        lambda: for_elo(0, Plan()),
        lambda: for_mos(-1, Plan()),
        lambda: Plan(systems=1),
        lambda: Plan(power=1.0),
        lambda: Plan(per_rater=0),
        lambda: for_elo(50, Plan(), tie_share=1.0),
    ):
        with pytest.raises(InputError):
            call()

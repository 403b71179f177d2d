import csv
from pathlib import Path

import numpy as np
import pytest

from evaluation.__main__ import main
from evaluation.bradley_terry import Prior
from evaluation.calibration.coverage import by_bootstrap, by_choix, by_fixed_point, by_gibbs
from evaluation.calibration.ranks import gibbs_ranks, hierarchical_ranks
from evaluation.calibration.simulate import Scenario, centred, simulate, true_ratings, win_chance, wrong_order
from evaluation.errors import InputError
from evaluation.published import PAPER


def test_simulated_votes_follow_the_ratings_the_ties_and_the_balance() -> None:
    scenario = Scenario("two", (2100, 2000), 100_000, theta=1.5)
    wins, ties = simulate(scenario, 3, np.random.default_rng(0))
    assert (wins.sum(axis=(1, 2)) + ties.sum(axis=(1, 2)) / 2 == 100_000).all()
    chance = win_chance(np.array(2100), np.array(2000), 1.5)
    assert chance == pytest.approx(1 / (1 + 1.5 * 10 ** (-100 / 400)))
    np.testing.assert_allclose(wins[:, 0, 1] / 100_000, chance, atol=0.01)
    uneven = simulate(Scenario("even", true_ratings("spread-6"), 60_000, unbalanced=True), 1, np.random.default_rng(0))
    shown = (uneven[0] + uneven[0].transpose(0, 2, 1)).sum(axis=(0, 1))
    assert shown.max() > 2 * shown.min()


def test_the_papers_tables_are_there_as_printed() -> None:
    assert [len(rows) for rows in PAPER.values()] == [5, 4, 7, 4, 4, 4]
    assert max(PAPER["table 4, enjoyment of music"], key=lambda row: row.elo).elo == 2166
    with pytest.raises(InputError, match="no set of ratings 'table 9'"):
        true_ratings("table 9")


def test_wrong_order_counts_pairs_and_skips_equals() -> None:
    assert wrong_order(np.array([[3.0, 1, 2, 0]]), [3, 2, 1, 0])[0] == pytest.approx(1 / 6)
    assert wrong_order(np.array([[3.0, 1, 2]]), [3, 1, 1])[0] == 0


def test_the_fixed_point_is_too_sure_of_itself_and_gibbs_is_not() -> None:
    truth = np.array(true_ratings("table 4, enjoyment of music"))
    wins, ties = simulate(Scenario("music", tuple(truth), 500, 1.3), 60, np.random.default_rng(5))
    rng = np.random.default_rng(6)
    share = {}
    for method in (by_fixed_point, by_gibbs, by_bootstrap):
        got = method(wins, ties, rng)
        assert got.low is not None and got.high is not None
        share[method] = ((got.low <= centred(truth)) & (centred(truth) <= got.high)).mean()
    assert share[by_fixed_point] < 0.92 < share[by_gibbs] < 0.985
    assert share[by_bootstrap] > 0.88
    peer = by_choix(wins[:3], ties[:3], rng)
    np.testing.assert_allclose(peer.elo, by_gibbs(wins[:3], ties[:3], rng).elo, atol=60)


def test_ranks_of_the_samplers_are_uniform() -> None:
    assert all(test.p_value > 0.01 for test in gibbs_ranks(300, 1, votes=30, thin=20, bins=10))
    with_raters = hierarchical_ranks(16, 2, raters=3, each=8, kept=3, thin=25, bins=4)
    assert {test.parameter for test in with_raters} == {"difference of two ratings", "theta", "phi", "care of a rater"}
    assert all(test.p_value > 0.001 and sum(test.counts) == 16 for test in with_raters)


def test_a_sampler_of_another_posterior_is_noticed() -> None:
    tests = gibbs_ranks(300, 1, votes=30, thin=20, bins=10, assumed=Prior(shape=6))
    assert min(test.p_value for test in tests) < 1e-4


@pytest.mark.parametrize("part", ["coverage", "ranks", "selection"])
def test_calibrate_writes_what_it_prints(part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c.csv"
    few = "--simulations 20 --votes 100 --theta 1.2 --methods fixed-point gibbs".split()
    assert main(["calibrate", part, *few, "--ratings", "spread-3", "--out", str(out)]) == 0
    with open(out, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows and set(rows[0]) <= set(capsys.readouterr().out.replace("|", " ").split())
    assert main(["calibrate", "--ratings", "spread-1"]) == 2


def test_power_prints_a_row_for_each_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p.csv"
    assert main(["power", "--elo", "50", "100", "--systems", "4", "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 3 and "raters" in capsys.readouterr().out
    assert main(["power", "--mos", "0.2"]) == 0
    assert main(["power", "--mos", "0"]) == 2

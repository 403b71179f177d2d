import json

import numpy as np
import pytest

from evaluation.benchmarks.__main__ import benchmark_names, main
from evaluation.benchmarks.elo import bootstrap, simulated_votes
from evaluation.bradley_terry import fixed_point


def test_the_benchmark_prints_one_object_and_beats_choix(capsys: pytest.CaptureFixture[str]) -> None:
    assert "elo" in benchmark_names()
    arguments = "--votes 20000 --systems 10 --draws 200 --bootstraps 20 --json".split()
    assert main(["elo", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ratio_fixed_point"] > 10
    assert found["largest_difference_from_choix_elo"] < 2
    assert found["gibbs_r_hat"] <= 1.01 and found["process_mb"] > 0 and len(found["growth"]) == 4


def test_the_bootstrap_spreads_as_the_votes_do() -> None:
    given, _ = simulated_votes(4000, 5, theta=1.4)
    spread = bootstrap(given.table(), 200).std(axis=0)
    fewer = bootstrap(simulated_votes(1000, 5, theta=1.4)[0].table(), 200).std(axis=0)
    np.testing.assert_allclose(fewer / spread, 2, rtol=0.3)
    low, high = fixed_point(given.table()).interval()
    assert (high - low < 2 * 1.96 * spread * 1.05).all()  # the fixed point's own intervals are narrower


def test_senseless_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["elo", "--systems", "1"]) == 2
    assert "--systems 2 or more" in capsys.readouterr().err

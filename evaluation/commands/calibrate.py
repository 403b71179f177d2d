"""`python -m evaluation calibrate [coverage|ranks|selection]`: whether the statistics keep their promises."""

import argparse
import sys
from pathlib import Path

from evaluation.calibration import coverage, ranks, selection
from evaluation.calibration.simulate import Scenario, true_ratings
from evaluation.commands.output import check_folder, number
from evaluation.errors import InputError
from evaluation.published import PAPER
from evaluation.tables import markdown_table, write_csv

MUSIC = "table 4, enjoyment of music"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "part",
        nargs="?",
        choices=("coverage", "ranks", "selection"),
        default="coverage",
        help="coverage of the intervals and rank errors; uniform ranks of the samplers (simulation-based calibration); "
        "votes saved by choosing pairs (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="CSV file of the same table")
    parser.add_argument("--simulations", type=int, default=500, help="default: %(default)s")
    parser.add_argument("--votes", type=int, nargs="+", default=[100, 1000, 10_000], help="default: 100 1000 10000")
    parser.add_argument(
        "--ratings",
        nargs="+",
        default=[MUSIC],
        help=f"true ratings: paper (all its tables), spread-N, {'; '.join(PAPER)}",
    )
    parser.add_argument("--theta", type=float, nargs="+", default=[1.0, 1.5], help="tie parameters; 1 has no ties")
    parser.add_argument("--unbalanced", action="store_true", help="show systems unequally often, up to 9 to 1")
    parser.add_argument("--methods", nargs="+", choices=coverage.METHODS, default=["fixed-point", "gibbs", "bootstrap"])
    parser.add_argument("--raters", action="store_true", help="ranks: test the model with raters too (minutes)")
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Simulate, print, write.

    Raises:
        InputError: Unknown ratings, numbers out of range, a folder that is not there.
    """
    check_folder(options.out)
    if options.simulations < 1 or min(options.votes) < 1 or min(options.theta) < 1:
        raise InputError("--simulations and --votes need 1 or more, and --theta no less than 1.")
    columns, rows = {"coverage": _coverage, "ranks": _ranks, "selection": _selection}[options.part](options)
    if options.out:
        write_csv(options.out, columns, [[number(cell) for cell in row] for row in rows])
    print(markdown_table(columns, rows))


def _sets(options: argparse.Namespace) -> list[str]:
    return [name for given in options.ratings for name in (PAPER if given == "paper" else [given])]


def _coverage(options: argparse.Namespace) -> tuple[tuple[str, ...], list[list[object]]]:
    rows: list[list[object]] = []
    for name in _sets(options):
        for theta in options.theta:
            for votes in options.votes:
                scenario = Scenario(name, true_ratings(name), votes, theta, options.unbalanced)
                print(f"{name}: theta {theta:g}, {votes} votes", file=sys.stderr)
                rows += [
                    [name, theta, votes, one.method, one.coverage, one.width, one.error, one.wrong, one.runs]
                    for one in coverage.measure(scenario, options.methods, options.simulations, options.seed)
                ]
    return ("ratings", "theta", "votes", "method", "coverage", "width", "rms_error", "wrong_order", "runs"), rows


def _ranks(options: argparse.Namespace) -> tuple[tuple[str, ...], list[list[object]]]:
    found = [("gibbs", test) for test in ranks.gibbs_ranks(options.simulations, options.seed)]
    if options.raters:
        found += [("hierarchical", test) for test in ranks.hierarchical_ranks(options.simulations, options.seed)]
    rows: list[list[object]] = [
        [method, test.parameter, test.p_value, " ".join(map(str, test.counts))] for method, test in found
    ]
    return ("method", "parameter", "p_value", "counts"), rows


def _selection(options: argparse.Namespace) -> tuple[tuple[str, ...], list[list[object]]]:
    rows: list[list[object]] = []
    runs = min(options.simulations, 40)
    for name in _sets(options):
        for budget in options.votes:
            print(f"{name}: {budget} votes", file=sys.stderr)
            one = selection.votes_needed(name, max(budget // 20, 1) * 20, runs, options.seed, min(options.theta))
            share = one.active_votes / one.uniform_votes
            votes = [one.uniform_votes, one.active_votes, share, one.uncertainty]
            rows.append([name, *votes, one.active_votes_for_order, one.uniform_wrong, runs])
    names = ("ratings", "even_votes", "chosen_votes", "share", "uncertainty", "chosen_votes_for_order", "wrong", "runs")
    return names, rows

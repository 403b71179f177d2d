"""`python -m evaluation elo VOTES.csv --out R.csv`: ratings from votes."""

import argparse
import json
import sys
from pathlib import Path

from evaluation.commands.output import check_folder, number, write_json
from evaluation.leaderboard import METHODS, rank_systems
from evaluation.reading import read_votes
from evaluation.tables import markdown_table, write_csv

COLUMNS = ("system", "elo", "ci_low", "ci_high", "rank", "wins", "losses", "ties", "comparisons")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("votes", type=Path, metavar="VOTES.csv", help="system_a,system_b,outcome[,rater,item,weight]")
    parser.add_argument("--out", type=Path, required=True, help=f"CSV file: {','.join(COLUMNS)}")
    parser.add_argument("--method", choices=METHODS, default="fixed-point", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: %(default)s)")
    parser.add_argument("--details", type=Path, help="JSON file: rank intervals, P(best), win probabilities, R-hat")
    parser.add_argument(
        "--duplicates",
        choices=("refuse", "first", "keep"),
        default="refuse",
        help="two votes of one rater on one item and pair (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Rate, write, print.

    Raises:
        InputError: Votes that cannot be read, chains that do not agree, a folder that is not there.
    """
    for path in (options.out, options.details):
        check_folder(path)
    votes = read_votes(options.votes, options.duplicates)
    print(f"{len(votes.first)} votes over {len(votes.systems)} systems", file=sys.stderr)
    board = rank_systems(votes, options.method, options.seed)
    if len(board.groups) > 1:
        print(
            f"note: no vote joins {len(board.groups)} groups of systems; across them ratings mean nothing.",
            file=sys.stderr,
        )
    found = board.posterior.convergence
    if found is not None:
        print(
            f"R-hat {found.r_hat:.4f}, {found.effective_draws:.0f} effective draws, {found.sweeps} sweeps a chain",
            file=sys.stderr,
        )
    rows = [[number(getattr(standing, column)) for column in COLUMNS] for standing in board.standings]
    write_csv(options.out, COLUMNS, rows)
    if options.details:
        write_json(options.details, json.dumps(board.details(), indent=1))
    shown = [
        (s.rank, s.system, f"{s.elo:.0f}", f"{s.ci_low:.0f} to {s.ci_high:.0f}", f"{s.rank_low} to {s.rank_high}",
         f"{s.best:.3f}", f"{s.wins:g} / {s.ties:g} / {s.losses:g}")
        for s in board.standings
    ]  # fmt: skip
    print(markdown_table(("rank", "system", "Elo", "95 %", "rank 95 %", "P(best)", "won / tied / lost"), shown))

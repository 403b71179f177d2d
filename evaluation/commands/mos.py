"""`python -m evaluation mos RATINGS.csv --out R.csv`: mean opinion scores."""

import argparse
import sys
from pathlib import Path

from evaluation.commands.output import check_folder, number
from evaluation.opinion import mean_opinions
from evaluation.reading import read_scores
from evaluation.reliability import krippendorff_alpha, ratings_matrix
from evaluation.significance import paired_tests
from evaluation.tables import markdown_table, write_csv

COLUMNS = ("system", "mean", "ci_low", "ci_high", "ratings", "raters")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("ratings", type=Path, metavar="RATINGS.csv", help="rater,system,item,score")
    parser.add_argument("--out", type=Path, required=True, help=f"CSV file: {','.join(COLUMNS)}")
    parser.add_argument("--scale", type=float, default=5, help="highest score; the lowest is 1 (default: %(default)g)")
    parser.add_argument(
        "--interval",
        choices=("clustered", "bootstrap", "plain"),
        default="clustered",
        help="by rater and item (clustered, bootstrap) or ITU-T P.1401's for independent scores (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--tests", type=Path, help="CSV file of paired tests between systems, adjusted")
    parser.add_argument(
        "--adjust", choices=("holm", "hochberg"), default="holm", help="for the number of tests (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Summarise, write, print.

    Raises:
        InputError: Scores that cannot be read, a folder that is not there.
    """
    for path in (options.out, options.tests):
        check_folder(path)
    scores = read_scores(options.ratings, 1, options.scale, ("rater", "system", "item", "score"))
    print(f"{len(scores)} ratings", file=sys.stderr)
    found = mean_opinions(scores, options.interval, seed=options.seed)
    write_csv(options.out, COLUMNS, [[number(getattr(row, name)) for name in COLUMNS] for row in found])
    print(markdown_table(COLUMNS, [[getattr(row, name) for name in COLUMNS] for row in found]))
    if options.tests:
        tests = paired_tests(scores, adjustment=options.adjust)
        names = ("system_a", "system_b", "difference", "p_value", "adjusted", "pairs")
        write_csv(options.tests, names, [[number(getattr(test, name)) for name in names] for test in tests])
    if len(scores):
        alpha = krippendorff_alpha(ratings_matrix(scores), "ordinal")
        print(f"agreement of the raters (Krippendorff's alpha, ordinal): {alpha:.3f}", file=sys.stderr)

"""`python -m evaluation mushra RATINGS.csv --out R.csv --reference NAME --mid-anchor NAME`: MUSHRA results."""

import argparse
import sys
from pathlib import Path

from evaluation.commands.output import check_folder, number
from evaluation.mushra import median_tests, summarise, warnings_about
from evaluation.reading import read_scores
from evaluation.screening import outliers, post_screen
from evaluation.tables import markdown_table, write_csv

COLUMNS = ("system", "median", "q1", "q3", "mean", "ci_low", "ci_high", "ratings")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("ratings", type=Path, metavar="RATINGS.csv", help="rater,item,system,score")
    parser.add_argument("--out", type=Path, required=True, help=f"CSV file: {','.join(COLUMNS)}")
    parser.add_argument("--reference", required=True, help="name of the hidden reference in the column system")
    parser.add_argument("--mid-anchor", required=True, help="name of the mid anchor in the column system")
    parser.add_argument("--excluded", type=Path, help="CSV file: rater,rule,share")
    parser.add_argument("--tests", type=Path, help="CSV file of permutation tests on medians, adjusted after Holm")
    parser.add_argument("--seed", type=int, default=0, help="of the permutations (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Screen, summarise, write, print.

    Raises:
        InputError: Grades that cannot be read, an unknown reference or anchor, a folder that is not there.
    """
    for path in (options.out, options.excluded, options.tests):
        check_folder(path)
    scores = read_scores(options.ratings, 0, 100, ("rater", "item", "system", "score"))
    excluded = post_screen(scores, options.reference, options.mid_anchor)
    gone = {row.rater for row in excluded}
    raters = scores["rater"].nunique()
    kept = scores.loc[~scores["rater"].isin(list(gone))]
    print(f"{len(scores)} grades; {len(gone)} of {raters} raters excluded", file=sys.stderr)
    for row in excluded:
        print(f"excluded: {row.rater}: {row.rule} ({row.share:.1%})", file=sys.stderr)
    far = outliers(kept)
    if far:
        print(f"note: {len(far)} grades lie beyond 1.5 interquartile ranges; they are kept.", file=sys.stderr)
    for sentence in warnings_about(kept):
        print(f"warning: {sentence}", file=sys.stderr)
    found = summarise(kept)
    write_csv(options.out, COLUMNS, [[number(getattr(row, name)) for name in COLUMNS] for row in found])
    if options.excluded:
        write_csv(options.excluded, ("rater", "rule", "share"), [(e.rater, e.rule, number(e.share)) for e in excluded])
    if options.tests:
        names = ("system_a", "system_b", "difference", "p_value", "adjusted", "pairs")
        rows = [[number(getattr(test, name)) for name in names] for test in median_tests(kept, options.seed)]
        write_csv(options.tests, names, rows)
    print(markdown_table(COLUMNS, [[getattr(row, name) for name in COLUMNS] for row in found]))

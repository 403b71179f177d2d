"""`python -m evaluation power --elo D | --mos D`: raters and items that a test needs."""

import argparse
from pathlib import Path

from evaluation.commands.output import check_folder, number
from evaluation.power import Plan, for_elo, for_mos
from evaluation.tables import markdown_table, write_csv

COLUMNS = ("difference", "systems", "raters", "items", "answers", "power")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--elo", type=float, nargs="+", metavar="D", help="Elo points to separate, one or more")
    kind.add_argument("--mos", type=float, nargs="+", metavar="D", help="MOS points to separate, one or more")
    parser.add_argument("--systems", type=int, default=2, help="compared, every pair (default: %(default)s)")
    parser.add_argument("--power", type=float, default=0.8, help="chance of finding it (default: %(default)s)")
    parser.add_argument("--level", type=float, default=0.05, help="of all tests together (default: %(default)s)")
    parser.add_argument(
        "--per-rater", type=int, default=10, help="votes, or items scored, of a rater (default: %(default)s)"
    )
    parser.add_argument("--items", type=int, help="items at hand (default: as many as it takes)")
    parser.add_argument("--ties", type=float, default=0.2, help="elo: share between equals (default: %(default)s)")
    parser.add_argument("--rater-spread", type=float, help="SD between raters (default: 50 Elo, 0.3 MOS)")
    parser.add_argument("--item-spread", type=float, help="SD between items (default: 50 Elo, 0.2 MOS)")
    parser.add_argument("--noise", type=float, default=0.8, help="mos: SD of a single score (default: %(default)s)")
    parser.add_argument("--out", type=Path, help=f"CSV file: {','.join(COLUMNS)}")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Work out, print, write.

    Raises:
        InputError: Numbers out of range, too few items, a folder that is not there.
    """
    check_folder(options.out)
    plan = Plan(options.systems, options.power, options.level, options.per_rater, options.items)
    rows = []
    for difference in options.elo or options.mos:
        rater, item = (
            usual if given is None else given
            for given, usual in (
                (options.rater_spread, 50.0 if options.elo else 0.3),
                (options.item_spread, 50.0 if options.elo else 0.2),
            )
        )
        if options.elo:
            need = for_elo(difference, plan, options.ties, rater, item)
        else:
            need = for_mos(difference, plan, rater, item, options.noise)
        rows.append((difference, options.systems, need.raters, need.items, need.answers, need.power))
    if options.out:
        write_csv(options.out, COLUMNS, [[number(cell) for cell in row] for row in rows])
    print(markdown_table(COLUMNS, rows))

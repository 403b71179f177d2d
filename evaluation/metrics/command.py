"""`python -m evaluation metrics NAME ...`: metrics over two folders of WAV files with the same names."""

import argparse
import sys
from pathlib import Path

from evaluation.clips import paired_clips
from evaluation.errors import InputError
from evaluation.metrics import METRICS, find_metric
from evaluation.tables import markdown_table, write_csv


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"one or more of: {', '.join(METRICS)}")
    parser.add_argument(
        "--reference-dir", type=Path, required=True, help="WAV files, with a NAME.txt transcript beside each"
    )
    parser.add_argument("--degraded-dir", type=Path, required=True, help="WAV files of the same names")
    parser.add_argument("--out", type=Path, required=True, help="CSV file: item, metric, value and a mean row a metric")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure every pair, write the table, print the means.

    Raises:
        InputError: An unknown metric, a missing package, folders that do not match, a clip that cannot be scored.
    """
    names = list(dict.fromkeys(options.names))
    scores = {name: find_metric(name).load() for name in names}
    if not options.out.parent.is_dir():
        raise InputError(f"There is no folder {options.out.parent} for --out.")
    values: dict[str, list[tuple[str, float]]] = {name: [] for name in names}
    for count, (reference, degraded) in enumerate(paired_clips(options.reference_dir, options.degraded_dir), start=1):
        item = Path(reference.item).name
        for name, score in scores.items():
            values[name].append((item, score(reference, degraded)))
        print(f"{count}: {item}", file=sys.stderr)
    means = {name: sum(value for _, value in rows) / len(rows) for name, rows in values.items()}
    table = [
        (item, name, f"{value:.6f}") for name, rows in values.items() for item, value in [*rows, ("mean", means[name])]
    ]
    write_csv(options.out, ("item", "metric", "value"), table)
    summary = [(name, means[name], METRICS[name].better, METRICS[name].describes) for name in names]
    print(markdown_table(("metric", "mean", "better", "what"), summary))

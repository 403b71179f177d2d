"""`python -m evaluation bundled clap`: the arguments of the report on retrieval."""

import argparse
from pathlib import Path
from typing import Any

from evaluation.errors import InputError


def add_report(reports: Any) -> None:
    """Describe the report's arguments to the parsers of `bundled`."""
    report = reports.add_parser("clap", help="recall of captions among held-out clips, and of clips among captions")
    report.add_argument("--corpus", type=Path, required=True, help="folder with manifest.jsonl and FLAC shards")
    report.add_argument(
        "--models", nargs="+", default=["calm-clap-music"], metavar="MODEL",
        help="ids, folders, or repositories that transformers reads, such as hf://laion/larger_clap_music",
    )  # fmt: skip
    report.add_argument("--split", default="heldout", help="of the corpus (default: %(default)s)")
    report.add_argument("--limit", type=int, help="only the first clips")
    report.add_argument("--seed", type=int, default=0, help="seed of the intervals (default: %(default)s)")
    report.add_argument("--device", default="cpu", help="torch device (default: %(default)s)")
    report.add_argument("--json", action="store_true", help="one JSON object in place of a table")
    report.set_defaults(measure=_clap)


def _clap(options: argparse.Namespace) -> list[dict[str, object]]:
    from evaluation.bundled import clap

    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit must be at least 1, not {options.limit}.")
    return clap.measure(
        clap.Settings(
            corpus=options.corpus,
            split=options.split,
            models=options.models,
            limit=options.limit,
            device=options.device,
            seed=options.seed,
        )
    )

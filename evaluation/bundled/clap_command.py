"""`python -m evaluation bundled clap` and `guidance`: the arguments of the reports on what CLAP leads to."""

import argparse
from pathlib import Path
from typing import Any

from evaluation.errors import InputError


def add_reports(reports: Any) -> None:
    """Describe the arguments of both reports to the parsers of `bundled`."""
    report = reports.add_parser("clap", help="recall of captions among held-out clips, and of clips among captions")
    _shared(report)
    report.add_argument(
        "--models", nargs="+", default=["calm-clap-music"], metavar="MODEL",
        help="ids, folders, or repositories that transformers reads, such as hf://laion/larger_clap_music",
    )  # fmt: skip
    report.add_argument("--split", default="heldout", help="of the corpus (default: %(default)s)")
    report.add_argument("--limit", type=int, help="only the first clips")
    report.add_argument("--seed", type=int, default=0, help="seed of the intervals (default: %(default)s)")
    report.set_defaults(measure=_clap)
    report = reports.add_parser("guidance", help="music of captions or sounds by the weight of guidance")
    _shared(report)
    report.add_argument("--model", default="calm-music", help="id or folder (default: %(default)s)")
    report.add_argument("--by", choices=("caption", "sound"), default="caption", help="what the model is told")
    report.add_argument(
        "--cfg", type=float, nargs="+", default=[1.0, 1.5, 2.0, 3.0, 4.0], metavar="WEIGHT", help="1 is none"
    )
    report.add_argument("--pieces", type=int, default=30, help="of the validation split (default: %(default)s)")
    report.add_argument("--seconds", type=float, default=10.0, help="of sound (default: %(default)s)")
    report.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of generation (default: 0 1)")
    report.add_argument("--steps", type=int, help="of the head (default: the model's own)")
    report.set_defaults(measure=_guidance)


def _shared(report: argparse.ArgumentParser) -> None:
    report.add_argument("--corpus", type=Path, required=True, help="folder with manifest.jsonl and FLAC shards")
    report.add_argument("--device", default="cpu", help="torch device (default: %(default)s)")
    report.add_argument("--json", action="store_true", help="one JSON object in place of a table")


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


def _guidance(options: argparse.Namespace) -> list[dict[str, object]]:
    from evaluation.bundled import guidance

    if options.pieces < 2:
        raise InputError(f"--pieces must be at least 2, not {options.pieces}.")
    if not options.seconds > 0:
        raise InputError(f"--seconds must be above 0, not {options.seconds:g}.")
    return guidance.measure(
        guidance.Settings(
            corpus=options.corpus,
            model=options.model,
            by=options.by,
            weights=options.cfg,
            pieces=options.pieces,
            seconds=options.seconds,
            seeds=options.seeds,
            steps=options.steps,
            device=options.device,
        )
    )

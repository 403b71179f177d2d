"""`python -m evaluation reproduce speech`: the report on speech, from measurements to verdicts, in one run."""

import argparse
import sys
from pathlib import Path

from evaluation.bundled.continuation_command import CODECS
from evaluation.errors import InputError
from evaluation.tables import markdown_table, write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("report", choices=["speech"], help="which of the paper's halves")
    parser.add_argument("--out", type=Path, help="Markdown file (default: evaluation/reports/REPORT.md)")
    parser.add_argument("--work", type=Path, default=Path("data/reproduction"), help="where measurements are kept")
    parser.add_argument("--sections", nargs="+", metavar="NAME", help="only these, in this order")
    parser.add_argument("--calm", default="calm-continuation-en", help="model over latents (default: %(default)s)")
    parser.add_argument("--baseline", default="rq-continuation-en", help="model over codes (default: %(default)s)")
    parser.add_argument("--codecs", nargs="+", default=list(CODECS), metavar="CODEC", help="codecs alone, as ceilings")
    for name, suffix in (("teacher", "-teacher"), ("student", ""), ("consistency", "-consistency")):
        parser.add_argument(
            f"--{name}", default=f"calm-tts-en{suffix}", metavar="MODEL",
            help=f"text-to-speech model, {name} (default: %(default)s)",
        )  # fmt: skip
    parser.add_argument("--sentences", type=int, default=50, help="read by codecs and voices (default: %(default)s)")
    parser.add_argument("--prompts", type=int, default=20, help="held-out prompts (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=15.0, help="of new sound (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="of generation")
    parser.add_argument("--processes", type=int, default=2, help="recogniser processes (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure what is not measured yet, compare, write the report.

    Raises:
        InputError: An unknown section, a missing model or package, or a folder that is not there.
    """
    from evaluation.reproduction import speech
    from evaluation.reproduction.cache import Cache
    from evaluation.reproduction.orders import HEADER, table_rows

    out = options.out or Path("evaluation/reports") / f"{options.report}.md"
    if not out.parent.is_dir():
        raise InputError(f"There is no folder {out.parent} for the report; make it first.")
    names = options.sections or list(speech.SECTIONS)
    for name in names:
        if name not in speech.SECTIONS:
            raise InputError(f"There is no section {name!r}; choose from {', '.join(speech.SECTIONS)}.")
    if min(options.sentences, options.prompts) < 2 or len(set(options.seeds)) < 2:
        raise InputError("Intervals need --sentences and --prompts of 2 or more, and at least two --seeds.")
    settings = speech.Settings(
        calm=options.calm, baseline=options.baseline, prompts=options.prompts, seconds=options.seconds,
        seeds=options.seeds, processes=options.processes, codecs=options.codecs,
        sentences=options.sentences, teacher=options.teacher, student=options.student, consistency=options.consistency,
    )  # fmt: skip
    cache = Cache(options.work)
    parts = [speech.INTRODUCTION]
    for name in names:
        print(f"section {name}", file=sys.stderr, flush=True)
        section = speech.SECTIONS[name](settings, cache)
        parts.append(f"## {section.title}\n\n{section.text}")
        if section.orders:
            parts.append(markdown_table(HEADER, table_rows(section.orders)))
    write_text(out, "\n\n".join(parts) + "\n")
    print(out)

"""`python -m evaluation reproduce speech`: its options and its sections."""

import argparse
from functools import partial

from evaluation.bundled.continuation_command import CODECS
from evaluation.errors import InputError
from evaluation.reproduction.section import Prepared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the report's own arguments."""
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
    parser.add_argument("--processes", type=int, default=2, help="recogniser processes (default: %(default)s)")


def prepare(options: argparse.Namespace) -> Prepared:
    """Every section ready to be made.

    Raises:
        InputError: Numbers that are too small for intervals.
    """
    from evaluation.reproduction import speech
    from evaluation.reproduction.cache import Cache

    if min(options.sentences, options.prompts) < 2 or len(set(options.seeds)) < 2:
        raise InputError("Intervals need --sentences and --prompts of 2 or more, and at least two --seeds.")
    settings = speech.Settings(
        calm=options.calm, baseline=options.baseline, prompts=options.prompts, seconds=options.seconds,
        seeds=options.seeds, processes=options.processes, codecs=options.codecs,
        sentences=options.sentences, teacher=options.teacher, student=options.student, consistency=options.consistency,
    )  # fmt: skip
    cache = Cache(options.work)
    sections = {name: partial(make, settings, cache) for name, make in speech.SECTIONS.items()}
    return Prepared(speech.INTRODUCTION, sections)

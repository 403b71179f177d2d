"""`python -m evaluation bundled continuation` and `diversity`: the arguments of the two reports on continuations."""

import argparse
from pathlib import Path
from typing import Any

from evaluation.errors import InputError

MODELS = ["calm-continuation-en", "rq-continuation-en"]
CODECS = ["calm-codec-speech", "rq-codec-speech"]


def add_reports(reports: Any) -> None:
    """Describe both reports' arguments to the parsers of `bundled`."""
    report = reports.add_parser("continuation", help="continuations of held-out prompts beside the real ones")
    _shared(report, [0.8, 1.0])
    report.add_argument("--codecs", nargs="*", default=CODECS, metavar="CODEC", help="codecs alone, as ceilings")
    report.add_argument(
        "--speakers", choices=("held-out", "flite"), default="held-out",
        help="who tells the held-out stories: speakers kept out of training, or flite's own voices",
    )  # fmt: skip
    report.add_argument("--prompts", type=int, default=20, help="held-out prompts (default: %(default)s)")
    report.add_argument("--prompt-seconds", type=float, default=2.96, help="prompt length (default: %(default)s)")
    report.add_argument("--seconds", type=float, default=15.0, help="of new sound (default: %(default)s)")
    report.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="of generation")
    report.add_argument("--processes", type=int, default=2, help="recogniser processes (default: %(default)s)")
    report.add_argument("--audio-dir", type=Path, help="keep the clips here, a folder a system")
    report.set_defaults(measure=_continuation)
    report = reports.add_parser("diversity", help="how alike the voices are that a model makes up, by temperature")
    _shared(report, [0.2, 0.4, 0.6, 0.8, 1.0, 1.2])
    report.add_argument("--clips", type=int, default=40, help="clips a temperature (default: %(default)s)")
    report.add_argument("--seconds", type=float, default=10.0, help="length of a clip (default: %(default)s)")
    report.add_argument("--seed", type=int, default=0, help="seed of all draws (default: %(default)s)")
    report.set_defaults(measure=_diversity)


def _shared(report: argparse.ArgumentParser, temperatures: list[float]) -> None:
    report.add_argument(
        "--models", nargs="+", default=MODELS, metavar="MODEL", help="ids or folders (default: the bundled ones)"
    )
    report.add_argument("--temperatures", type=float, nargs="+", default=temperatures, metavar="T", help="of the sound")
    report.add_argument("--device", default="cpu", help="torch device (default: %(default)s)")
    report.add_argument("--json", action="store_true", help="one JSON object in place of a table")


def _continuation(options: argparse.Namespace) -> list[dict[str, object]]:
    from evaluation.bundled import continuation

    if options.prompts < 2 or options.processes < 1:
        raise InputError("--prompts must be at least 2 and --processes at least 1.")
    settings = continuation.Settings(
        models=options.models, codecs=options.codecs, temperatures=options.temperatures, prompts=options.prompts,
        prompt_seconds=options.prompt_seconds, seconds=options.seconds, seeds=options.seeds, device=options.device,
        processes=options.processes, audio_dir=options.audio_dir, speakers=options.speakers,
    )  # fmt: skip
    return continuation.summarise(continuation.measure(settings))


def _diversity(options: argparse.Namespace) -> list[dict[str, object]]:
    from evaluation.bundled import diversity

    settings = diversity.Settings(
        models=options.models, temperatures=options.temperatures, clips=options.clips, seconds=options.seconds,
        device=options.device, seed=options.seed,
    )  # fmt: skip
    return diversity.measure(settings)

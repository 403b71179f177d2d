"""`python -m evaluation bundled REPORT`: the figures of the model cards."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.bundled import clap_command, continuation_command
from evaluation.bundled.engine import Variant, variants
from evaluation.bundled.sentences import read_sentences
from evaluation.errors import InputError
from evaluation.tables import markdown_table, write_csv


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the reports."""
    reports = parser.add_subparsers(required=True, metavar="REPORT", parser_class=type(parser))
    for name, says, run in (
        ("intelligibility", "word error rate beside the source voices and the codec alone", _intelligibility),
        ("cloning", "speaker similarity and rank-1 accuracy on held-out speakers", _cloning),
        ("codec", "quality of reconstruction and phones in the latents, of one codec or several side by side", _codec),
    ):
        report = reports.add_parser(name, help=says)
        if name != "codec":
            report.add_argument(
                "--models", "--model", nargs="+", default=["calm-tts-en"], metavar="MODEL",
                help="text-to-speech models, by id or as local folders (default: calm-tts-en)",
            )  # fmt: skip
            for name_of_value, kind, says_of_value in (
                ("temperature", float, "variance of the noise"),
                ("steps", int, "evaluations of the sampler head for each frame"),
                ("cfg", float, "guidance; 1 is none"),
            ):
                report.add_argument(
                    f"--{name_of_value}", type=kind, nargs="+", default=[], metavar="VALUE",
                    help=f"{says_of_value}; each model is measured with every value (default: the model's own)",
                )  # fmt: skip
            report.add_argument("--systems", help="comma-separated part of what is compared")
        if name == "codec":
            report.add_argument(
                "--codecs", "--codec", nargs="+", default=["calm-codec-speech"], metavar="CODEC",
                help="codecs, by id or as local folders, on the same clips (default: calm-codec-speech)",
            )  # fmt: skip
        else:
            report.add_argument("--codec", default="calm-codec-speech", help="codec model (default: %(default)s)")
        report.add_argument("--device", default="cpu", help="torch device (default: %(default)s)")
        report.add_argument("--sentences", type=Path, help="text file, a sentence a line (default: the project's 100)")
        report.add_argument("--limit", type=int, help="only the first sentences")
        report.add_argument(
            "--seed", type=int, default=0, help="seed of generation and intervals (default: %(default)s)"
        )
        report.add_argument("--json", action="store_true", help="one JSON object in place of a table")
        if name == "intelligibility":
            report.add_argument("--voices", default="", help="comma-separated (default: every bundled voice in turn)")
            report.add_argument("--every-voice", action="store_true", help="each sentence in each voice")
            report.add_argument("--processes", type=int, default=2, help="recogniser processes (default: %(default)s)")
            report.add_argument(
                "--similarity", action="store_true", help="also the speaker similarity to the source voice's reading"
            )
            report.add_argument("--audio-dir", type=Path, help="keep the clips here, a folder a system")
            report.add_argument("--out", type=Path, help="CSV of every sentence as it was heard")
        if name == "cloning":
            report.add_argument("--speakers", type=int, default=20, help="held-out speakers (default: %(default)s)")
            report.add_argument("--per-speaker", type=int, default=3, help="judged clips each (default: %(default)s)")
            report.add_argument(
                "--prompt-seconds", type=float, default=3.0, help="prompt length (default: %(default)s)"
            )
        report.set_defaults(run=run)
    continuation_command.add_reports(reports)
    clap_command.add_reports(reports)
    for added in ("continuation", "diversity", "clap", "guidance"):
        reports.choices[added].set_defaults(run=_measured)


def _names(given: str | None, default: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip() for name in given.split(",") if name.strip()) if given else tuple(default)


def _show(options: argparse.Namespace, rows: list[dict[str, Any]], started: float) -> None:
    if options.json:
        skip = {"run", "json", "measure"}
        asked = {
            key: str(value) if isinstance(value, Path) else value
            for key, value in vars(options).items()
            if key not in skip
        }
        print(json.dumps({"arguments": asked, "seconds": round(time.monotonic() - started, 1), "rows": rows}))
    else:
        print(markdown_table(list(rows[0]), [["" if v is None else v for v in row.values()] for row in rows]))


def _measured(options: argparse.Namespace) -> None:
    started = time.monotonic()
    _show(options, options.measure(options), started)


def _sentences(options: argparse.Namespace) -> Any:
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit must be at least 1, not {options.limit}.")
    return read_sentences(options.sentences, options.limit)


def _variants(options: argparse.Namespace) -> list[Variant]:
    return variants(options.models, options.temperature, options.steps, options.cfg)


def _intelligibility(options: argparse.Namespace) -> None:
    from evaluation.bundled import intelligibility

    started = time.monotonic()
    if options.processes < 1:
        raise InputError(f"--processes must be at least 1, not {options.processes}.")
    settings = intelligibility.Settings(
        sentences=_sentences(options),
        systems=_names(options.systems, intelligibility.SYSTEMS),
        voices=_names(options.voices, ()),
        every_voice=options.every_voice,
        models=_variants(options),
        codec=options.codec,
        device=options.device,
        seed=options.seed,
        processes=options.processes,
        similarity=options.similarity,
        audio_dir=options.audio_dir,
    )
    rows = intelligibility.measure(settings)
    if options.out:
        write_csv(
            options.out,
            ("system", "voice", "said", "heard", "wrong", "words"),
            [(row.system, row.voice, row.said, row.text, *row.word_errors) for row in rows],
        )
    _show(options, intelligibility.summarise(rows, options.seed), started)


def _cloning(options: argparse.Namespace) -> None:
    from evaluation.bundled import cloning

    started = time.monotonic()
    if options.per_speaker < 1 or options.prompt_seconds <= 0:
        raise InputError("--per-speaker must be at least 1 and --prompt-seconds above 0.")
    settings = cloning.Settings(
        sentences=_sentences(options),
        systems=_names(options.systems, cloning.SYSTEMS),
        speakers=options.speakers,
        per_speaker=options.per_speaker,
        prompt_seconds=options.prompt_seconds,
        models=_variants(options),
        codec=options.codec,
        device=options.device,
        seed=options.seed,
    )
    _show(options, cloning.summarise(cloning.measure(settings), options.seed), started)


def _codec(options: argparse.Namespace) -> None:
    from evaluation.bundled import codec

    started = time.monotonic()
    settings = codec.Settings(_sentences(options), options.codecs, options.device, options.seed)
    _show(options, codec.measure(settings), started)

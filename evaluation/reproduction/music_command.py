"""`python -m evaluation reproduce music`: its options and its sections."""

import argparse
import math
import sys
from functools import partial
from pathlib import Path

from evaluation.errors import InputError
from evaluation.reproduction.music.settings import PART_SECONDS, Settings
from evaluation.reproduction.section import Prepared

_STANDARD = Settings()
_CLASSIFIER = Path(__file__).parents[2] / "assets" / "evaluation" / "attributes.safetensors"
_MODELS = {
    "calm": "over latents, with a consistency head", "trigflow": "over latents, with a TrigFlow head",
    "rq": "over codes, with an RQ-Transformer", "delays": "over codes, with MusicGen's delays",
    "codec": "codec of latents", "rq_codec": "codec of codes",
}  # fmt: skip
_MOST_SECONDS, _MOST_SEED, _MOST_STEPS = 120.0, 999, 128
FRAME_RATE = 25.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the report's own arguments."""
    parser.add_argument(
        "--corpus",
        type=Path,
        help="folder of the corpus of music (corpus_music.yaml); without it, what is kept is told",
    )
    parser.add_argument(
        "--records", type=Path, help="folder of measurements that are kept (default: that of --out without its ending)"
    )
    for name, says in _MODELS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", metavar="MODEL",
            help=f"{says}, an id or a folder (default: {getattr(_STANDARD, name)})",
        )  # fmt: skip
    parser.add_argument(
        "--ablations", type=Path, metavar="FOLDER",
        help="folder of models, or of finished runs, of tables 4, 5, 7, 8 and 10 and figure 3: {calm,rq}-music-base, "
        "calm-music-without-{multiplier,noise,short-context,all}, calm-music-short-context-{5,20,40}, "
        "calm-music-multiplier-N-at-STEPS, calm-codec-music-dims-{32,96,128}, calm-codec-music-wave, "
        "rq-codec-music-levels-{16,32}; of other sizes and so packaged: {calm,rq}-music-large, rq-music-half",
    )  # fmt: skip
    for name, says in (
        ("prompts", "held-out prompts"), ("captions", "held-out captions"),
        ("long-prompts", "prompts of long continuations"), ("sounds", "clips for codecs"),
        ("takes", "measurements of each speed"),
    ):  # fmt: skip
        standard = getattr(_STANDARD, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=int, default=standard, help=f"{says} (default: %(default)s)")
    for name, says in (
        ("prompt-seconds", "of each prompt, whole frames of 40 ms"), ("seconds", "of new sound"),
        ("long-seconds", f"of long continuations, a multiple of {PART_SECONDS:g}"),
    ):  # fmt: skip
        standard = getattr(_STANDARD, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=float, default=standard, help=f"{says} (default: %(default)s)")
    parser.add_argument(
        "--steps", type=int, nargs="+", default=list(_STANDARD.steps), metavar="N", help="of the heads in table 9"
    )
    parser.add_argument("--embedder", default=_STANDARD.embedder, help="of the FAD and captions, as metrics take it")
    parser.add_argument("--tagger", default=_STANDARD.tagger, help="of the KLD, as metrics take it")
    parser.add_argument(
        "--attributes", type=Path, help="classifier of attributes (default: the bundled one, where there is one)"
    )
    parser.add_argument("--device", default="cpu", help="torch device (default: %(default)s)")


def prepare(options: argparse.Namespace) -> Prepared:
    """Every section ready to be made; those that were not asked for are told from what is kept.

    Raises:
        InputError: A number outside its limits, or a model, a folder or a file that was named and is not there.
    """
    from evaluation.reproduction.cache import Cache
    from evaluation.reproduction.music import report
    from evaluation.reproduction.music.desk import Desk
    from evaluation.reproduction.records import Records

    _check_numbers(options)
    models = {name: _model(options, name) for name in _MODELS}
    if options.ablations is not None and not options.ablations.is_dir():
        raise InputError(f"There is no folder {options.ablations} for --ablations.")
    if options.attributes is not None and not options.attributes.is_file():
        raise InputError(f"There is no file {options.attributes} for --attributes; make one with: python -m evaluation "
                         "attributes")  # fmt: skip
    settings = Settings(
        corpus=options.corpus, **models, ablations=options.ablations, prompts=options.prompts,
        prompt_seconds=options.prompt_seconds, seconds=options.seconds, captions=options.captions,
        long_prompts=options.long_prompts, long_seconds=options.long_seconds, sounds=options.sounds,
        seeds=sorted(set(options.seeds)), steps=sorted(set(options.steps)), takes=options.takes,
        embedder=options.embedder, tagger=options.tagger,
        attributes=options.attributes or (_CLASSIFIER if _CLASSIFIER.is_file() else None), device=options.device,
    )  # fmt: skip
    if options.embedder != _STANDARD.embedder and settings.judge is None:
        raise InputError(
            f"The embedder {options.embedder!r} is not here; give one that is, or mel, which needs no model."
        )
    records = Records(options.records or options.out.with_suffix(""))
    cache = Cache(options.work / "music")
    desk = Desk(settings, records, cache)
    if desk.held_out is None:
        print("no --corpus: what is kept is told, nothing is measured", file=sys.stderr)
    elif desk.judge is None:
        print(f"no {settings.ear}: what needs it is told as it is kept, not measured", file=sys.stderr)
    kept = Desk(settings, records, cache, measuring=False)
    asked = options.sections or list(report.SECTIONS)
    sections = {name: partial(make, desk if name in asked else kept) for name, make in report.SECTIONS.items()}
    return Prepared(report.INTRODUCTION, sections, whole=True)


def _model(options: argparse.Namespace, name: str) -> str:
    """The model of an option; one that was named must be there."""
    from evaluation.reproduction.fingerprints import of_model

    given = getattr(options, name)
    if given is not None and of_model(given) is None:
        raise InputError(
            f"There is no model {given!r} for --{name.replace('_', '-')}; give a bundled id or a folder with "
            "model.safetensors."
        )
    return given or getattr(_STANDARD, name)


def _check_numbers(options: argparse.Namespace) -> None:
    for name in ("prompts", "captions", "long_prompts", "sounds"):
        if getattr(options, name) < 2:
            raise InputError(f"--{name.replace('_', '-')} is {getattr(options, name)} and must be at least 2.")
    if options.sounds > max(options.prompts, options.captions):
        raise InputError(f"--sounds is {options.sounds} and may be as many as --prompts or --captions at most.")
    if options.takes < 1:
        raise InputError(f"--takes is {options.takes} and must be at least 1.")
    for name in ("prompt_seconds", "seconds", "long_seconds"):
        value = getattr(options, name)
        if not 1.0 <= value <= _MOST_SECONDS:
            raise InputError(f"--{name.replace('_', '-')} is {value:g} and must be from 1 to {_MOST_SECONDS:g}.")
    if not math.isclose(options.prompt_seconds * FRAME_RATE, round(options.prompt_seconds * FRAME_RATE)):
        raise InputError(
            f"--prompt-seconds is {options.prompt_seconds:g} and must be a multiple of 0.04, whole frames."
        )
    if options.long_seconds % PART_SECONDS or options.long_seconds < 2 * PART_SECONDS:
        raise InputError(
            f"--long-seconds is {options.long_seconds:g} and must be a multiple of {PART_SECONDS:g}, at least "
            f"{2 * PART_SECONDS:g}."
        )
    if not all(0 <= seed <= _MOST_SEED for seed in options.seeds):
        raise InputError(f"--seeds must lie between 0 and {_MOST_SEED}.")
    if not all(1 <= steps <= _MOST_STEPS for steps in options.steps):
        raise InputError(f"--steps must lie between 1 and {_MOST_STEPS}.")

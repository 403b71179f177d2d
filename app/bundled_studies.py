"""Render the sounds of the bundled studies: `python -m app.bundled_studies [--only STUDY] [--model ID] [--codec ID]`.

Each study lies in a folder with its `study.yaml`; every prompt is read by flite (the source voices), and made by each
system after its name: `codec`, `model-TEMPERATURE` (the text, spoken by the speech model) or
`FAMILY-continuation-TEMPERATURE` (the model FAMILY-continuation-en goes on from the beginning of flite's reading; a
retrained one puts `-v2` before the temperature, so that votes for the first keep their meaning). For studies of music
see `app.bundled_music`. Needs Debian's flite, and fluidsynth and fluid-soundfont-gm for music.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from app import bundled_music
from app.continuation import PROMPT_SECONDS
from app.encoding import synthetic_note, to_int16
from app.errors import UserError
from app.music import CONTINUE
from app.samples.sound_file import write_clip
from app.settings import ASSETS, Settings, load_settings
from app.studies.create import check_source, study_folders
from app.studies.schema import Prompt, Study, read_study

FOLDER = ASSETS / "studies"
SOURCE, CODEC, MODEL = "source", "codec", "model-"
CONTINUATION = re.compile(r"(?P<family>[a-z]+-continuation)(-v\d+)?-(?P<temperature>[\d.]+)")
CLIP_SECONDS = 15.0  # of continuations, prompt included
MUSIC_SECONDS = {"pairwise": 12.0, "mos": 8.0, "mushra": 8.0}  # what is heard of a piece, prompt included
_PEAK = 0.97
# Of Opus: some 60 kbit/s where two sounds are compared, 25 where what is said is, and nobody judges the sound.
_JUDGED, _TOLD = 0.8, 0.93
Made = tuple[str, np.ndarray, int]  # system, samples [T], rate in hertz


class Models:
    """The models that systems are made with, each loaded when it is first needed.

    Args:
        settings: the app's default model and codec.
        others: folders or identifiers by family, or by the identifier of a model of music, where they are not the
            bundled ones.
    """

    def __init__(self, settings: Settings, others: dict[str, str] | None = None):
        self._settings = settings
        self.others = others or {}
        self.loaded = cache(self._load)

    def speech(self) -> Any:
        """The speech model."""
        return self.loaded(self._settings.default_model, "tts")

    def codec(self) -> Any:
        """The codec."""
        return self.loaded(self._settings.default_codec, "codec")

    def continuation(self, family: str) -> Any:
        """The model of a family that continues speech."""
        return self.loaded(self.others.get(family, f"{family}-en"), "speech_continuation")

    @staticmethod
    def _load(model: str, task: Any) -> Any:
        import calm_core

        return calm_core.load(model, task=task)

    def missing(self, study: Study) -> list[str]:
        """Models that go on from a sound, are needed by a study and are not there."""
        families = [found["family"] for one in study.systems if (found := CONTINUATION.fullmatch(one.name))]
        named = [*(self.others.get(family, f"{family}-en") for family in families)]
        named += [self.others.get(model, model) for model in bundled_music.models_of(study)]
        return [
            model
            for model in dict.fromkeys(named)
            if not Path(model).exists() and not (ASSETS / "checkpoints" / model / "model.safetensors").is_file()
        ]


def main(arguments: list[str] | None = None) -> int:
    """Render the studies of the folder; 2 when a model, the codec, flite or a study cannot be used."""
    parser = argparse.ArgumentParser(description="Render the sounds of the bundled studies.")
    parser.add_argument("--only", help="name of the one study to render (default: all)")
    parser.add_argument("--model", help="default: the app's default model")
    parser.add_argument("--codec", help="default: the app's default codec")
    parser.add_argument(
        "--continuation", action="append", default=[], metavar="FAMILY=MODEL",
        help="another model of a family or of music, such as calm-continuation=runs/mine or calm-music=runs/music",
    )  # fmt: skip
    parser.add_argument("--studies", type=Path, default=FOLDER, help="folder of studies (default: assets/studies)")
    options = parser.parse_args(arguments)
    from calm_core.errors import InputError

    try:
        settings = load_settings(default_model=options.model, default_codec=options.codec)
        models = Models(settings, dict(given.partition("=")[::2] for given in options.continuation))
        for folder in study_folders(options.studies):
            if options.only not in (None, folder.name):
                continue
            if missing := models.missing(read_study(folder)):
                print(f"{folder}: left out, for there is no model {missing[0]} yet")
                continue
            seconds, size = render(folder, models)
            _, batch = check_source(folder)
            print(f"{folder}: {len(batch.stimuli)} stimuli, {seconds:.0f} s of sound in {size / 1e6:.1f} MB")
    except UserError as error:
        print(error.message, file=sys.stderr)
        return 2
    except (InputError, RuntimeError) as error:  # flite says in a RuntimeError that it is missing
        print(error, file=sys.stderr)
        return 2
    return 0


def render(folder: Path, models: Models) -> tuple[float, int]:
    """Make all sounds of one study; `audio` is replaced when all are made.

    Args:
        folder: With `study.yaml`.
        models: What the systems are made with; the speech model has voices with the names that prompts begin with.

    Returns:
        Seconds of sound and bytes on disk.

    Raises:
        UserError: The study is not in order.
        InputError: A model is not there, does not know a voice, or cannot say a text.
    """
    study = read_study(folder)
    seconds, size = 0.0, 0
    with tempfile.TemporaryDirectory(dir=folder, prefix=".audio-") as part:
        for prompt in study.prompts:
            for system, samples, rate in _renditions(study, prompt, models):
                name = study.path_of(next(one for one in study.systems if one.name == system), prompt)
                path = Path(part) / Path(name).relative_to("audio")
                path.parent.mkdir(exist_ok=True)
                _write(path, samples, rate, study)
                seconds += len(samples) / rate
                size += path.stat().st_size
            print(f"{study.slug}: {prompt.name}", file=sys.stderr, flush=True)
        shutil.rmtree(folder / "audio", ignore_errors=True)
        shutil.copytree(part, folder / "audio")
    return seconds, size


def _renditions(study: Study, prompt: Prompt, models: Models) -> list[Made]:
    """Each system that plays a prompt, no louder than can be written."""
    from calm_core.training.speakers import Speaker
    from calm_core.training.synthesize import speak

    names = [system.name for system, one, _ in study.stimuli() if one.name == prompt.name]
    # one seed a prompt: temperatures then differ in how far the same noise reaches
    seed = int.from_bytes(hashlib.sha256(f"{study.slug}/{prompt.name}".encode()).digest()[:4])
    if bundled_music.models_of(study):
        seconds = MUSIC_SECONDS[study.kind]
        made = list(bundled_music.renditions(study, prompt.name, names, seed, models.loaded, models.others, seconds))
        return _alike(made)
    voice = prompt.name.split("-")[0]
    read = speak(prompt.text or "", Speaker(voice, voice)).astype(np.float32)
    if any(CONTINUATION.fullmatch(name) for name in names):
        return _alike(list(_continued(names, read, seed, models)))
    return [_limited(one) for one in _read_aloud(names, prompt, voice, read, seed, models)]


def _read_aloud(
    names: list[str], prompt: Prompt, voice: str, read: np.ndarray, seed: int, models: Models
) -> Iterator[Made]:
    """The text of a prompt: flite's reading, the same through the codec, and the model's own."""
    import torch

    from calm_core import Audio
    from calm_core.training.synthesize import CORPUS_RATE

    for name in names:
        if name == SOURCE:
            yield name, read, CORPUS_RATE
        elif name == CODEC:
            decoded = models.codec().reconstruct(Audio(torch.from_numpy(read), CORPUS_RATE))
            rate = decoded.sample_rate
            yield name, decoded.samples.numpy().reshape(-1)[: round(len(read) * rate / CORPUS_RATE)], rate
        else:
            temperature = float(name.removeprefix(MODEL))
            spoken = models.speech().generate(prompt.text, voice=voice, seed=seed, temperature=temperature)
            yield name, spoken.samples.numpy().reshape(-1), spoken.sample_rate


def _continued(names: list[str], read: np.ndarray, seed: int, models: Models) -> Iterator[Made]:
    """Flite's reading, and what models make of its beginning; all of one length and with the same first samples."""
    import torch

    from calm_core import Audio
    from calm_core.training.synthesize import CORPUS_RATE

    for name in names:
        found = CONTINUATION.fullmatch(name)
        if found is None:
            yield name, read[: round(CLIP_SECONDS * CORPUS_RATE)], CORPUS_RATE
            continue
        model = models.continuation(found["family"])
        head = int(PROMPT_SECONDS * model.frame_rate) / model.frame_rate  # whole frames: nothing is cut off its front
        prompt = Audio(torch.from_numpy(read[: round(head * CORPUS_RATE)]), CORPUS_RATE)
        made = model.generate(prompt, CLIP_SECONDS - head, seed=seed, temperature=float(found["temperature"]))
        yield name, made.samples.numpy().reshape(-1), made.sample_rate


def _alike(made: list[Made]) -> list[Made]:
    """No louder than can be written, by one gain for all, so that all begin alike."""
    top = max(float(np.abs(samples).max(initial=0.0)) for _, samples, _ in made)
    gain = min(1.0, _PEAK / top) if top else 1.0
    return [(name, samples * gain, rate) for name, samples, rate in made]


def _limited(made: Made) -> Made:
    name, samples, rate = made
    top = float(np.abs(samples).max(initial=0.0))
    return name, samples * min(1.0, _PEAK / top) if top else samples, rate


def _write(path: Path, samples: np.ndarray, rate: int, study: Study) -> None:
    """Marked as synthetic; Opus where the study's files end with `.ogg`, else FLAC."""
    note = synthetic_note(CONTINUE if bundled_music.models_of(study) else None)
    if path.suffix == ".ogg":
        told = any(CONTINUATION.fullmatch(system.name) for system in study.systems)
        write_clip(path, samples, rate, _TOLD if told else _JUDGED, note, peak=1.0)
        return
    with soundfile.SoundFile(path, "w", rate, 1, format="FLAC", subtype="PCM_16", compression_level=1.0) as file:
        file.comment = note
        file.write(to_int16(samples))


if __name__ == "__main__":
    sys.exit(main())

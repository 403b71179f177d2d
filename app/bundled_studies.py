"""Render the sounds of the bundled studies: `python -m app.bundled_studies [--model ID] [--codec ID]`.

Each study lies in a folder with its `study.yaml`; every prompt is read by flite (the source voices), sent through the
codec, and spoken by the model at the temperatures that the systems' names end in. Needs Debian's flite.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from app.encoding import SYNTHETIC_NOTE, to_int16
from app.errors import UserError
from app.settings import ASSETS, load_settings
from app.studies.create import check_source, study_folders
from app.studies.schema import Prompt, Study, read_study

FOLDER = ASSETS / "studies"
SOURCE, CODEC, MODEL = "source", "codec", "model-"
_PEAK = 0.97


def main(arguments: list[str] | None = None) -> int:
    """Render every study of the folder; 2 when the model, the codec, flite or a study cannot be used."""
    parser = argparse.ArgumentParser(description="Render the sounds of the bundled studies.")
    parser.add_argument("--model", help="default: the app's default model")
    parser.add_argument("--codec", help="default: the app's default codec")
    parser.add_argument("--studies", type=Path, default=FOLDER, help="folder of studies (default: assets/studies)")
    options = parser.parse_args(arguments)
    import calm_core
    from calm_core.errors import InputError

    try:
        settings = load_settings(default_model=options.model, default_codec=options.codec)
        speech = calm_core.load(settings.default_model, task="tts")
        codec = calm_core.load(settings.default_codec, task="codec")
        for folder in study_folders(options.studies):
            seconds, size = render(folder, speech, codec)
            _, batch = check_source(folder)
            print(f"{folder}: {len(batch.stimuli)} stimuli, {seconds:.0f} s of sound in {size / 1e6:.1f} MB")
    except UserError as error:
        print(error.message, file=sys.stderr)
        return 2
    except (InputError, RuntimeError) as error:  # flite says in a RuntimeError that it is missing
        print(error, file=sys.stderr)
        return 2
    return 0


def render(folder: Path, speech: Any, codec: Any) -> tuple[float, int]:
    """Make all sounds of one study; `audio` is replaced when all are made.

    Args:
        folder: With `study.yaml`.
        speech: A loaded speech model whose voices have the names that prompts begin with.
        codec: A loaded codec.

    Returns:
        Seconds of sound and bytes on disk.

    Raises:
        UserError: The study is not in order.
        InputError: The model does not know a voice, or cannot say a text.
    """
    study = read_study(folder)
    seconds, size = 0.0, 0
    with tempfile.TemporaryDirectory(dir=folder, prefix=".audio-") as part:
        for prompt in study.prompts:
            for system, samples, rate in _renditions(study, prompt, speech, codec):
                path = Path(part) / system / f"{prompt.name}.flac"
                path.parent.mkdir(exist_ok=True)
                _write(path, samples, rate)
                seconds += len(samples) / rate
                size += path.stat().st_size
            print(f"{study.slug}: {prompt.name}", file=sys.stderr, flush=True)
        shutil.rmtree(folder / "audio", ignore_errors=True)
        shutil.copytree(part, folder / "audio")
    return seconds, size


def _renditions(study: Study, prompt: Prompt, speech: Any, codec: Any) -> list[tuple[str, np.ndarray, int]]:
    """Samples `[T]` and rate of each system that plays a prompt."""
    import torch

    from calm_core import Audio
    from calm_core.training.speakers import Speaker
    from calm_core.training.synthesize import CORPUS_RATE, speak

    voice = prompt.name.split("-")[0]
    read = speak(prompt.text or "", Speaker(voice, voice)).astype(np.float32)
    made = []
    for system, one, _ in study.stimuli():
        if one.name != prompt.name:
            continue
        if system.name == SOURCE:
            samples, rate = read, CORPUS_RATE
        elif system.name == CODEC:
            decoded = codec.reconstruct(Audio(torch.from_numpy(read), CORPUS_RATE))
            rate = decoded.sample_rate
            samples = decoded.samples.numpy().reshape(-1)[: round(len(read) * rate / CORPUS_RATE)]
        else:
            temperature = float(system.name.removeprefix(MODEL))
            # one seed a prompt: temperatures then differ in how far the same noise reaches
            seed = int.from_bytes(hashlib.sha256(f"{study.slug}/{prompt.name}".encode()).digest()[:4])
            spoken = speech.generate(prompt.text, voice=voice, seed=seed, temperature=temperature)
            samples, rate = spoken.samples.numpy().reshape(-1), spoken.sample_rate
        made.append((system.name, samples, rate))
    return made


def _write(path: Path, samples: np.ndarray, rate: int) -> None:
    """FLAC with 16 bits, marked as synthetic; lossless, since the codec and not its packing is judged."""
    top = float(np.abs(samples).max(initial=0.0))
    with soundfile.SoundFile(
        path, "w", rate, 1, format="FLAC", subtype="PCM_16", compression_level=1.0
    ) as file:  # fmt: skip
        file.comment = SYNTHETIC_NOTE
        file.write(to_int16(samples * min(1.0, _PEAK / top) if top else samples))


if __name__ == "__main__":
    sys.exit(main())

"""What bundled codecs do to speech that they never heard: held-out speakers reading held-out sentences."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.bundled.engine import Reconstruction, progress
from evaluation.bundled.phones import FIGURES, phone_discrimination
from evaluation.bundled.sentences import Sentence
from evaluation.bundled.sources import corpus_speakers, read_aloud
from evaluation.errors import InputError
from evaluation.intervals import bootstrap_ratio
from evaluation.metrics import find_metric

NAMES = ("pesq", "stoi", "estoi", "visqol", "si_snr", "mel_distance", "log_spectral_distance", "speaker_similarity")
ORIGINAL = "original"
ABX_SPEAKERS = 4
"""Held-out speakers who read every sentence for ABX: it needs the same triphones from one speaker and from several."""


@dataclass(frozen=True)
class Settings:
    """What to measure, on what."""

    sentences: Sequence[Sentence]
    codecs: Sequence[str] = ("calm-codec-speech",)
    device: str = "cpu"
    seed: int = 0


def measure(settings: Settings) -> list[dict[str, object]]:
    """One row a figure and codec: its mean over the sentences with a bootstrap interval. All hear the same clips.

    WER is pooled over words and ABX averaged as in `metrics.abx`, both in percent; ABX has no interval. The bit rate
    is in kbit/s, "-" where latents are continuous.

    Raises:
        InputError: A missing model, package or flite, or a codec twice.
    """
    labels = _labels(settings.codecs)
    codecs = [Reconstruction(model, settings.device) for model in settings.codecs]
    bitrates = {
        label: "-" if codec.bitrate is None else codec.bitrate / 1000
        for label, codec in zip(labels, codecs, strict=True)
    }
    scores = {name: find_metric(name).load() for name in NAMES}
    find_metric("wer").load()
    from evaluation.metrics.recognition import transcribe, word_errors

    _, held_out = corpus_speakers()
    speakers = list(held_out.values())
    values: dict[tuple[str, str], list[tuple[float, float]]] = {
        (name, label): [] for name in (*NAMES, "wer") for label in labels
    }
    values["wer", ORIGINAL] = []
    for number, sentence in enumerate(progress("codec", settings.sentences)):
        speaker = speakers[number % len(speakers)]
        original = read_aloud(f"{number:03d}-{speaker.name}", sentence.written, speaker, sentence.said)
        heard = {ORIGINAL: original}
        for label, reconstruct in zip(labels, codecs, strict=True):
            heard[label] = reconstruct(original)
            for name, score in scores.items():
                values[name, label].append((score(original, heard[label]), 1.0))
        for label, clip in heard.items():
            wrong, said = word_errors(sentence.said, transcribe(clip))
            values["wer", label].append((100.0 * wrong, float(said)))
    table: list[dict[str, object]] = []
    for (name, label), pairs in values.items():
        mean, low, high = bootstrap_ratio(pairs, np.random.default_rng(settings.seed))
        row = {"figure": name, "codec": label, "kbit/s": bitrates.get(label, "-"), "clips": len(pairs)}
        table.append({**row, "mean": mean, "low": low, "high": high})
    try:
        found = phone_discrimination(
            [codec.latents for codec in codecs], settings.sentences, speakers[:ABX_SPEAKERS], settings.seed
        )
    except InputError as error:  # too few sentences for it
        print(f"abx is left out: {error}", file=sys.stderr)
        return table
    clips = len(settings.sentences) * ABX_SPEAKERS
    for name in FIGURES:
        for label, results in zip(labels, found, strict=True):
            row = {"figure": name, "codec": label, "kbit/s": bitrates[label], "clips": clips}
            table.append({**row, "mean": 100 * results[name].error, "low": "-", "high": "-"})
    return table


def _labels(codecs: Sequence[str]) -> list[str]:
    """What tables call the codecs: the last part of the name, where that tells them apart.

    Raises:
        InputError: The same twice.
    """
    for codec in codecs:
        if codecs.count(codec) > 1:
            raise InputError(f"The codec {codec} is named twice; name every codec once.")
    names = [Path(codec).name for codec in codecs]
    return [name if names.count(name) == 1 else codec for name, codec in zip(names, codecs, strict=True)]

"""What bundled codecs do to speech that they never heard: held-out speakers reading held-out sentences."""

import sys
from collections.abc import Mapping, Sequence
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
SCORED = (*NAMES, "wer")
FIGURE_ORDER = (*SCORED, *FIGURES)
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


@dataclass(frozen=True)
class Scored:
    """One figure of one clip after one codec: `top / bottom`, words wrong in percent and words for WER."""

    figure: str
    codec: str
    clip: int
    top: float
    bottom: float


Codecs = Mapping[str, Reconstruction]


def load(settings: Settings) -> Codecs:
    """The codecs by what tables call them.

    Raises:
        InputError: A missing model, or a codec twice.
    """
    labels = _labels(settings.codecs)
    return {label: Reconstruction(m, settings.device) for label, m in zip(labels, settings.codecs, strict=True)}


def score(settings: Settings, codecs: Codecs) -> list[Scored]:
    """Every figure of every clip after every codec; WER also of the original.

    Raises:
        InputError: A missing package or flite.
    """
    scores = {name: find_metric(name).load() for name in NAMES}
    find_metric("wer").load()
    from evaluation.metrics.recognition import transcribe, word_errors

    speakers = list(corpus_speakers()[1].values())
    rows = []
    for number, sentence in enumerate(progress("codec", settings.sentences)):
        speaker = speakers[number % len(speakers)]
        original = read_aloud(f"{number:03d}-{speaker.name}", sentence.written, speaker, sentence.said)
        heard = {ORIGINAL: original}
        for label, reconstruct in codecs.items():
            heard[label] = reconstruct(original)
            for name, scored in scores.items():
                rows.append(Scored(name, label, number, scored(original, heard[label]), 1.0))
        for label, clip in heard.items():
            wrong, said = word_errors(sentence.said, transcribe(clip))
            rows.append(Scored("wer", label, number, 100.0 * wrong, float(said)))
    return rows


@dataclass(frozen=True)
class Discriminated:
    """How well one codec's latents tell two phones apart: the ABX errors of both orders of the two added up.

    Attributes:
        figure: Within speakers or across.
        codec: What tables call it.
        phones: The two.
        top: Errors in percent.
        bottom: Orders that have triples.
    """

    figure: str
    codec: str
    phones: str
    top: float
    bottom: float


def discriminate(settings: Settings, codecs: Codecs) -> list[Discriminated]:
    """ABX errors of every codec's latents, within speakers and across, by pair of phones.

    Raises:
        InputError: flite is missing, or there are too few sentences for it.
    """
    encoders = [codec.latents for codec in codecs.values()]
    speakers = list(corpus_speakers()[1].values())[:ABX_SPEAKERS]
    found = phone_discrimination(encoders, settings.sentences, speakers, settings.seed)
    rows = []
    for name in FIGURES:
        for label, results in zip(codecs, found, strict=True):
            added: dict[str, list[float]] = {}
            for pair, error in results[name].by_pair.items():
                added.setdefault(" ".join(sorted(pair)), []).append(100 * error)
            rows += [Discriminated(name, label, both, sum(each), float(len(each))) for both, each in added.items()]
    return rows


def measure(settings: Settings) -> list[dict[str, object]]:
    """One row a figure and codec: its mean over the sentences with a bootstrap interval. All hear the same clips.

    WER is pooled over words and ABX averaged as in `metrics.abx`, both in percent; the interval of ABX is over pairs of
    phones, which its `clips` counts. The bit rate is in kbit/s, "-" where latents are continuous.

    Raises:
        InputError: See `load` and `score`.
    """
    codecs = load(settings)
    bitrates = {label: "-" if one.bitrate is None else one.bitrate / 1000 for label, one in codecs.items()}
    grouped: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in score(settings, codecs):
        grouped.setdefault((row.figure, row.codec), []).append((row.top, row.bottom))
    try:
        for found in discriminate(settings, codecs):
            grouped.setdefault((found.figure, found.codec), []).append((found.top, found.bottom))
    except InputError as error:  # too few sentences for it
        print(f"abx is left out: {error}", file=sys.stderr)
    table: list[dict[str, object]] = []
    for (figure, codec), pairs in sorted(grouped.items(), key=lambda item: FIGURE_ORDER.index(item[0][0])):
        mean, low, high = bootstrap_ratio(pairs, np.random.default_rng(settings.seed))
        row = {"figure": figure, "codec": codec, "kbit/s": bitrates.get(codec, "-"), "clips": len(pairs)}
        table.append({**row, "mean": mean, "low": low, "high": high})
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

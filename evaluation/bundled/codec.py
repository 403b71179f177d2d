"""What the bundled codec does to speech that it never heard: held-out speakers reading held-out sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.bundled.engine import Reconstruction, progress
from evaluation.bundled.sentences import Sentence
from evaluation.bundled.sources import corpus_speakers, read_aloud
from evaluation.intervals import bootstrap_ratio
from evaluation.metrics import find_metric

NAMES = ("pesq", "stoi", "estoi", "visqol", "si_snr", "mel_distance", "log_spectral_distance", "speaker_similarity")


@dataclass(frozen=True)
class Settings:
    """What to measure, on what."""

    sentences: Sequence[Sentence]
    codec: str = "calm-codec-speech"
    device: str = "cpu"
    seed: int = 0


def measure(settings: Settings) -> list[dict[str, object]]:
    """One row a figure: its mean over the sentences with a bootstrap interval. WER is pooled over words, in percent.

    Raises:
        InputError: A missing model, package or flite.
    """
    reconstruct = Reconstruction(settings.codec, settings.device)
    scores = {name: find_metric(name).load() for name in NAMES}
    find_metric("wer").load()
    from evaluation.metrics.recognition import transcribe, word_errors

    _, held_out = corpus_speakers()
    speakers = list(held_out.values())
    values: dict[str, list[tuple[float, float]]] = {name: [] for name in (*NAMES, "wer", "wer of the original")}
    for number, sentence in enumerate(progress("codec", settings.sentences)):
        speaker = speakers[number % len(speakers)]
        original = read_aloud(f"{number:03d}-{speaker.name}", sentence.written, speaker, sentence.said)
        decoded = reconstruct(original)
        for name, score in scores.items():
            values[name].append((score(original, decoded), 1.0))
        for name, clip in (("wer", decoded), ("wer of the original", original)):
            wrong, said = word_errors(sentence.said, transcribe(clip))
            values[name].append((100.0 * wrong, float(said)))
    table = []
    for name, pairs in values.items():
        mean, low, high = bootstrap_ratio(pairs, np.random.default_rng(settings.seed))
        table.append({"figure": name, "clips": len(pairs), "mean": mean, "low": low, "high": high})
    return table

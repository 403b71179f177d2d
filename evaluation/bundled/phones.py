"""ABX of a codec's latents on speech whose phones flite has timed: can the phones of CALM's table 1 be told apart?

As in the ZeroSpeech challenges, a token is a phone with both neighbours, and only phones between the same neighbours
are compared ("bat" with "bet"). Pauses take no part.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from calm_core.training.speakers import Speaker
from evaluation.bundled.engine import progress
from evaluation.bundled.sentences import Sentence
from evaluation.bundled.sources import read_aloud_timed
from evaluation.clips import Clip
from evaluation.metrics.abx import AbxResult, Token, abx
from evaluation.metrics.phone_items import frames_between

PAUSE = "pau"
FIGURES = {"abx within speakers": False, "abx across speakers": True}

Latents = Callable[[Clip], tuple[np.ndarray, float]]


def triphones(phones: Sequence[tuple[str, float]]) -> Iterator[tuple[str, str, str, float, float]]:
    """Each phone that has a neighbour on both sides: itself, previous, following, and where the three begin and end.

    Args:
        phones: Names and ends in seconds.
    """
    begins = [0.0, *(end for _, end in phones)]
    for place in range(1, len(phones) - 1):
        (previous, _), (phone, _), (following, end) = phones[place - 1 : place + 2]
        if PAUSE not in (previous, phone, following):
            yield phone, previous, following, begins[place - 1], end


def tokens_of(
    features: np.ndarray, frame_rate: float, phones: Sequence[tuple[str, float]], speaker: str
) -> Iterator[Token]:
    """The tokens of one reading; phones that are too short to hold the middle of a frame are left out."""
    for phone, previous, following, start, end in triphones(phones):
        frames = frames_between(features, frame_rate, start, end)
        if len(frames):
            yield Token(frames, phone, previous, following, speaker)


def phone_discrimination(
    encoders: Sequence[Latents], sentences: Sequence[Sentence], speakers: Sequence[Speaker], seed: int
) -> list[dict[str, AbxResult]]:
    """ABX of several codecs on the same readings: each speaker reads every sentence.

    Args:
        encoders: From a clip to latents `[T, D]` and their frames per second.
        sentences: What is read; few sentences hold no phones between the same neighbours.
        speakers: Who reads.
        seed: Of the draws among tokens where there are many.

    Returns:
        For each encoder the results by the names in `FIGURES`.

    Raises:
        InputError: flite is missing, or the sentences have nothing to compare.
    """
    tokens: list[list[Token]] = [[] for _ in encoders]
    readings = [(number, sentence, speaker) for speaker in speakers for number, sentence in enumerate(sentences)]
    for number, sentence, speaker in progress("phones", readings):
        clip, phones = read_aloud_timed(f"{number:03d}-{speaker.name}", sentence.written, speaker, sentence.said)
        for mine, encode in zip(tokens, encoders, strict=True):
            mine.extend(tokens_of(*encode(clip), phones, speaker.name))
    return [{name: abx(mine, across, seed=seed) for name, across in FIGURES.items()} for mine in tokens]

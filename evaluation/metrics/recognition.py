"""Error rates of a recogniser: pocketsphinx 5 with the US English models that it carries, or Whisper."""

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from jiwer import process_characters, process_words

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.optional import require
from evaluation.metrics.words import spoken_words

Recogniser = Callable[[Clip], str]

_RATE = 16_000


@lru_cache(maxsize=1)
def _decoder() -> Any:
    pocketsphinx = require("pocketsphinx", "The recogniser pocketsphinx", "pocketsphinx==5.1.1")
    # cmn=batch: the mean of each utterance alone, so that a result never depends on what was heard before
    return pocketsphinx.Decoder(samprate=float(_RATE), cmn="batch", loglevel="FATAL")


@lru_cache(maxsize=8)  # WER and CER ask for the same clip in turn
def transcribe(clip: Clip) -> str:
    """What pocketsphinx hears; an empty string where it hears nothing. The same clip always reads the same."""
    samples = clip.at(_RATE)
    if not samples.any():
        return ""  # the decoder would guess a word
    pcm = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
    decoder = _decoder()
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    heard = decoder.hyp()
    return heard.hypstr if heard else ""


@lru_cache(maxsize=2)
def find_recogniser(name: str, device: str = "cpu") -> Recogniser:
    """The recogniser of a name, loaded; it keeps what it heard in the last clips.

    Args:
        name: `pocketsphinx`, or `whisper:MODEL` with a folder or a model of the Hub.
        device: Where Whisper runs.

    Raises:
        InputError: There is none of that name, or a package or file of it is missing.
    """
    kind, _, source = name.partition(":")
    if name == "pocketsphinx":
        _decoder()
        return transcribe
    if kind == "whisper" and source:
        from evaluation.metrics.whisper import Whisper

        return lru_cache(maxsize=8)(Whisper(source, device).transcribe)
    raise InputError(f"There is no recogniser {name!r}; choose pocketsphinx or whisper:MODEL.")


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """Wrong words (substituted, dropped or added) and words said."""
    reference, hypothesis = spoken_words(said), spoken_words(heard)
    aligned = process_words(" ".join(reference), " ".join(hypothesis))
    return aligned.substitutions + aligned.deletions + aligned.insertions, len(reference)


def character_errors(said: str, heard: str) -> tuple[int, int]:
    """Wrong characters and characters said, a single space between words."""
    reference, hypothesis = " ".join(spoken_words(said)), " ".join(spoken_words(heard))
    aligned = process_characters(reference, hypothesis)
    return aligned.substitutions + aligned.deletions + aligned.insertions, len(reference)


def _texts(reference: Clip, degraded: Clip, recogniser: Recogniser) -> tuple[str, str]:
    """What was said and what is heard; without a transcript, what is heard in the reference counts as said."""
    said = reference.transcript
    if said is None:
        print(f"{reference.item} has no .txt beside it: its own recognised words stand in", file=sys.stderr)
        said = recogniser(reference)
    if not spoken_words(said):
        raise InputError(f"No words are known for {reference.item}; put a .txt file with its text beside it.")
    return said, recogniser(degraded)


def wer(reference: Clip, degraded: Clip, recogniser: Recogniser = transcribe) -> float:
    """Word error rate of what is heard in `degraded`; 0 is perfect, above 1 means more wrong words than words said.

    Raises:
        InputError: Nothing is known to be said.
    """
    wrong, said = word_errors(*_texts(reference, degraded, recogniser))
    return wrong / said


def cer(reference: Clip, degraded: Clip, recogniser: Recogniser = transcribe) -> float:
    """Character error rate of what is heard in `degraded`.

    Raises:
        InputError: Nothing is known to be said.
    """
    wrong, said = character_errors(*_texts(reference, degraded, recogniser))
    return wrong / said

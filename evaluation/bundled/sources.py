"""The real thing beside which the bundled models are judged: the corpus speakers, read anew by flite.

A speaker of the corpus is a few numbers that follow from the recipe's seed, so nothing recorded is needed.
"""

from pathlib import Path

import numpy as np

from calm_core.errors import InputError as EngineError
from calm_core.training.speakers import Speaker, make_speakers
from calm_core.training.synthesize import CORPUS_RATE, load_recipe, speak_timed
from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError

RECIPE = Path(__file__).parents[2] / "calm_core" / "configs" / "corpus_speech.yaml"


def corpus_speakers() -> tuple[dict[str, Speaker], dict[str, Speaker]]:
    """Training and held-out speakers of the bundled models by name."""
    try:
        recipe = load_recipe(RECIPE, [])
    except EngineError as error:
        raise InputError(str(error)) from error
    training, held_out = make_speakers(recipe.speakers_per_voice, recipe.held_out_speakers, recipe.seed)
    return {speaker.name: speaker for speaker in training}, {speaker.name: speaker for speaker in held_out}


def read_aloud(item: str, text: str, speaker: Speaker, said: str | None = None) -> Clip:
    """A speaker of the corpus reads a text: 24 kHz, loudness as in the corpus.

    Raises:
        InputError: flite is missing.
    """
    return read_aloud_timed(item, text, speaker, said)[0]


def read_aloud_timed(
    item: str, text: str, speaker: Speaker, said: str | None = None
) -> tuple[Clip, list[tuple[str, float]]]:
    """The same, and the phones with their ends in seconds.

    Raises:
        InputError: flite is missing.
    """
    try:
        samples, phones = speak_timed(text, speaker)
    except RuntimeError as error:
        raise InputError(str(error)) from error
    return make_clip(item, samples, CORPUS_RATE, said or text), phones


def first_seconds(clips: list[Clip], seconds: float) -> Clip:
    """The beginning of several clips joined, of just that length.

    Raises:
        InputError: They are too short together.
    """
    joined = np.concatenate([clip.samples for clip in clips])
    wanted = round(seconds * clips[0].sample_rate)
    if len(joined) < wanted:
        raise InputError(
            f"The prompt clips last {len(joined) / clips[0].sample_rate:.1f} s together; {seconds} s are needed."
        )
    return Clip(clips[0].item, joined[:wanted], clips[0].sample_rate)

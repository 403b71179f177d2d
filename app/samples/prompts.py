"""Prompts that no model heard in training, made anew: stories by flite, pieces of music by fluidsynth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.errors import UserError
from app.samples.schema import ROOT, Prompts

STORIES = "calm_core/configs/corpus_stories.yaml"
PIECES = "calm_core/configs/corpus_music.yaml"


@dataclass(frozen=True)
class Passage:
    """The beginning of a recording and how it really went on.

    Attributes:
        name: Names its files.
        prompt: The first seconds, float32 [T].
        whole: The prompt and what followed it.
        rate: Samples a second.
        prompt_text: Words of the prompt, or what the music is.
        rest_text: Words after the prompt; empty for music.
    """

    name: str
    prompt: np.ndarray
    whole: np.ndarray
    rate: int
    prompt_text: str
    rest_text: str


def make_passages(prompts: Prompts) -> list[Passage]:
    """The described passages, always the same.

    Raises:
        UserError: flite or fluidsynth is missing, or fewer recordings are long enough.
        InputError: a corpus recipe cannot be used.
    """
    found: list[Passage] = []
    try:
        for passage in _told(prompts) if prompts.kind == "stories" else _played(prompts):
            found.append(passage)
            if len(found) == prompts.count:
                return found
    except RuntimeError as error:  # the engine says in one that a program is missing
        raise UserError(str(error), code="missing_program") from None
    raise UserError(
        f"Only {len(found)} held-out {prompts.kind} last {prompts.prompt_seconds + prompts.seconds:g} s; "
        f"ask for fewer than {prompts.count} prompts or for fewer seconds.",
        code="bad_samples",
    )


def _told(prompts: Prompts) -> Iterator[Passage]:
    """One story of each held-out speaker, the same that the reports are about."""
    from calm_core.training.synthesize import CORPUS_RATE, load_recipe, plan, utterances

    recipe = load_recipe(ROOT / STORIES, [])
    told = set()
    for job in plan(recipe)[0]:
        if job.split != "heldout" or job.speakers[0].name in told:
            continue
        for row, samples in utterances(job, recipe):
            name = job.speakers[0].name
            if (made := cut(name, samples, CORPUS_RATE, prompts, row["words"])) is not None:
                told.add(name)
                yield made


def _played(prompts: Prompts) -> Iterator[Passage]:
    from calm_core.training.music.corpus import clips, load_recipe, plan
    from calm_core.training.music.render import MUSIC_RATE

    recipe = load_recipe(ROOT / PIECES, ["pieces=8"])  # what is held out does not depend on how many are not
    for job in plan(recipe):
        if job.split == "heldout":
            for row, samples in clips(job, recipe):
                if (made := cut(job.key, samples, MUSIC_RATE, prompts, [], row["text"])) is not None:
                    yield made


def cut(
    name: str, samples: np.ndarray, rate: int, prompts: Prompts, words: list[Any], caption: str = ""
) -> Passage | None:
    """The passage of a recording `[T]`; None where it is too short.

    Args:
        name: Names its files.
        samples: The whole recording.
        rate: Samples a second.
        prompts: How much of it is given and goes on.
        words: Each with its start and end in seconds.
        caption: What it is, where it has no words.
    """
    given_end, end = round(prompts.prompt_seconds * rate), round((prompts.prompt_seconds + prompts.seconds) * rate)
    if len(samples) < end:
        return None
    given = " ".join(word for word, start, _ in words if start < prompts.prompt_seconds)
    rest = [word for word, start, _ in words if prompts.prompt_seconds <= start < end / rate]
    whole = samples[:end].astype(np.float32)
    return Passage(name, whole[:given_end], whole, rate, given or caption, " ".join(rest))

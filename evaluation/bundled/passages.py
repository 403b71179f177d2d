"""Passages that the continuation models never heard: held-out stories, made anew by flite."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from calm_core.errors import InputError as EngineError
from calm_core.training.speakers import FLITE_VOICES, Speaker
from calm_core.training.synthesize import CORPUS_RATE, CorpusRecipe, Job, load_recipe, plan, utterances
from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError

Speakers = Literal["held-out", "flite"]
"""Who tells the stories: the speakers that were kept out of training, or flite's own four voices, which were not."""

RECIPE = Path(__file__).parents[2] / "calm_core" / "configs" / "corpus_stories.yaml"


@dataclass(frozen=True)
class Passage:
    """The beginning of a story and how it really went on.

    Attributes:
        speaker: Who tells it.
        prompt: The first seconds.
        rest: The seconds after them; its transcript holds the words spoken in it.
        words: Those words, each with the second of the rest at which it begins.
    """

    speaker: str
    prompt: Clip
    rest: Clip
    words: list[tuple[str, float]]


@cache
def _plan() -> tuple[list[Job], CorpusRecipe]:
    try:
        recipe = load_recipe(RECIPE, [])
        return plan(recipe)[0], recipe
    except EngineError as error:
        raise InputError(str(error)) from error


def training_texts() -> list[str]:
    """The texts that the continuation models were trained on, for a language model of their world."""
    return [job.text for job in _plan()[0] if job.split == "train"]


def _tellings(speakers: Speakers, jobs: Sequence[Job]) -> Iterator[tuple[str, Job]]:
    """Held-out stories, each with one speaker, and the name of the passage that comes of it."""
    if speakers == "flite":
        for number, job in enumerate(job for job in jobs if job.split == "valid"):
            voice = FLITE_VOICES[number % len(FLITE_VOICES)]
            yield f"{job.key}-{voice}", replace(job, base=voice, speakers=(Speaker(voice, voice),))
    else:
        yield from ((job.speakers[0].name, job) for job in jobs if job.split == "heldout")


@lru_cache(maxsize=1)  # every system of a comparison is told the same stories
def held_out_passages(
    count: int, prompt_seconds: float, seconds: float, speakers: Speakers = "held-out"
) -> tuple[Passage, ...]:
    """Held-out stories: one each of the first `count` held-out speakers, or `count` by flite's voices in turn.

    Args:
        count: Number of passages.
        prompt_seconds: Length of the prompt.
        seconds: Length of the rest; stories that are shorter are passed over.
        speakers: Who tells them.

    Raises:
        InputError: There are fewer, or flite is missing.
    """
    jobs, recipe = _plan()
    found: dict[str, Passage] = {}
    for name, job in _tellings(speakers, jobs):
        if name in found or len(found) == count:
            continue
        try:
            made = list(utterances(job, recipe))
        except RuntimeError as error:
            raise InputError(str(error)) from error
        for row, samples in made:
            cut, end = round(prompt_seconds * CORPUS_RATE), round((prompt_seconds + seconds) * CORPUS_RATE)
            if len(samples) < end:
                continue
            words = [
                (word, start - prompt_seconds)
                for word, start, _ in row["words"]
                if prompt_seconds <= start < prompt_seconds + seconds
            ]
            found[name] = Passage(
                job.speakers[0].name,
                make_clip(f"{name}-prompt", samples[:cut], CORPUS_RATE),
                make_clip(f"{name}-real", samples[cut:end], CORPUS_RATE, " ".join(word for word, _ in words)),
                words,
            )
    if len(found) < count:
        raise InputError(
            f"Only {len(found)} held-out stories of the {speakers} speakers last {prompt_seconds + seconds:.0f} s; "
            "ask for fewer prompts or seconds."
        )
    return tuple(found.values())

"""Make the synthetic speech corpus that a recipe describes: FLAC shards, a manifest and the list of speakers.

    recipe -> texts, speakers -> jobs (one text, one flite voice, a few speakers) -> shards -> manifest.jsonl

Each shard is written by one process, whole or not at all, so a run that was stopped goes on where it was.
A manifest row is one utterance: `id, split, speaker, text, shard, start, samples, phones, words`; `start` and `samples`
count samples in the shard, `phones` lists `[phone, end in seconds]`, `words` `[word, start, end]`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soxr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calm_core.config import describe
from calm_core.errors import InputError
from calm_core.training.corpus_shards import write_corpus
from calm_core.training.corpus_text import corpus_sentences, split_texts
from calm_core.training.loudness import normalise_loudness
from calm_core.training.music import corpus as music_corpus
from calm_core.training.recipes import read_values
from calm_core.training.speakers import (
    FLITE_RATE,
    FLITE_VOICES,
    Speaker,
    analyse,
    make_speakers,
    read_with_flite,
    revoice,
)
from calm_core.training.stories import stories
from calm_core.training.word_times import word_times

CORPUS_RATE = 24_000


class CorpusRecipe(BaseModel):
    """What `calm synthesize` reads. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")

    folder: Path
    kind: Literal["sentences", "stories"] = "sentences"
    texts: int = Field(ge=8, description="training texts; each is read by one flite voice")
    story_words: tuple[int, int] = Field((95, 115), description="fewest and most words of a text of stories")
    voices_per_text: int = Field(2, ge=1, description="speakers that each reading is turned into")
    speakers_per_voice: int = Field(30, ge=1)
    original_share: float = Field(0.25, ge=0.0, le=1.0, description="share of the texts read in flite's own voices")
    held_out_speakers: int = Field(20, ge=2)
    held_out_per_mille: int = Field(20, ge=1, le=500)
    sentences_per_held_out_speaker: int = Field(12, ge=2)
    loudness_lufs: float = Field(-23.0, ge=-40.0, le=-10.0)
    texts_per_shard: int = Field(100, ge=1)
    max_seconds: float = Field(12.0, gt=1.0, description="longer readings are left out")
    seed: int = 0
    processes: int = Field(2, ge=1)
    fortunes: Path = Path("/usr/share/games/fortunes")
    word_list: Path = Path("/usr/share/dict/american-english")
    excluded_texts: Path | None = Field(None, description="a file of sentences, one a line, never read")


@dataclass(frozen=True)
class Job:
    """One text, the flite voice that reads it and the speakers that the reading is turned into."""

    key: str
    split: str
    text: str
    base: str
    speakers: tuple[Speaker, ...]


def load_recipe(path: Path, overrides: list[str]) -> CorpusRecipe:
    """Read a corpus recipe; `overrides` are `key=value` pairs parsed as YAML.

    Raises:
        InputError: The file is missing, is no YAML mapping, or a key or value is wrong; the message names it.
    """
    try:
        return CorpusRecipe(**read_values(path, overrides))
    except ValidationError as error:
        raise InputError(f"The recipe {path}: {describe(error)}") from None


def plan(recipe: CorpusRecipe) -> tuple[list[Job], list[Speaker]]:
    """All jobs of a recipe in a fixed order, and every speaker: the same recipe always gives the same plan."""
    excluded = recipe.excluded_texts.read_text(encoding="utf-8").splitlines() if recipe.excluded_texts else []
    if recipe.kind == "stories":
        told = stories(recipe.seed, *recipe.story_words)
        training_texts, held_out_texts = split_texts(told, recipe.texts, excluded, recipe.held_out_per_mille)
    else:
        training_texts, held_out_texts = corpus_sentences(
            recipe.texts, recipe.seed, recipe.fortunes, recipe.word_list, excluded, recipe.held_out_per_mille
        )
    training, held_out = make_speakers(recipe.speakers_per_voice, recipe.held_out_speakers, recipe.seed)
    rng = np.random.default_rng(recipe.seed + 3)
    of_voice = {voice: [s for s in training if s.base == voice] for voice in FLITE_VOICES}

    def job(key: str, split: str, text: str, voice: str) -> Job:
        chosen = rng.choice(len(of_voice[voice]), size=min(recipe.voices_per_text, len(of_voice[voice])), replace=False)
        picked = [of_voice[voice][i] for i in chosen]
        if rng.random() < recipe.original_share:  # heard more often: the bundled presets are built on these voices
            picked[0] = of_voice[voice][0]
        return Job(key, split, text, voice, tuple(dict.fromkeys(picked)))

    jobs = [job(f"t{i:06d}", "train", text, FLITE_VOICES[i % 4]) for i, text in enumerate(training_texts)]
    jobs += [job(f"v{i:05d}", "valid", text, FLITE_VOICES[i % 4]) for i, text in enumerate(held_out_texts)]
    texts = iter(
        held_out_texts * (1 + len(held_out) * recipe.sentences_per_held_out_speaker // max(1, len(held_out_texts)))
    )
    for speaker in held_out:
        for index in range(recipe.sentences_per_held_out_speaker):
            jobs.append(Job(f"{speaker.name}-{index:02d}", "heldout", next(texts), speaker.base, (speaker,)))
    return jobs, training + held_out


def speak(text: str, speaker: Speaker, target_lufs: float = -23.0) -> np.ndarray:
    """A speaker's real (synthetic-corpus) reading of a text: samples `[T]` at 24 kHz, float64."""
    return speak_timed(text, speaker, target_lufs)[0]


def speak_timed(text: str, speaker: Speaker, target_lufs: float = -23.0) -> tuple[np.ndarray, list[tuple[str, float]]]:
    """The same, and the phones with their ends in seconds."""
    samples, phones = read_with_flite(text, speaker.base)
    if not speaker.is_original:
        samples = revoice(analyse(samples), speaker)
    audio = normalise_loudness(soxr.resample(samples, FLITE_RATE, CORPUS_RATE), CORPUS_RATE, target_lufs)
    return audio, _slower(phones, speaker, len(audio))


def utterances(job: Job, recipe: CorpusRecipe) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """The manifest rows (without shard and start) and 24 kHz samples of one job."""
    samples, phones = read_with_flite(job.text, job.base)
    if not phones or len(samples) > recipe.max_seconds * FLITE_RATE:
        return
    world = None if all(s.is_original for s in job.speakers) else analyse(samples)
    for speaker in job.speakers:
        voiced = samples if speaker.is_original or world is None else revoice(world, speaker)
        audio = normalise_loudness(soxr.resample(voiced, FLITE_RATE, CORPUS_RATE), CORPUS_RATE, recipe.loudness_lufs)
        row: dict[str, Any] = {
            "id": f"{job.key}-{speaker.name}",
            "split": job.split,
            "speaker": speaker.name,
            "text": job.text,
            "samples": len(audio),
            "phones": _slower(phones, speaker, len(audio)),
        }
        row["words"] = word_times(job.text, row["phones"])
        yield row, audio


def _slower(phones: list[tuple[str, float]], speaker: Speaker, samples: int) -> list[tuple[str, float]]:
    """Phones with their ends at the speaker's rate."""
    return [(phone, round(min(end / speaker.rate, samples / CORPUS_RATE), 4)) for phone, end in phones]


def synthesize(recipe: CorpusRecipe) -> dict[str, float]:
    """Make the whole corpus; returns its figures: utterances, hours, speakers.

    Raises:
        InputError: The text sources are not installed.
    """
    for source, package in ((recipe.fortunes, "fortunes"), (recipe.word_list, "wamerican")):
        if recipe.kind == "sentences" and not source.exists():
            raise InputError(f"{source} is missing; install it (on Debian: apt-get install {package}) or set its path.")
    jobs, speakers = plan(recipe)
    recipe.folder.mkdir(parents=True, exist_ok=True)
    (recipe.folder / "speakers.json").write_text(
        json.dumps([s.as_dict() for s in speakers], indent=1), encoding="utf-8"
    )
    count, seconds = write_corpus(
        recipe.folder, jobs, partial(utterances, recipe=recipe), CORPUS_RATE, recipe.texts_per_shard, recipe.processes
    )
    return {"utterances": count, "hours": seconds / 3600, "speakers": len(speakers)}


def main_recipe(path: Path, overrides: list[str]) -> dict[str, float]:
    """`calm synthesize RECIPE.yaml [key=value ...]`: speech, or music where the recipe's kind says so.

    Raises:
        InputError: See `load_recipe` and `synthesize`.
    """
    kind = read_values(path, overrides).get("kind")
    if kind == "collect":
        raise InputError(f"The recipe {path} is of a corpus of recordings; make it with: calm collect {path}")
    if kind == "music":
        return music_corpus.synthesize(music_corpus.load_recipe(path, overrides))
    return synthesize(load_recipe(path, overrides))

"""The corpus of music: which pieces there are, who may hear which, and what each is called.

A manifest row is one piece: `id, split, text, captions, attributes, shard, start, samples`; `text` is the fullest
caption, `attributes` are those of `notes.Piece.attributes`. Some pairs of a genre and a leading instrument are kept
from training altogether; their pieces are the held-out and the validation split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calm_core.config import describe as describe_error
from calm_core.errors import InputError
from calm_core.training.corpus_shards import write_corpus
from calm_core.training.music.captions import describe
from calm_core.training.music.composer import compose
from calm_core.training.music.genres import GENRES
from calm_core.training.music.notes import Piece
from calm_core.training.music.render import MUSIC_RATE, SOUND_FONT, check_renderer, play
from calm_core.training.recipes import read_values


class MusicCorpusRecipe(BaseModel):
    """What `calm synthesize` reads with `kind: music`. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["music"]
    folder: Path
    pieces: int = Field(ge=8, description="for training, of genres in turn")
    held_out_pieces: int = Field(ge=2, description="of the pairs of genre and leading instrument that training lacks")
    validation_pieces: int = Field(ge=2, description="of the same pairs; other pieces")
    held_out_per_mille: int = Field(80, ge=1, le=500, description="of the pairs")
    seconds: float = Field(30.0, ge=8.0, le=120.0, description="length of a piece, about")
    captions: int = Field(4, ge=1, le=16)
    loudness_lufs: float = Field(-18.0, ge=-40.0, le=-10.0)
    pieces_per_shard: int = Field(20, ge=1)
    sound_font: Path = SOUND_FONT
    seed: int = 0
    processes: int = Field(2, ge=1)


@dataclass(frozen=True)
class Job:
    """One piece: its id, its split and the seed of all that is drawn for it."""

    key: str
    split: str
    seed: int
    genre: str


def load_recipe(path: Path, overrides: list[str]) -> MusicCorpusRecipe:
    """Read a recipe; `overrides` are `key=value` pairs parsed as YAML.

    Raises:
        InputError: The file is missing, is no YAML mapping, or a key or value is wrong; the message names it.
    """
    try:
        return MusicCorpusRecipe(**read_values(path, overrides))
    except ValidationError as error:
        raise InputError(f"The recipe {path}: {describe_error(error)}") from None


def is_held_out(genre: str, instrument: str, per_mille: int) -> bool:
    """Whether training never hears this instrument lead in this genre: a matter of the two names alone."""
    digest = hashlib.blake2b(f"{genre} {instrument}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % 1000 < per_mille


def plan(recipe: MusicCorpusRecipe) -> list[Job]:
    """All jobs in a fixed order: the same recipe always gives the same plan.

    Raises:
        InputError: No pair of genre and instrument is held out.
    """
    pairs = [(g, i) for g, genre in GENRES.items() for i in genre.melody]
    kept = [pair for pair in pairs if is_held_out(*pair, recipe.held_out_per_mille)]
    if not kept or len(kept) == len(pairs):
        raise InputError(f"held_out_per_mille = {recipe.held_out_per_mille} keeps {len(kept)} of {len(pairs)} pairs.")
    wanted = {"train": recipe.pieces, "heldout": recipe.held_out_pieces, "valid": recipe.validation_pieces}
    genres = {
        "train": [g for g in GENRES if any(pair[0] == g and pair not in kept for pair in pairs)],
        "heldout": sorted({g for g, _ in kept}),
        "valid": sorted({g for g, _ in kept}),
    }
    jobs = []
    for number, (split, count) in enumerate(wanted.items()):
        seed, found = (recipe.seed * 3 + number) * 1_000_000, 0
        while found < count:
            genre = genres[split][found % len(genres[split])]
            lead = compose(seed, recipe.seconds, genre).instruments[0]
            if is_held_out(genre, lead, recipe.held_out_per_mille) == (split != "train"):
                jobs.append(Job(f"{split[0]}{found:06d}", split, seed, genre))
                found += 1
            seed += 1
    return jobs


def clips(job: Job, recipe: MusicCorpusRecipe) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """The manifest row (without shard and start) and 32 kHz samples of one job."""
    piece: Piece = compose(job.seed, recipe.seconds, job.genre)
    samples = play(piece, job.seed, recipe.sound_font, recipe.loudness_lufs)
    captions = describe(piece.attributes(), job.seed, recipe.captions)
    yield (
        {
            "id": job.key,
            "split": job.split,
            "text": captions[0],
            "captions": captions,
            "attributes": piece.attributes(),
            "samples": len(samples),
        },
        samples,
    )


def synthesize(recipe: MusicCorpusRecipe) -> dict[str, float]:
    """Make the whole corpus; returns its figures: pieces and hours.

    Raises:
        InputError: fluidsynth or the sound font is missing.
    """
    check_renderer(recipe.sound_font)
    count, seconds = write_corpus(
        recipe.folder, plan(recipe), partial(clips, recipe=recipe), MUSIC_RATE, recipe.pieces_per_shard,
        recipe.processes,
    )  # fmt: skip
    return {"pieces": count, "hours": seconds / 3600}

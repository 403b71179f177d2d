"""Make a corpus of recordings of others: `calm collect RECIPE.yaml`. Every trainer then reads it like one of ours.

    source -> recordings, not decoded -> pieces, decoded side by side -> shards -> manifest.jsonl

Long recordings are cut into pieces; pieces of one artist are in one split. A run that was stopped goes on behind the
shards that it has finished. Shapes: T samples.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from calm_core.config import describe
from calm_core.errors import InputError
from calm_core.training.corpus_shards import pcm, read_rows, rows_path, write_manifest, write_shard
from calm_core.training.faults import Faults, OnCorrupt
from calm_core.training.loudness import normalise_loudness
from calm_core.training.recipes import Strict, read_values
from calm_core.training.recordings.found import Found, Split, decode_sound
from calm_core.training.sources import OthersSource, found

_QUIETEST = 10 ** (-60 / 20)
"""Pieces whose peak is below -60 dBFS are silence."""
# Recordings for each process that are decoded before their pieces are written: a few keep it busy.
_AHEAD = 4


class CollectRecipe(Strict):
    """What `calm collect` reads."""

    kind: Literal["collect"]
    folder: Path
    source: Annotated[OthersSource, Field(discriminator="kind")]
    sample_rate: int = Field(32_000, ge=8_000, le=96_000)
    seconds: float = Field(30.0, ge=1.0, le=600.0, description="longest piece; longer recordings are cut")
    least_seconds: float = Field(5.0, ge=0.1, description="shorter recordings and ends are left out")
    most_seconds: float = Field(
        1800.0, gt=0, le=7200, description="read of a recording; what is behind them is left out"
    )
    pieces_a_recording: int | None = Field(None, ge=1, description="the first so many; all of them when left out")
    loudness_lufs: float | None = Field(None, ge=-40.0, le=-10.0, description="of each piece; as it is when left out")
    valid_per_mille: int = Field(10, ge=0, le=500, description="of the artists that the source puts in no split")
    held_out_per_mille: int = Field(20, ge=0, le=500)
    pieces_a_shard: int = Field(50, ge=1)
    only_captioned: bool = Field(False, description="leave out what has no caption, which only CLAP learns from")
    limit: int | None = Field(None, ge=1, description="recordings; all of them when left out")
    on_corrupt: OnCorrupt = "stop"
    processes: int = Field(2, ge=1)


@dataclass(frozen=True)
class Cut:
    """What became of one recording.

    Attributes:
        pieces: Rows without `shard` and `start`, and their samples `[T]` of 16 bits.
        fault: What is wrong with it, or None.
        silent: Pieces that were left out.
    """

    pieces: list[tuple[dict[str, Any], np.ndarray]]
    fault: str | None = None
    silent: int = 0


def read_collect_recipe(path: Path, overrides: list[str]) -> CollectRecipe:
    """Read the recipe; for overrides see `recipes.read_values`.

    Raises:
        InputError: The file is missing or a key or value is wrong; the message names it.
    """
    try:
        recipe = CollectRecipe(**read_values(path, overrides))
    except ValidationError as error:
        raise InputError(f"The recipe {path}: {describe(error)}") from None
    if recipe.least_seconds > recipe.seconds:
        raise InputError(f"The recipe {path}: least_seconds is above seconds ({recipe.seconds:g}); no piece could be.")
    return recipe


def split_of(item: Found, valid_per_mille: int, held_out_per_mille: int) -> Split:
    """The split that the source's authors chose, else one by the artist's name alone."""
    if item.split is not None:
        return item.split
    place = int.from_bytes(hashlib.blake2b(item.speaker.encode(), digest_size=4).digest(), "big") % 1000
    if place < held_out_per_mille:
        return "heldout"
    return "valid" if place < held_out_per_mille + valid_per_mille else "train"


def cut(item: Found, recipe: CollectRecipe) -> Cut:
    """Decode a recording and cut it into pieces; what is damaged comes back as a fault."""
    count = recipe.pieces_a_recording
    most = recipe.most_seconds if count is None else min(recipe.most_seconds, count * recipe.seconds)
    try:
        wave = decode_sound(item.sound, recipe.sample_rate, most).numpy()
    except (ValueError, OSError) as error:
        return Cut([], " ".join(str(error).split()))
    length, least = round(recipe.seconds * recipe.sample_rate), round(recipe.least_seconds * recipe.sample_rate)
    starts = [start for start in range(0, len(wave), length) if len(wave) - start >= least][:count]
    pieces, silent = [], 0
    for number, start in enumerate(starts):
        piece = wave[start : start + length]
        if np.abs(piece).max() < _QUIETEST:
            silent += 1
            continue
        if recipe.loudness_lufs is not None:
            piece = normalise_loudness(piece, recipe.sample_rate, recipe.loudness_lufs)
        known = item.facts.get("attributes", {})
        row = {
            "id": item.id if len(starts) == 1 else f"{item.id}-{number:03d}",
            "split": split_of(item, recipe.valid_per_mille, recipe.held_out_per_mille),
            "text": item.text,
            "speaker": item.speaker,
            "captions": item.facts.get("captions", []),
            "attributes": {**known, "recording": item.id, "start_seconds": start / recipe.sample_rate},
            "samples": len(piece),
        }
        pieces.append((row, pcm(np.clip(piece, -1.0, 1.0))))
    return Cut(pieces, silent=silent)


def _begin(recipe: CollectRecipe) -> tuple[int, set[str]]:
    """How many shards an earlier run of the same recipe finished, and the recordings in them.

    Raises:
        InputError: The corpus is there already, or another recipe's.
    """
    folder = recipe.folder
    if (folder / "manifest.jsonl").exists():
        raise InputError(f"There is a corpus in {folder} already; name another folder, or delete it.")
    matters = recipe.model_dump(mode="json", exclude={"folder", "processes", "on_corrupt", "limit"})
    path = folder / "collect.json"
    folder.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if rows_path(folder, 0).exists() and before != matters:
        raise InputError(f"{folder} has shards of another recipe; name another folder, or delete it.")
    part = Path(f"{path}.part")
    part.write_text(json.dumps(matters, indent=1), encoding="utf-8")
    os.replace(part, path)
    shards = 0
    done: set[str] = set()
    while rows_path(folder, shards).exists():
        done |= {row["attributes"]["recording"] for row in read_rows(rows_path(folder, shards))}
        shards += 1
    return shards, done


@contextmanager
def _mapping(processes: int) -> Iterator[Callable[[Callable[[Found], Cut], Iterable[Found]], Iterator[Cut]]]:
    """A map over recordings, by as many processes.

    Raises:
        InputError: A process was killed.
    """
    if processes == 1:
        yield map
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        try:
            yield pool.map
        except BrokenProcessPool:
            raise InputError(
                f"One of {processes} processes was killed, as where memory runs out; set fewer processes or a smaller "
                "most_seconds, and start again: finished shards stay."
            ) from None


def collect(recipe: CollectRecipe) -> dict[str, Any]:
    """Make the corpus; returns its figures: pieces, hours, pieces of each split, and what this run left out.

    Raises:
        InputError: The corpus is there already, the source fails (see `sources.found`), something is damaged and that
            stops, or there is not one piece.
    """
    shards, done = _begin(recipe)
    faults = Faults(recipe.on_corrupt)
    left = {"too short": 0, "silent pieces": 0, "seen twice": 0, "without caption": 0}
    seen: set[str] = set()
    waiting: list[tuple[dict[str, Any], np.ndarray]] = []

    def wanted() -> Iterator[Found]:
        for item in islice(found(recipe.source, faults), recipe.limit):
            if item.id in seen:
                left["seen twice"] += 1
                continue
            seen.add(item.id)
            if recipe.only_captioned and not (item.facts.get("captions") or item.text):
                left["without caption"] += 1
            elif item.id not in done:
                yield item

    with _mapping(recipe.processes) as over:
        items = wanted()
        while group := list(islice(items, _AHEAD * recipe.processes)):
            for item, made in zip(group, over(partial(cut, recipe=recipe), group), strict=True):
                if made.fault is not None:
                    faults.meet(f"the recording {item.id}", made.fault)
                left["silent pieces"] += made.silent
                left["too short"] += not (made.pieces or made.fault or made.silent)
                waiting += made.pieces
                # A recording is never in two shards, so that what is done is whole.
                if len(waiting) >= recipe.pieces_a_shard:
                    write_shard(recipe.folder, shards, waiting, recipe.sample_rate)
                    shards, waiting = shards + 1, []
                    print(f"{shards} shards, {len(seen)} recordings", file=sys.stderr, flush=True)
    if waiting:
        write_shard(recipe.folder, shards, waiting, recipe.sample_rate)
        shards += 1
    rows = [row for number in range(shards) for row in read_rows(rows_path(recipe.folder, number))]
    if not rows:
        raise InputError(f"The source of {recipe.folder} gave no piece: {json.dumps(left)}; correct the recipe.")
    write_manifest(recipe.folder, shards)
    splits = {split: sum(row["split"] == split for row in rows) for split in ("train", "valid", "heldout")}
    hours = sum(row["samples"] for row in rows) / recipe.sample_rate / 3600
    return {"pieces": len(rows), "hours": hours, **splits, "skipped": len(faults.skipped), **left}


def collect_recipe(path: Path, overrides: list[str]) -> dict[str, Any]:
    """`calm collect RECIPE.yaml [key=value ...]`.

    Raises:
        InputError: See `read_collect_recipe` and `collect`.
    """
    return collect(read_collect_recipe(path, overrides))

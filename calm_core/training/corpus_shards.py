"""Write a corpus: FLAC shards made side by side, and the manifest of all that is in them.

Each shard is written by one process, whole or not at all, so a run that was stopped goes on where it was. Shapes: T
samples.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

Sounds = Callable[[Any], Iterator[tuple[dict[str, Any], np.ndarray]]]
"""From a job to its manifest rows, without `shard` and `start`, and their samples `[T]`; other processes run it."""


@dataclass(frozen=True)
class _Task:
    number: int
    jobs: Sequence[Any]
    sounds: Sounds
    folder: Path
    sample_rate: int


def _write_shard(task: _Task) -> tuple[int, float]:
    """Write one shard and its part of the manifest; returns its rows and its seconds."""
    if not rows_path(task.folder, task.number).exists():
        clips = ((row, pcm(audio)) for job in task.jobs for row, audio in task.sounds(job))
        write_shard(task.folder, task.number, clips, task.sample_rate)
    rows = read_rows(rows_path(task.folder, task.number))
    return len(rows), sum(row["samples"] for row in rows) / task.sample_rate


def pcm(audio: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as those of 16 bits that a shard holds."""
    return np.round(audio * 32767).astype(np.int16)


def rows_path(folder: Path, number: int) -> Path:
    """Where the rows of a shard are; there once the shard is whole."""
    return folder / f"shard-{number:04d}.jsonl"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a shard, or of a manifest."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_shard(
    folder: Path, number: int, clips: Iterable[tuple[dict[str, Any], np.ndarray]], sample_rate: int
) -> None:
    """Write one shard, whole or not at all.

    Args:
        folder: Of the corpus.
        number: Of the shard.
        clips: Rows without `shard` and `start`, and their samples `[T]` of 16 bits.
        sample_rate: Hz.
    """
    rows, parts, start, target = [], [], 0, rows_path(folder, number)
    audio_path = target.with_suffix(".flac")
    for row, samples in clips:
        rows.append({**row, "shard": audio_path.name, "start": start})
        parts.append(samples)
        start += len(samples)
    whole = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    sf.write(f"{audio_path}.part", whole, sample_rate, format="FLAC", subtype="PCM_16")
    os.replace(f"{audio_path}.part", audio_path)
    part = Path(f"{target}.part")
    part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    os.replace(part, target)  # the rows come last: their presence says that the shard is whole


def write_manifest(folder: Path, shards: int) -> None:
    """Put the rows of all shards into `manifest.jsonl`, in order."""
    with open(folder / "manifest.jsonl.part", "w", encoding="utf-8") as manifest:
        for number in range(shards):
            manifest.write(rows_path(folder, number).read_text(encoding="utf-8"))
    os.replace(folder / "manifest.jsonl.part", folder / "manifest.jsonl")


def write_corpus(
    folder: Path, jobs: Sequence[Any], sounds: Sounds, sample_rate: int, jobs_per_shard: int, processes: int
) -> tuple[int, float]:
    """Write what every job sounds like; returns the number of rows and their seconds.

    Args:
        folder: Of the shards and of `manifest.jsonl`, which comes last.
        jobs: In a fixed order; they and `sounds` go to other processes.
        sounds: See `Sounds`.
        sample_rate: Hz.
        jobs_per_shard: Jobs whose sound shares a file.
        processes: How many shards are made side by side.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        _Task(number, jobs[at : at + jobs_per_shard], sounds, folder, sample_rate)
        for number, at in enumerate(range(0, len(jobs), jobs_per_shard))
    ]
    count, seconds = 0, 0.0
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, (rows, length) in enumerate(pool.imap_unordered(_write_shard, tasks), start=1):
            count, seconds = count + rows, seconds + length
            print(f"shard {done}/{len(tasks)}: {count} clips, {seconds / 3600:.2f} h", file=sys.stderr, flush=True)
    write_manifest(folder, len(tasks))
    return count, seconds

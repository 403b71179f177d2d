"""Write a corpus: FLAC shards made side by side, and the manifest of all that is in them.

Each shard is written by one process, whole or not at all, so a run that was stopped goes on where it was. Shapes: T
samples.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
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
    audio_path = task.folder / f"shard-{task.number:04d}.flac"
    rows_path = audio_path.with_suffix(".jsonl")
    if not rows_path.exists():
        rows, parts, start = [], [], 0
        for job in task.jobs:
            for row, audio in task.sounds(job):
                rows.append({**row, "shard": audio_path.name, "start": start})
                parts.append(np.round(audio * 32767).astype(np.int16))
                start += len(audio)
        whole = np.concatenate(parts) if parts else np.zeros(0, np.int16)
        sf.write(f"{audio_path}.part", whole, task.sample_rate, format="FLAC", subtype="PCM_16")
        os.replace(f"{audio_path}.part", audio_path)
        part = Path(f"{rows_path}.part")
        part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        os.replace(part, rows_path)  # the rows come last: their presence says that the shard is whole
    rows = [json.loads(line) for line in rows_path.read_text(encoding="utf-8").splitlines()]
    return len(rows), sum(row["samples"] for row in rows) / task.sample_rate


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
    with open(folder / "manifest.jsonl.part", "w", encoding="utf-8") as manifest:
        for task in tasks:
            manifest.write((folder / f"shard-{task.number:04d}.jsonl").read_text(encoding="utf-8"))
    os.replace(folder / "manifest.jsonl.part", folder / "manifest.jsonl")
    return count, seconds

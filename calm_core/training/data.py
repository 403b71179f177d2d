"""Read a corpus made by `calm synthesize` or `calm collect`: manifest rows, audio, random crops."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import torch
from torch import Tensor

from calm_core.errors import InputError


@dataclass(frozen=True)
class Row:
    """One utterance or piece of a manifest; `start` and `samples` count samples in the shard, times are seconds.

    Speech has a speaker, phones and words; music has captions and attributes.
    """

    id: str
    split: str
    text: str
    shard: str
    start: int
    samples: int
    speaker: str = ""
    phones: list[tuple[str, float]] = field(default_factory=list)
    words: list[tuple[str, float, float]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


def check_corpus(folder: Path) -> None:
    """Look whether there is a corpus.

    Raises:
        InputError: There is none.
    """
    if not (folder / "manifest.jsonl").exists():
        raise InputError(
            f"There is no corpus in {folder} (no manifest.jsonl); make it with: calm synthesize RECIPE.yaml, or of "
            "recordings with: calm collect RECIPE.yaml"
        )


# Of decoded shards in memory: 39 hours at 32 kHz.
_KEPT_BYTES = 9 * 10**9


class Corpus:
    """A folder with `manifest.jsonl` and FLAC shards.

    Decoded shards stay in memory as int16 where the whole corpus is below 9 GB so; of a larger one, rows are read as
    they are asked for.

    Args:
        folder: The corpus folder.
        split: Rows of this split only ("train", "valid", "heldout").

    Raises:
        InputError: There is no manifest, or no row of the split.
    """

    def __init__(self, folder: Path, split: str):
        self.folder = folder
        check_corpus(folder)
        with open(folder / "manifest.jsonl", encoding="utf-8") as lines:
            rows = [Row(**json.loads(line)) for line in lines]
        self.rows = [row for row in rows if row.split == split]
        self.in_memory = 2 * sum(row.samples for row in rows) <= _KEPT_BYTES
        if not self.rows:
            raise InputError(f"The corpus in {folder} has no utterances of the split {split!r}.")
        self.sample_rate = sf.info(folder / self.rows[0].shard).samplerate
        self._shards: dict[str, np.ndarray] = {}

    def audio(self, row: Row) -> Tensor:
        """Samples `[T]` of an utterance, float32 in [-1, 1]."""
        if not self.in_memory:
            samples, _ = sf.read(self.folder / row.shard, row.samples, row.start, dtype="int16")
        else:
            if row.shard not in self._shards:
                self._shards[row.shard], _ = sf.read(self.folder / row.shard, dtype="int16")
            samples = self._shards[row.shard][row.start : row.start + row.samples]
        return torch.from_numpy(samples.astype(np.float32) / 32768.0)

    def release(self) -> None:
        """Forget decoded shards; for whoever goes through a large corpus once, shard by shard."""
        self._shards.clear()

    def crops(
        self, count: int, length: int, grid: int, generator: torch.Generator
    ) -> tuple[Tensor, list[tuple[Row, int]]]:
        """Random pieces of random utterances.

        Args:
            count: B.
            length: Samples of a piece; short utterances are padded with silence.
            grid: Pieces begin at a multiple of this many samples.
            generator: Source of the draws.

        Returns:
            `[B, length]`, and the row and first sample of every piece.
        """
        batch = torch.zeros(count, length)
        origins: list[tuple[Row, int]] = []
        for place, index in zip(
            batch, torch.randint(len(self.rows), (count,), generator=generator).tolist(), strict=True
        ):
            wave = self.audio(self.rows[index])
            room = max(wave.numel() - length, 0) // grid
            start = grid * int(torch.randint(room + 1, (1,), generator=generator))
            piece = wave[start : start + length]
            place[: piece.numel()] = piece
            origins.append((self.rows[index], start))
        return batch, origins

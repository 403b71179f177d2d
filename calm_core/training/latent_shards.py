"""Latents on disk: shards of safetensors with an index that knows their checksums.

    train.index.json             shards, rows and bytes of each, what was skipped
    train-00-00000.safetensors   row id -> [T, D] float16, or codes [T, K] int16
    train-00-00000.json          what is known of each row: id, speaker, text, ...
    train-00.part.json           the shards that process 0 has finished; a run that was killed goes on behind them

A corpus that was encoded in one piece is `train.safetensors` with `train.json`.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from calm_core.errors import InputError
from calm_core.training.checkpoint import write_json, write_tensors
from calm_core.training.faults import Faults, OnCorrupt

Row = dict[str, Any]


def index_path(path: Path) -> Path:
    """The index that stands for `path` (`.../train.safetensors`) when the latents are in shards."""
    return path.with_suffix(".index.json")


def latents_exist(path: Path) -> bool:
    """Whether there are finished latents, in one piece or in shards."""
    return path.exists() or index_path(path).exists()


def open_latents(path: Path, on_corrupt: OnCorrupt = "stop") -> tuple[Mapping[str, Tensor], list[Row]]:
    """Latents by row id and what is known of the rows.

    Args:
        path: `.../train.safetensors`, whether it is there or is in shards.
        on_corrupt: What a damaged shard leads to.

    Raises:
        InputError: There are no latents, or a damaged shard stops.
    """
    if index_path(path).exists():
        shards = LatentShards(index_path(path), on_corrupt)
        return shards, shards.rows
    if not path.exists():
        raise InputError(f"There are no latents {path}; make them with: calm encode RECIPE.yaml")
    try:
        return load_file(path), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"The latents {path} are damaged ({error}); delete them and encode the corpus again."
        ) from None


def checksum(path: Path) -> int:
    """CRC-32 of a file."""
    value = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            value = zlib.crc32(block, value)
    return value


class LatentShards(Mapping[str, Tensor]):
    """Row id to latents `[T, D]`, read when asked for from files that stay mapped into memory.

    Attributes:
        rows: What is known of each row, in the order of the shards.
        faults: Which shards were skipped.

    Raises:
        InputError: The index is no index, or a damaged shard stops.
    """

    def __init__(self, index: Path, on_corrupt: OnCorrupt = "stop"):
        self.faults = Faults(on_corrupt)
        self.rows: list[Row] = []
        self._file_of: dict[str, Any] = {}
        for shard in read_index(index)["shards"]:
            path = index.parent / shard["file"]
            try:
                file, rows = _open_shard(path, shard)
            except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
                self.faults.meet(str(path), error)
                continue
            self._file_of |= dict.fromkeys((row["id"] for row in rows), file)
            self.rows += rows

    def __getitem__(self, row: str) -> Tensor:
        return self._file_of[row].get_tensor(row)

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __len__(self) -> int:
        return len(self._file_of)


def read_index(path: Path) -> dict[str, Any]:
    """What an index says.

    Raises:
        InputError: The file is no index.
    """
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(index["shards"], list)
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        raise InputError(f"{path} is not an index of latents; encode the corpus again.") from None
    return index


def _open_shard(path: Path, shard: dict[str, Any]) -> tuple[Any, list[Row]]:
    if path.stat().st_size != shard["bytes"]:
        raise ValueError(f"{path.stat().st_size} bytes instead of {shard['bytes']}")
    if checksum(path) != shard["crc32"]:
        raise ValueError("its checksum differs from the index's")
    file = safe_open(path, framework="pt").__enter__()
    rows = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if {row["id"] for row in rows} != set(file.keys()):
        raise ValueError("its rows are not those of the JSON file beside it")
    return file, rows


class ShardWriter:
    """Writes the latents of one process; what an earlier run has finished is kept.

    Args:
        folder: Made if need be.
        name: Of the split, such as `train`.
        process: Number of this process.
        rows_a_shard: Rows in each file.
    """

    def __init__(self, folder: Path, name: str, process: int = 0, rows_a_shard: int = 2000):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.stem, self.rows_a_shard = folder, f"{name}-{process:02d}", rows_a_shard
        self.part = folder / f"{self.stem}.part.json"
        self.shards: list[dict[str, Any]] = read_index(self.part)["shards"] if self.part.exists() else []
        self.done: set[str] = set()
        for shard in self.shards:
            rows = json.loads((folder / shard["file"]).with_suffix(".json").read_text(encoding="utf-8"))
            self.done |= {row["id"] for row in rows}
        self._latents: dict[str, Tensor] = {}
        self._rows: list[Row] = []

    def add(self, row: Row, latents: Tensor) -> None:
        """One row, its `id` unique, with latents `[T, D]` or codes `[T, K]`; written as soon as a shard is full."""
        kind = torch.float16 if latents.is_floating_point() else torch.int16
        self._latents[row["id"]] = latents.to(kind).cpu().clone()
        self._rows.append(row)
        self.done.add(row["id"])
        if len(self._rows) >= self.rows_a_shard:
            self.flush()

    def flush(self) -> None:
        """Write what waits as a shard, if anything does. The list of shards is replaced last."""
        if not self._rows:
            return
        path = self.folder / f"{self.stem}-{len(self.shards):05d}.safetensors"
        write_json(path.with_suffix(".json"), self._rows)
        write_tensors(path, self._latents)
        self.shards.append(
            {"file": path.name, "rows": len(self._rows), "bytes": path.stat().st_size, "crc32": checksum(path)}
        )
        write_json(self.part, {"shards": self.shards})
        self._latents, self._rows = {}, []


def write_index(folder: Path, name: str, facts: dict[str, Any]) -> Path:
    """Put the finished parts of all processes together; only now do the latents count as there.

    Args:
        folder: Of the shards.
        name: Of the split.
        facts: What else the index says.

    Returns:
        The index.
    """
    parts = sorted(folder.glob(f"{name}-[0-9][0-9].part.json"))
    shards = [shard for part in parts for shard in read_index(part)["shards"]]
    path = folder / f"{name}.index.json"
    write_json(path, {**facts, "rows": sum(shard["rows"] for shard in shards), "shards": shards})
    return path

"""Finished sounds on disk: a cache with a size limit, oldest use out first, and the pre-rendered examples."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

FORMATS = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}
_CLIP_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Clip:
    """One kept sound: 16-bit mono PCM in `path` (WAV or FLAC) and its parameters."""

    id: str
    path: Path
    info: dict[str, Any]

    def pcm(self) -> tuple[np.ndarray, int]:
        """The samples, int16 `[samples]`, and their rate in hertz."""
        samples, rate = soundfile.read(self.path, dtype="int16", always_2d=True)
        return samples[:, 0], rate


class ClipCache:
    """Clips under the data folder, at most `limit_mb` of them; safe to use from several threads."""

    def __init__(self, folder: Path, *, limit_mb: float, examples: Path | None = None):
        """Keep clips in `folder`; `examples` is a read-only folder of pre-rendered ones."""
        self._folder = folder
        self._limit = int(limit_mb * 1e6)
        self._lock = threading.Lock()
        self._examples = _read_examples(examples) if examples else {}

    @property
    def examples(self) -> list[Clip]:
        """The pre-rendered clips in the order of their files."""
        return list(self._examples.values())

    def example(self, parameters: dict[str, Any]) -> Clip | None:
        """The pre-rendered clip made with exactly these parameters, if there is one."""
        return next((clip for clip in self._examples.values() if _asked(clip.info) == parameters), None)

    def get(self, clip_id: str) -> Clip | None:
        """A clip by its identifier; looking it up counts as a use."""
        if clip_id in self._examples:
            return self._examples[clip_id]
        if not _CLIP_ID.fullmatch(clip_id):
            return None
        path = self._folder / f"{clip_id}.wav"
        try:
            info = json.loads(path.with_suffix(".json").read_text())
            os.utime(path)
        except (OSError, ValueError):
            return None
        return Clip(clip_id, path, info)

    def put(self, samples: np.ndarray, sample_rate: int, info: dict[str, Any], clip_id: str | None = None) -> Clip:
        """Keep int16 `samples` `[samples]` with their parameters; without an identifier one is drawn.

        Raises:
            OSError: the disk is full or not writable; nothing half-written stays behind.
        """
        clip_id = clip_id or secrets.token_hex(16)
        path = self._folder / f"{clip_id}.wav"
        self._folder.mkdir(parents=True, exist_ok=True)
        whole = {**info, "id": clip_id}

        sound = io.BytesIO()
        soundfile.write(sound, samples, sample_rate, subtype="PCM_16", format="WAV")
        try:
            _write_whole(path, lambda part: _write_bytes(part, sound.getvalue()))
            sheet = json.dumps(whole, indent=1).encode()
            _write_whole(path.with_suffix(".json"), lambda part: _write_bytes(part, sheet))
        except OSError:
            path.unlink(missing_ok=True)
            raise
        self._evict(keep=clip_id)
        return Clip(clip_id, path, whole)

    def rendition(self, clip: Clip, suffix: str, make: Callable[[Path], None]) -> Path:
        """The file of a clip in another format, made by `make(path)` the first time it is asked for."""
        path = self._folder / f"{clip.id}.marked.{suffix}"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_whole(path, make)
            self._evict(keep=clip.id)
        return path

    def _evict(self, keep: str) -> None:
        with self._lock:
            groups: dict[str, list[Path]] = {}
            for file in self._folder.iterdir():
                if ".part" in file.name:  # being written
                    continue
                groups.setdefault(file.name.split(".")[0], []).append(file)
            sizes: dict[str, int] = {}
            used: dict[str, float] = {}
            for name, files in groups.items():
                stats = [file.stat() for file in files if file.exists()]
                sizes[name] = sum(stat.st_size for stat in stats)
                used[name] = max((stat.st_mtime for stat in stats), default=0.0)
            total = sum(sizes.values())
            for name in sorted(groups, key=lambda name: used[name]):
                if total <= self._limit:
                    return
                if name == keep:
                    continue
                for file in groups[name]:
                    file.unlink(missing_ok=True)
                total -= sizes[name]


def _write_whole(path: Path, make: Callable[[Path], None]) -> None:
    """Write beside `path` and move it there, so that a reader never sees half a file."""
    part = path.with_name(f"{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        make(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _asked(info: dict[str, Any]) -> dict[str, Any]:
    return info.get("request", {})


def _read_examples(folder: Path) -> dict[str, Clip]:
    """Examples are pairs `name.flac`, `name.json`; the JSON holds the identifier and the request."""
    clips: dict[str, Clip] = {}
    for sheet in sorted(folder.glob("*.json")):
        sound = sheet.with_suffix(".flac")
        if sound.exists():
            info = json.loads(sheet.read_text())
            clips[info["id"]] = Clip(info["id"], sound, info)
    return clips

"""Where phones are spoken: item files of ZeroSpeech, the frames between two times, and ABX of a folder of sounds."""

import math
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.abx import Token, abx
from evaluation.metrics.optional import existing_file

_COLUMNS = ("#file", "onset", "offset", "#phone", "prev-phone", "next-phone", "speaker")


@dataclass(frozen=True)
class Item:
    """One line of an item file: a phone of a recording, from `onset_sec` to `offset_sec` (of its triphone, often)."""

    onset_sec: float
    offset_sec: float
    phone: str
    previous: str
    following: str
    speaker: str


@lru_cache(maxsize=1)
def find_items(path: Path | None) -> dict[str, list[Item]]:
    """The items of a file by the name of their recording, which has no suffix.

    Args:
        path: Text with the columns `#file onset offset #phone prev-phone next-phone speaker`, separated by spaces.

    Raises:
        InputError: No path, no such file, other columns, or a line that cannot be read.
    """
    if path is None:
        raise InputError("The metric abx needs --items: an item file of ZeroSpeech, which says where phones are.")
    existing_file(path, "item file", "give --items a file as ZeroSpeech has them")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or tuple(lines[0].split()) != _COLUMNS:
        raise InputError(f"The first line of {path} must be '{' '.join(_COLUMNS)}'.")
    items: dict[str, list[Item]] = defaultdict(list)
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            name, onset, offset, phone, previous, following, speaker = line.split()
            start, stop = float(onset), float(offset)
            if not 0 <= start < stop < math.inf:
                raise ValueError
        except ValueError as error:
            raise InputError(
                f"Line {number} of {path} needs {len(_COLUMNS)} columns, with times in seconds that grow."
            ) from error
        items[name].append(Item(start, stop, phone, previous, following, speaker))
    return dict(items)


def frames_between(features: np.ndarray, frame_rate: float, onset_sec: float, offset_sec: float) -> np.ndarray:
    """The frames `[T', D]` of `[T, D]` whose centres lie between two times, ends included.

    Frame i stands for the time (i + 1/2) / frame_rate, as in ABXpy.
    """
    first = math.ceil(round(onset_sec * frame_rate - 0.5, 6))  # rounded: 0.3 * 50 is not 15
    last = math.floor(round(offset_sec * frame_rate - 0.5, 6))
    return features[max(first, 0) : max(last + 1, 0)]


Features = Callable[[Clip], tuple[np.ndarray, float]]


def log_mel(clip: Clip) -> tuple[np.ndarray, float]:
    """Log-mel amplitudes `[T, 80]` of a clip at 16 kHz, 25 ms windows, and their rate of 100 Hz.

    Each band has mean 0 over the clip; otherwise the floor would make all frames point the same way.
    """
    from evaluation.metrics.signal import log_mel_frames

    rate, hop = 16_000, 160
    samples = clip.at(rate)
    window = round(0.025 * rate)
    centred = np.pad(samples, (window - hop) // 2)  # frame i is centred on (i + 1/2) hops
    frames = log_mel_frames(centred, rate, window, hop, 80)
    return frames - frames.mean(axis=0), rate / hop


@lru_cache(maxsize=1)
def find_features(name: str, device: str = "cpu") -> Features:
    """What turns a clip into features and their frames per second.

    Args:
        name: `mel` for log-mel amplitudes, or `codec:MODEL` for the latents of a codec, as `calm_core.load` takes it.
        device: Where the codec runs.

    Raises:
        InputError: There is nothing of that name.
    """
    kind, _, model = name.partition(":")
    if name == "mel":
        return log_mel
    if kind != "codec" or not model:
        raise InputError(f"There are no features {name!r}; choose mel or codec:MODEL.")
    import torch

    import calm_core

    try:
        codec = calm_core.load(model, "codec", device)
    except calm_core.InputError as error:
        raise InputError(str(error)) from error

    def latents(clip: Clip) -> tuple[np.ndarray, float]:
        sound = calm_core.Audio(torch.from_numpy(clip.samples).float(), clip.sample_rate)
        try:
            return codec.encode(sound).numpy(), codec.frame_rate
        except calm_core.InputError as error:
            raise InputError(f"{clip.item}: {error}") from error

    return latents


class PhoneDiscrimination:
    """ABX within and across speakers over clips that are handed over one by one."""

    def __init__(self, items: dict[str, list[Item]], features: Features = log_mel, seed: int = 0):
        self._items, self._features, self._seed = items, features, seed
        self._tokens: list[Token] = []
        self._seen: set[str] = set()
        self._empty = 0

    def add(self, clip: Clip) -> None:
        """Take a clip in; its file name without suffix is its name in the item file, without which it is skipped."""
        name = Path(clip.item).stem
        if name not in self._items:
            return
        self._seen.add(name)
        features, rate = self._features(clip)
        for item in self._items[name]:
            frames = frames_between(features, rate, item.onset_sec, item.offset_sec)
            if len(frames):
                self._tokens.append(Token(frames, item.phone, item.previous, item.following, item.speaker))
            else:
                self._empty += 1

    def rows(self) -> list[tuple[str, str, float]]:
        """Both error rates as `(item, metric, value)`; across speakers is left out where there is only one.

        Raises:
            InputError: Recordings of the item file are missing, or no triple can be made.
        """
        missing = sorted(set(self._items) - self._seen)
        if missing:
            raise InputError(f"{len(missing)} recordings of the item file have no WAV file; the first is {missing[0]}.")
        if self._empty:
            print(f"abx leaves out {self._empty} phones that are shorter than a frame", file=sys.stderr)
        modes = {"abx_within": False}
        if len({token.speaker for token in self._tokens}) > 1:
            modes["abx_across"] = True
        return [("mean", name, abx(self._tokens, across, seed=self._seed).error) for name, across in modes.items()]

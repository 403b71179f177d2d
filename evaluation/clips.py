"""Audio as the metrics see it: mono float64 samples with a name, and folders of them paired by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evaluation.errors import InputError

MAX_SECONDS = 3600.0


@dataclass(frozen=True, eq=False)
class Clip:
    """One mono recording; equal and hashed by identity.

    Attributes:
        item: Its name in tables and messages.
        samples: float64 `[T]`, full scale 1.
        sample_rate: Hz.
        transcript: What is said, or the caption of music, where it is known.
        path: The file that it was read from; what else is known of it lies beside.
    """

    item: str
    samples: np.ndarray
    sample_rate: int
    transcript: str | None = None
    path: Path | None = None

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate

    def at(self, sample_rate: int) -> np.ndarray:
        """The samples `[T']` at another rate (Hz), band-limited."""
        if sample_rate == self.sample_rate:
            return self.samples
        if sample_rate == 16_000:
            return self._at_16k  # most metrics ask for it
        return _resample(self.samples, self.sample_rate, sample_rate)

    @cached_property
    def _at_16k(self) -> np.ndarray:
        return _resample(self.samples, self.sample_rate, 16_000)


def _resample(samples: np.ndarray, source: int, target: int) -> np.ndarray:
    import soxr

    return soxr.resample(samples, source, target)


def make_clip(
    item: str, samples: np.ndarray, sample_rate: int, transcript: str | None = None, path: Path | None = None
) -> Clip:
    """A clip from samples `[T]` or `[T, channels]`; channels are averaged.

    Raises:
        InputError: No samples, or samples that are not numbers.
    """
    mono = np.asarray(samples, dtype=np.float64)
    if mono.ndim == 2:
        mono = mono.mean(axis=1)
    if mono.size == 0:
        raise InputError(f"{item} holds no sound; give a recording of at least 0.1 s.")
    if not np.isfinite(mono).all():
        raise InputError(f"{item} holds samples that are not finite numbers; export it again.")
    return Clip(item, mono, sample_rate, transcript, path)


def read_clip(path: Path, item: str | None = None) -> Clip:
    """Read a sound file; a text file of the same name beside it is its transcript.

    Raises:
        InputError: The file is missing, is not sound, is empty or lasts more than an hour.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            if len(file) > MAX_SECONDS * file.samplerate:
                raise InputError(f"{path} lasts {len(file) / file.samplerate:.0f} s; the limit is {MAX_SECONDS:.0f} s.")
            samples, rate = file.read(dtype="float64", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        reason = "it is missing" if not path.exists() else "it is not a sound file that can be read"
        raise InputError(f"Cannot read {path}: {reason}; give a WAV or FLAC file.") from error
    words = path.with_suffix(".txt")
    transcript = words.read_text(encoding="utf-8").strip() if words.is_file() else None
    return make_clip(item or str(path), samples, rate, transcript, path)


def _sound_names(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    found = {path.name for path in folder.iterdir() if path.suffix.lower() == ".wav"}
    if not found:
        raise InputError(f"The folder {folder} holds no WAV files.")
    return found


def clips_in(folder: Path) -> Iterator[Clip]:
    """The WAV files of a folder in name order.

    Raises:
        InputError: The folder is missing or empty, or see `read_clip`.
    """
    for name in sorted(_sound_names(folder)):
        yield read_clip(folder / name)


def paired_clips(reference_dir: Path, degraded_dir: Path) -> Iterator[tuple[Clip, Clip]]:
    """Pairs `(reference, degraded)` of the WAV files that both folders hold, in name order; checks all names first.

    Raises:
        InputError: A folder is missing or empty, or a name is in only one of them.
    """
    names = [_sound_names(folder) for folder in (reference_dir, degraded_dir)]
    for name in sorted(names[0] ^ names[1]):
        lacking = degraded_dir if name in names[0] else reference_dir
        raise InputError(f"{name} is missing in {lacking}; both folders must hold WAV files of the same names.")
    for name in sorted(names[0]):
        reference, degraded = reference_dir / name, degraded_dir / name
        yield read_clip(reference), read_clip(degraded)

"""A recording as a source gives it, not decoded yet, and how it is decoded. Shapes: T samples."""

import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile as sf
import soxr
import torch
from torch import Tensor

Split = Literal["train", "valid", "heldout"]
AUDIO_ENDINGS = ("flac", "wav", "mp3", "ogg", "opus", "m4a")


@dataclass(frozen=True)
class Found:
    """A recording that is not decoded yet.

    Attributes:
        id: Unique in its source.
        sound: The bytes of a sound file, or its path.
        text: What is said, or the first caption of music; empty where the source does not know.
        speaker: Whose voice, or the artist: recordings of one belong in one split.
        dnsmos: How well it sounds, where the source says so.
        split: That the source's authors put it in; None where they have none.
        facts: What else goes to the row of a corpus or of latents, such as captions and attributes.
    """

    id: str
    sound: bytes | Path
    text: str
    speaker: str
    dnsmos: float | None = None
    split: Split | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def decode_sound(sound: bytes | Path, sample_rate: int, most_seconds: float = math.inf) -> Tensor:
    """A sound file to samples `[T]` at a rate in Hz, channels averaged.

    Args:
        sound: Its bytes, or its path.
        sample_rate: Hz.
        most_seconds: No more than these are read, from its beginning.

    Raises:
        ValueError: It is no sound, or holds none.
        OSError: There is no such file.
    """
    if isinstance(sound, Path) and not sound.is_file():
        raise FileNotFoundError(f"there is no file {sound}")
    try:
        with sf.SoundFile(io.BytesIO(sound) if isinstance(sound, bytes) else sound) as file:
            rate = file.samplerate
            count = -1 if math.isinf(most_seconds) else round(most_seconds * rate)
            samples = file.read(count, dtype="float32", always_2d=True)
    except sf.LibsndfileError as error:
        raise ValueError(f"{error}; what libsndfile does not read, such as m4a, has to be converted") from None
    mono = samples.mean(axis=1)
    if not len(mono) or not np.isfinite(mono).all():
        raise ValueError("it holds no samples, or some that are not finite")
    return torch.from_numpy(soxr.resample(mono, rate, sample_rate) if rate != sample_rate else mono)

"""Sound in files and in memory: read, check, write, resample, measure.

Units: seconds, Hz, decibels relative to full scale (dBFS), loudness in LUFS (ITU-R BS.1770).
Shapes: T samples, C channels.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf
import soxr
import torch
from torch import Tensor

from calm_core.errors import InputError
from calm_core.sound_files import check_whole, encode, through_ffmpeg, write_bytes

MIN_RATE, MAX_RATE = 8_000, 192_000
MAX_CHANNELS = 6
MAX_SECONDS = 600.0
_SILENCE_DB = -80.0
_READABLE = "WAV, FLAC, MP3, Ogg or AIFF"
# One channel of several, after ITU-R BS.775: centre in full, sides 3 dB lower, no low-frequency channel.
_DOWNMIX = {3: (0.7, 0.7, 1.0), 4: (0.7, 0.7, 0.7, 0.7), 5: (0.7, 0.7, 1.0, 0.7, 0.7), 6: (0.7, 0.7, 1.0, 0, 0.7, 0.7)}

Source = str | Path | bytes | BinaryIO


@dataclass
class Audio:
    """A sound.

    Attributes:
        samples: float32 `[T]`, or `[C, T]`; full scale is 1.
        sample_rate: Hz.
        meta: How it was made: model, seed and so on.
    """

    samples: Tensor
    sample_rate: int
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Length."""
        return self.samples.shape[-1] / self.sample_rate

    def mono(self) -> Audio:
        """The same sound in one channel `[T]`."""
        return self if self.samples.ndim == 1 else Audio(downmix(self.samples), self.sample_rate, self.meta)


def downmix(samples: Tensor) -> Tensor:
    """One channel `[T]` of `[C, T]`: the mean, or the BS.775 mixture of three to six channels."""
    weights = torch.tensor(_DOWNMIX.get(samples.shape[0], (1.0,) * samples.shape[0]))
    return (weights / weights.sum()) @ samples


def _open(source: Source, name: str | None) -> tuple[BinaryIO, str]:
    if isinstance(source, (str, Path)):
        path = Path(source)
        label = name or path.name
        try:
            return open(path, "rb"), label
        except IsADirectoryError:
            raise InputError(f"{path} is a folder; give the path of a sound file.") from None
        except OSError as error:
            reason = error.strerror or "it cannot be opened"
            raise InputError(f"The sound file {path} cannot be read ({reason}); check its path.") from None
    if isinstance(source, bytes):
        return io.BytesIO(source), name or "the sound"
    return source, name or Path(str(getattr(source, "name", "the sound"))).name


def read_audio(
    source: Source,
    *,
    min_seconds: float = 0.0,
    max_seconds: float = MAX_SECONDS,
    mono: bool = True,
    allow_silence: bool = False,
    name: str | None = None,
) -> Audio:
    """Read a sound file and check that it can be used.

    Args:
        source: Path, bytes, or an open binary file that can seek: WAV, FLAC, MP3, Ogg, AIFF; with ffmpeg installed also
            M4A, MP4, WebM, AMR and AAC.
        min_seconds: Shortest sound accepted.
        max_seconds: Longest sound accepted; longer ones are refused before they are decoded.
        mono: Mix the channels into one, `[T]`; otherwise samples are `[C, T]`.
        allow_silence: Accept a sound whose loudest sample is below -80 dBFS.
        name: What to call the sound in error messages; the file's name by default.

    Raises:
        InputError: The source is missing, empty, cut short, not a sound, or outside the limits.
    """
    stream, label = _open(source, name)
    try:
        return _read(stream, label, min_seconds, max_seconds, mono, allow_silence)
    finally:
        if stream is not source:
            stream.close()


def _read(
    stream: BinaryIO, label: str, min_seconds: float, max_seconds: float, mono: bool, allow_silence: bool
) -> Audio:
    check_whole(stream, label)
    stream = through_ffmpeg(stream, label, max_seconds) or stream
    try:
        file = sf.SoundFile(stream)
    except (sf.LibsndfileError, TypeError, RuntimeError):
        raise InputError(f"{label} is not a sound that can be read; convert it to {_READABLE}.") from None
    with file:
        rate, channels, frames = file.samplerate, file.channels, file.frames
        if not MIN_RATE <= rate <= MAX_RATE:
            raise InputError(
                f"{label} has {rate} samples a second and the limits are {MIN_RATE} and {MAX_RATE}; resample it."
            )
        if channels > MAX_CHANNELS:
            raise InputError(f"{label} has {channels} channels and the limit is {MAX_CHANNELS} (5.1); mix it down.")
        seconds = frames / rate
        if seconds > max_seconds:
            raise InputError(f"{label} lasts {seconds:.0f} s and the limit is {max_seconds:g} s; cut out a part.")
        try:
            samples = file.read(int(max_seconds * rate) + 1, dtype="float32", always_2d=True)
        except sf.LibsndfileError:
            raise InputError(f"{label} is damaged and cannot be decoded; export or download it again.") from None
    if len(samples) > max_seconds * rate:  # the header of some streams does not know the length
        raise InputError(f"{label} lasts more than the limit of {max_seconds:g} s; cut out a part.")
    if len(samples) == 0:
        raise InputError(f"{label} holds no sound; give a recording of at least {max(min_seconds, 0.5):g} s.")
    if frames < 2**40 and len(samples) < frames - 2 * rate // 10:
        raise InputError(f"{label} is cut short ({len(samples) / rate:.1f} of {seconds:.1f} s); get the whole file.")
    _check_samples(samples, rate, label, min_seconds, allow_silence)
    waves = torch.from_numpy(np.ascontiguousarray(samples.T))
    return Audio(downmix(waves) if mono else waves, rate, {"name": Path(label).stem})


def _check_samples(samples: np.ndarray, rate: int, label: str, min_seconds: float, allow_silence: bool) -> None:
    if not np.isfinite(samples).all():
        raise InputError(f"{label} holds values that are not numbers (NaN or infinity); export it again.")
    seconds = len(samples) / rate
    if seconds < min_seconds:
        raise InputError(
            f"{label} lasts {seconds:.2f} s and at least {min_seconds:g} s are needed; give a longer recording."
        )
    level = float(np.abs(samples).max())
    if not allow_silence and level < 10 ** (_SILENCE_DB / 20):
        raise InputError(
            f"{label} is silent (its peak is below {_SILENCE_DB:g} dBFS); check the microphone or the file."
        )


def write_audio(
    target: str | Path | BinaryIO,
    audio: Audio,
    *,
    format: str | None = None,
    subtype: str | None = None,
    metadata: dict[str, str] | None = None,
) -> float:
    """Write a sound file whose tags say that the sound is synthetic.

    A file appears at its path whole or not at all. Samples are never clipped: where a peak is above full
    scale, whole-number formats are written with a lower gain.

    Args:
        target: Path or open binary file.
        audio: The sound; `meta["model"]` and its like name the maker in the tags.
        format: "wav", "flac", "mp3", "ogg" or "pcm" (bare little-endian int16); by the path's ending when None.
        subtype: "PCM_16", "PCM_24" or "FLOAT" for WAV, the first two for FLAC.
        metadata: Tags to set instead of, or beside, `title`, `comment` and `software`.

    Returns:
        The gain that was applied, in dB; 0 unless the sound was above full scale.

    Raises:
        InputError: The format is unknown, the sound is empty or not finite, or the place cannot be written.
    """
    if format is None:
        format = Path(str(getattr(target, "name", target))).suffix.lstrip(".").lower()
    samples = audio.samples.detach().float().cpu()
    if samples.numel() == 0:
        raise InputError("There is no sound to write; nothing was generated.")
    if not torch.isfinite(samples).all():
        raise InputError("The sound holds values that are not numbers and was not written; generate it again.")
    gain_db = 0.0
    top = peak(samples)
    if top > 1.0 and subtype != "FLOAT":
        gain_db = -20 * math.log10(top)
        samples = samples / top
    data = encode(
        samples.numpy().reshape(-1, samples.shape[-1]).T, audio.sample_rate, format, subtype, audio.meta, metadata
    )
    if isinstance(target, (str, Path)):
        write_bytes(Path(target), data)
    else:
        target.write(data)
    return gain_db


def resample(samples: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Band-limited resampling (soxr, high quality).

    Args:
        samples: `[T]` or `[C, T]`.
        from_rate: Hz.
        to_rate: Hz.

    Returns:
        float32 `[T']` or `[C, T']` with `T'` near `T * to_rate / from_rate`, on the same device.
    """
    if from_rate == to_rate or samples.numel() == 0:
        return samples
    flat = samples.detach().float().cpu().numpy()
    return torch.from_numpy(np.ascontiguousarray(soxr.resample(flat.T, from_rate, to_rate).T)).to(samples.device)


def peak(samples: Tensor) -> float:
    """Largest absolute sample; 0 for an empty sound."""
    return float(samples.abs().max()) if samples.numel() else 0.0


def loudness(audio: Audio) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4); minus infinity for silence. Short sounds are padded to 0.4 s."""
    import pyloudnorm

    samples = audio.samples.detach().double().cpu().numpy()
    samples = samples.reshape(-1, samples.shape[-1])
    missing = max(0, math.ceil(0.4 * audio.sample_rate) + 1 - samples.shape[-1])
    with np.errstate(divide="ignore"):
        meter = pyloudnorm.Meter(audio.sample_rate)
        return float(meter.integrated_loudness(np.pad(samples, ((0, 0), (0, missing))).T))


def set_loudness(audio: Audio, target_lufs: float, highest_peak: float = 0.97) -> Audio:
    """The sound at a loudness, less where its peak would pass `highest_peak`; silence is returned as it is."""
    measured = loudness(audio)
    if not math.isfinite(measured):
        return audio
    gain = min(10 ** ((target_lufs - measured) / 20), highest_peak / max(peak(audio.samples), 1e-9))
    return Audio(audio.samples * gain, audio.sample_rate, audio.meta)


def trim_silence(audio: Audio, floor_db: float = -50.0, pad_seconds: float = 0.05) -> Audio:
    """Cut silence off both ends, so that a prompt does not begin with a second of nothing.

    Args:
        audio: The sound.
        floor_db: What is quieter than this (dBFS, in windows of 10 ms) counts as silence.
        pad_seconds: Kept on each side of what is heard.
    """
    samples = audio.samples.reshape(-1, audio.samples.shape[-1]).abs().amax(0)
    window = max(1, audio.sample_rate // 100)
    loud = torch.nn.functional.max_pool1d(samples[None, None], window, window, ceil_mode=True)[0, 0]
    heard = (loud > 10 ** (floor_db / 20)).nonzero().flatten()
    if not len(heard):
        return audio
    pad = int(pad_seconds * audio.sample_rate)
    start = max(0, int(heard[0]) * window - pad)
    stop = min(samples.shape[0], (int(heard[-1]) + 1) * window + pad)
    return Audio(audio.samples[..., start:stop], audio.sample_rate, audio.meta)

"""Sound files of studies: read, checked, brought to one rate, written so that their sizes tell nothing.

Samples are float64 `[T, C]`, full scale is 1; rates in Hz, lengths in seconds.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from app.studies.faults import refuse

MIN_RATE, MAX_RATE = 8_000, 96_000
MAX_CHANNELS = 2
MIN_SECONDS, MAX_SECONDS = 0.5, 120.0
# libsndfile's names: container -> codecs that are taken
CODECS = {
    "WAV": ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE"),
    "WAVEX": ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE"),
    "FLAC": ("PCM_16", "PCM_24", "PCM_S8"),
    "OGG": ("VORBIS", "OPUS"),
    "MP3": ("MPEG_LAYER_III",),
}
ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3")
_SILENT = 10 ** (-80 / 20)
_TAKEN = "WAV, FLAC, Ogg Vorbis, Opus and MP3"


@dataclass(frozen=True)
class Sound:
    """A sound in memory."""

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / self.rate

    @property
    def channels(self) -> int:
        """How many."""
        return self.samples.shape[1]

    @property
    def peak(self) -> float:
        """Largest absolute sample."""
        return float(np.abs(self.samples).max(initial=0.0))


def read_sound(path: Path, name: str | None = None, *, max_seconds: float = MAX_SECONDS) -> Sound:
    """Read a sound file and check that it can be a stimulus.

    Args:
        path: The file.
        name: What to call it in errors.
        max_seconds: Longest sound accepted; longer ones are refused before they are decoded.

    Raises:
        StudyFileError: It is missing, empty, no sound, of a codec, rate, length or number of channels outside the
            limits, cut short, silent, or holds values that are not numbers.
    """
    name = name or path.name
    try:
        if path.stat().st_size == 0:
            raise refuse(name, "the file is empty (0 bytes); export it again.")
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        raise refuse(name, f"this is not a sound that can be read; {_TAKEN} can.") from None
    except OSError as error:
        raise refuse(name, f"the file cannot be read ({error.strerror or error}).") from None
    with file:
        if file.subtype not in CODECS.get(file.format, ()):
            raise refuse(name, f"the codec {file.subtype} in {file.format} is not taken; {_TAKEN} are.")
        _check_form(name, file.samplerate, file.channels, file.frames, max_seconds)
        try:
            samples = file.read(int(max_seconds * file.samplerate) + 1, dtype="float64", always_2d=True)
        except soundfile.LibsndfileError:
            raise refuse(name, "the file is damaged and cannot be decoded; export it again.") from None
        frames, sound = file.frames, Sound(samples, file.samplerate)
    if len(samples) < frames - sound.rate // 5:
        raise refuse(name, f"the file is cut short ({sound.seconds:.1f} of {frames / sound.rate:.1f} s).")
    if not np.isfinite(samples).all():
        raise refuse(name, "the sound holds values that are not numbers; export it again.")
    if sound.peak < _SILENT:
        raise refuse(name, "the sound is silent (its peak is below -80 dBFS).")
    return sound


def _check_form(name: str, rate: int, channels: int, frames: int, max_seconds: float) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise refuse(name, f"{rate} samples a second; the limits are {MIN_RATE} and {MAX_RATE}. Resample it.")
    if channels > MAX_CHANNELS:
        raise refuse(name, f"{channels} channels; listeners wear headphones, which have two. Mix it down.")
    if not MIN_SECONDS <= frames / rate <= max_seconds:
        raise refuse(name, f"{frames / rate:.2f} s long; the limits are {MIN_SECONDS:g} and {max_seconds:g} s. Cut it.")


def alike(sound: Sound, rate: int, channels: int) -> Sound:
    """The sound at a rate and number of channels: band-limited resampling (soxr), mono copied to both ears."""
    samples = sound.samples
    if sound.rate != rate:
        wanted = round(len(samples) * rate / sound.rate)
        samples = soxr.resample(samples, sound.rate, rate, quality="VHQ")[:wanted]
        samples = np.pad(samples, ((0, wanted - len(samples)), (0, 0)))
    if samples.shape[1] < channels:
        samples = np.repeat(samples, channels, axis=1)
    return Sound(samples, rate)


def wave_bytes(sound: Sound, frames: int, rng: np.random.Generator) -> bytes:
    """A 16-bit WAV file of exactly `frames` samples a channel, the end filled with silence.

    Compressed files would be smaller, but their sizes tell the low-passed anchors from the rest; here all renditions of
    a prompt have the same size and the same header. Rounding is dithered (triangular, two steps wide), which keeps the
    error free of the signal; the silence at the end stays digital.

    Args:
        sound: Within full scale.
        frames: At least the sound's.
        rng: Source of the dither.
    """
    assert frames >= len(sound.samples) and sound.peak < 1.0
    dither = rng.random(sound.samples.shape) - rng.random(sound.samples.shape)
    steps = np.clip(np.round(sound.samples * 32767.0 + dither), -32768, 32767).astype("<i2")
    data = np.pad(steps, ((0, frames - len(steps)), (0, 0))).tobytes()
    block = 2 * sound.channels
    form = struct.pack("<IHHIIHH", 16, 1, sound.channels, sound.rate, sound.rate * block, block, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data
    )


def lengthened(wave: bytes, size: int) -> bytes:
    """A file of `wave_bytes` with silence at its end, `size` bytes in all."""
    missing = size - len(wave)
    assert missing >= 0 and wave[36:40] == b"data"
    data = struct.pack("<I", size - 44)
    return wave[:4] + struct.pack("<I", size - 8) + wave[8:40] + data + wave[44:] + bytes(missing)


def float_wave_bytes(sound: Sound) -> bytes:
    """A WAV file of 32-bit floats, for tools."""
    buffer = io.BytesIO()
    soundfile.write(buffer, sound.samples, sound.rate, format="WAV", subtype="FLOAT")
    return buffer.getvalue()

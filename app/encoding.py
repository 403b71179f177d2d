"""Sound formats that grow while they are sent, each with the note that the sound is synthetic."""

from __future__ import annotations

import io
import struct
from typing import Protocol

import numpy as np
import soundfile

MEDIA_TYPES = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "pcm": "audio/pcm"}
SYNTHETIC_NOTE = "Synthetic speech, made by CALM Space"
MP3_LEVEL = 0.5  # between 0, largest, and 1, smallest
_UNKNOWN_LENGTH = 0xFFFFFFFF


def synthetic_note(task: str | None) -> str:
    """The note for what a task makes: speech when it is None, or music."""
    return SYNTHETIC_NOTE.replace("speech", "music") if task and "music" in task else SYNTHETIC_NOTE


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Round float samples in [-1, 1] to int16, clipping what lies outside."""
    return np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16)


class StreamEncoder(Protocol):
    """Takes int16 samples `[samples]`, gives bytes that can be sent at once."""

    def feed(self, samples: np.ndarray) -> bytes:
        """Encode more samples."""
        ...

    def finish(self) -> bytes:
        """The rest."""
        ...


class PcmEncoder:
    """Bare little-endian int16, as OpenAI's `pcm`."""

    def feed(self, samples: np.ndarray) -> bytes:
        """Encode more samples."""
        return samples.astype("<i2").tobytes()

    def finish(self) -> bytes:
        """Nothing is left over."""
        return b""


class WavEncoder(PcmEncoder):
    """RIFF with a length that is not known yet, which players read to the end of the stream."""

    def __init__(self, sample_rate: int, comment: str):
        """The note stands in a LIST INFO chunk before the data."""
        note = comment.encode() + b"\0"
        note += b"\0" * (len(note) % 2)
        info = b"INFO" + b"ICMT" + struct.pack("<I", len(note)) + note
        self._header = (
            b"RIFF" + struct.pack("<I", _UNKNOWN_LENGTH) + b"WAVE"
            + b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
            + b"LIST" + struct.pack("<I", len(info)) + info
            + b"data" + struct.pack("<I", _UNKNOWN_LENGTH)
        )  # fmt: skip

    def feed(self, samples: np.ndarray) -> bytes:
        """Encode more samples, after the header."""
        header, self._header = self._header, b""
        return header + super().feed(samples)


class _ForwardOnly(io.RawIOBase):
    """A file that keeps what is appended until it is taken, and ignores later changes to what was taken."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._taken = 0
        self._position = 0

    def write(self, data: object) -> int:
        chunk = bytes(data)  # pyright: ignore[reportArgumentType]
        skip = max(0, self._taken - self._position)
        start = self._position + skip - self._taken
        rest = chunk[skip:]
        self._pending[start : start + len(rest)] = rest
        self._position += len(chunk)
        return len(chunk)

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._position, 2: self._taken + len(self._pending)}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: object) -> int:
        return 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def take(self) -> bytes:
        """What was appended since the last time."""
        data = bytes(self._pending)
        self._taken += len(data)
        self._pending.clear()
        return data


class CompressedEncoder:
    """FLAC or MP3 through libsndfile; the total length in the header stays open, as it must in a stream."""

    def __init__(self, sample_rate: int, name: str, comment: str):
        """The note is written as a Vorbis comment (FLAC) or an ID3 tag (MP3) at the head."""
        self._sink = _ForwardOnly()
        subtype = "PCM_16" if name == "flac" else "MPEG_LAYER_III"
        self._file = soundfile.SoundFile(
            self._sink,  # pyright: ignore[reportArgumentType]  # any object with the methods of a file will do
            mode="w",
            samplerate=sample_rate,
            channels=1,
            format=name.upper(),
            subtype=subtype,
            # at a constant rate a player can tell the length of a stream without an index
            bitrate_mode="CONSTANT" if name == "mp3" else None,
            compression_level=MP3_LEVEL if name == "mp3" else None,
        )
        self._file.comment = comment

    def feed(self, samples: np.ndarray) -> bytes:
        """Encode more samples; the codec may hold some back."""
        self._file.write(samples)
        return self._sink.take()

    def finish(self) -> bytes:
        """Close the file and give what was held back."""
        self._file.close()
        return self._sink.take()


def encoder(name: str, sample_rate: int, comment: str = SYNTHETIC_NOTE) -> StreamEncoder:
    """The encoder of a format in `MEDIA_TYPES`, for mono int16 at `sample_rate` hertz."""
    if name == "pcm":
        return PcmEncoder()
    if name == "wav":
        return WavEncoder(sample_rate, comment)
    return CompressedEncoder(sample_rate, name, comment)

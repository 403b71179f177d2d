"""Ogg Opus files with the same bytes for the same samples, marked as synthetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from app.encoding import SYNTHETIC_NOTE, to_int16

ENDING = ".ogg"
MEDIA_TYPE = "audio/ogg"
OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_LEVEL = 0.85  # some 45 kbit/s at 24 and 48 kHz
_PEAK = 0.9  # what is decoded may be some per cent louder
_SERIAL = 1
_POLYNOMIAL = 0x04C11DB7  # of Ogg's checksum (RFC 3533, section 6)


def write_clip(
    path: Path, samples: np.ndarray, rate: int, level: float = _LEVEL, note: str = SYNTHETIC_NOTE, peak: float = _PEAK
) -> tuple[float, int]:
    """Write samples `[T]` in [-1, 1], turned down where they are louder than they may be.

    Args:
        path: of the file.
        samples: `[T]`.
        rate: of the samples, in hertz.
        level: of compression; 0.8 takes some 60 kbit/s, 0.93 some 25.
        note: what the file says of itself.
        peak: largest magnitude of what is written; 1 leaves clips whose loudness compares as they are.

    Returns:
        Seconds and the file's rate: that of the samples, or 48 kHz where Opus has no such rate.
    """
    samples = samples.astype(np.float32)
    if rate not in OPUS_RATES:
        import soxr

        samples, rate = soxr.resample(samples, rate, OPUS_RATES[-1]), OPUS_RATES[-1]
    top = float(np.abs(samples).max(initial=0.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", rate, 1, format="OGG", subtype="OPUS", compression_level=level) as file:
        file.comment = note
        file.write(to_int16(samples * min(1.0, peak / top) if top else samples))
    path.write_bytes(with_serial(path.read_bytes(), _SERIAL))
    return round(len(samples) / rate, 3), rate


def with_serial(ogg: bytes, serial: int) -> bytes:
    """A file of one Ogg stream with another serial number; libsndfile draws one by the clock."""
    pages = bytearray(ogg)
    start = 0
    while start < len(pages):
        assert pages[start : start + 4] == b"OggS", "a page begins with its mark"
        lengths = pages[start + 27 : start + 27 + pages[start + 26]]
        end = start + 27 + len(lengths) + sum(lengths)
        pages[start + 14 : start + 18] = serial.to_bytes(4, "little")
        pages[start + 22 : start + 26] = bytes(4)
        pages[start + 22 : start + 26] = _checksum(pages[start:end]).to_bytes(4, "little")
        start = end
    return bytes(pages)


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (_POLYNOMIAL if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


_REMAINDERS = _table()


def _checksum(page: bytes | bytearray) -> int:
    value = 0
    for byte in page:
        value = (value << 8) & 0xFFFFFFFF ^ _REMAINDERS[value >> 24 ^ byte]
    return value

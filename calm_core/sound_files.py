"""The bytes of sound files: whole or cut short, marked as synthetic speech, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf

from calm_core.errors import InputError

SOFTWARE = "CALM Space"
FORMATS = ("wav", "flac", "mp3", "ogg", "pcm")
_SUBTYPES = {
    "wav": ("PCM_16", "PCM_24", "FLOAT"),
    "flac": ("PCM_16", "PCM_24"),
    "mp3": ("MPEG_LAYER_III",),
    "ogg": ("VORBIS",),
}
_UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF)  # what programs write that stream a WAV file
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


# ------------------------------------------------------------------------------------------ reading


def check_whole(stream: BinaryIO, label: str) -> None:
    """Refuse a file that is empty, or that its own header says is cut short; leaves the stream at its start.

    Raises:
        InputError: It is empty or cut short.
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if size == 0:
        raise InputError(f"{label} is empty (0 bytes); export or download it again.")
    missing = 0
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        missing = _missing_wav_bytes(stream, size)
    elif head[:4] == b"OggS":
        stream.seek(max(0, size - 65_536))
        tail = stream.read()
        page = tail.rfind(b"OggS")
        # bit 2 of a page's header type marks the end of the stream (RFC 3533)
        missing = 1 if page < 0 or page + 5 >= len(tail) or not tail[page + 5] & 4 else 0
    stream.seek(0)
    if missing:
        raise InputError(f"{label} is cut short, its end is missing; export or download it again.")


def _missing_wav_bytes(stream: BinaryIO, size: int) -> int:
    """Bytes of the data chunk that are not there."""
    at = 12
    while at + 8 <= size:
        stream.seek(at)
        kind, length = struct.unpack("<4sI", stream.read(8))
        if kind == b"data":
            return 0 if length in _UNKNOWN_SIZES else max(0, at + 8 + length - size)
        at += 8 + length + length % 2
    return 1


def _needs_ffmpeg(head: bytes) -> bool:
    """Whether a file begins like the recordings of telephones and browsers that libsndfile cannot read."""
    containers = head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3"  # MP4 and M4A; WebM and Matroska
    return containers or head[:5] == b"#!AMR" or head[:2] in (b"\xff\xf1", b"\xff\xf9")  # bare AAC


def through_ffmpeg(stream: BinaryIO, label: str, max_seconds: float) -> BinaryIO | None:
    """An M4A, MP4, WebM, AMR or AAC sound as WAV, decoded by the ffmpeg of the system.

    Args:
        stream: At its start.
        label: What to call the sound in errors.
        max_seconds: Little more than this is decoded.

    Returns:
        The WAV file; None for every other kind of file, or where ffmpeg is not installed.

    Raises:
        InputError: ffmpeg cannot decode it.
    """
    head = stream.read(12)
    stream.seek(0)
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None or not _needs_ffmpeg(head):
        return None
    with tempfile.NamedTemporaryFile(suffix=".sound") as copy:  # these containers need a file that can seek
        shutil.copyfileobj(stream, copy)
        copy.flush()
        command = [ffmpeg, "-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe", "-i", copy.name, "-vn"]
        command += ["-t", f"{max_seconds + 1:g}", "-c:a", "pcm_f32le", "-f", "wav", "pipe:1"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=60 + max_seconds / 10, check=False)
        except subprocess.TimeoutExpired:
            raise InputError(f"{label} takes too long to decode; convert it to WAV.") from None
    if done.returncode or len(done.stdout) < 100:
        raise InputError(f"{label} is damaged or holds no sound and cannot be decoded; export or record it again.")
    return io.BytesIO(done.stdout)


# ------------------------------------------------------------------------------------------ writing


def tags(meta: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> dict[str, str]:
    """The tags of a file: that it is synthetic and who made it, then the caller's own.

    Args:
        meta: An `Audio.meta`.
        metadata: Tags to set; an empty value keeps the default.
    """
    by = f" by {meta['model']}" if meta.get("model") else ""
    parts = [f"{key} {meta[key]}" for key in ("voice", "seed") if meta.get(key) is not None]
    comment = f"Synthetic speech{by}" + (f" ({', '.join(parts)})" if parts else "") + ". Not a recording of a person."
    title = " ".join(str(meta.get("text", "")).split())
    values = {"title": f"Synthetic speech: {title[:80]}" if title else "Synthetic speech", "comment": comment}
    return {**values, "software": SOFTWARE, **{key: value for key, value in (metadata or {}).items() if value}}


def encode(
    samples: np.ndarray,
    sample_rate: int,
    format: str,
    subtype: str | None = None,
    meta: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """A sound file as bytes.

    Args:
        samples: float32 `[T, C]` within full scale.
        sample_rate: Hz.
        format: One of `FORMATS`.
        subtype: As for `calm_core.audio.write_audio`.
        meta: An `Audio.meta`, for the tags.
        metadata: More tags.

    Raises:
        InputError: No such format or subtype, or the format cannot hold this rate.
    """
    if format not in FORMATS:
        raise InputError(f"There is no sound format {format!r}; use one of {', '.join(FORMATS)}.")
    if format == "pcm":
        return to_int16(samples).tobytes()
    subtype = subtype or _SUBTYPES[format][0]
    if subtype not in _SUBTYPES[format]:
        raise InputError(f"{format.upper()} cannot be written as {subtype!r}; use {', '.join(_SUBTYPES[format])}.")
    if format == "mp3" and sample_rate not in _MP3_RATES:
        raise InputError(f"MP3 cannot hold {sample_rate} samples a second; write WAV or FLAC, or resample it.")
    values = tags(meta or {}, metadata)
    whole: np.ndarray = to_int16(samples) if subtype == "PCM_16" else samples
    buffer = io.BytesIO()
    sf.write(buffer, whole, sample_rate, format=format.upper(), subtype=subtype)
    if format == "wav":
        return _with_info(buffer.getvalue(), values)
    buffer.seek(0)
    _tag(buffer, format, values)
    return buffer.getvalue()


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Little-endian int16 of samples within full scale, rounded."""
    return np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")


def _info_chunk(values: Mapping[str, str]) -> bytes:
    """A RIFF LIST INFO chunk."""
    body = b"INFO"
    for identifier, key in ((b"INAM", "title"), (b"ICMT", "comment"), (b"ISFT", "software"), (b"IART", "artist")):
        if key in values:
            text = values[key].encode() + b"\0"
            body += identifier + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
    return b"LIST" + struct.pack("<I", len(body)) + body


def _with_info(wav: bytes, values: Mapping[str, str]) -> bytes:
    """A WAV file with its tags after the samples, where every reader skips what it does not know."""
    chunk = _info_chunk(values)
    wav += b"\0" * (len(wav) % 2)
    return wav[:4] + struct.pack("<I", len(wav) + len(chunk) - 8) + wav[8:] + chunk


def _tag(buffer: io.BytesIO, format: str, values: Mapping[str, str]) -> None:
    """Vorbis comments (FLAC, Ogg) or ID3 (MP3)."""
    if format == "mp3":
        from mutagen.id3 import COMM, ID3, TIT2, TPE1, TSSE, TXXX

        id3 = ID3()
        known = {"title": TIT2, "software": TSSE, "artist": TPE1}
        for key, value in values.items():
            if key == "comment":
                id3.add(COMM(encoding=3, lang="eng", desc="", text=value))
            else:
                id3.add(known[key](encoding=3, text=value) if key in known else TXXX(encoding=3, desc=key, text=value))
        id3.save(buffer)
        return
    from mutagen.flac import FLAC
    from mutagen.oggvorbis import OggVorbis

    file = FLAC(buffer) if format == "flac" else OggVorbis(buffer)
    for key, value in values.items():
        file[key] = value
    buffer.seek(0)
    file.save(buffer)


def wav_stream_header(sample_rate: int, meta: Mapping[str, Any] | None = None) -> bytes:
    """The head of a mono 16-bit WAV file whose length is not known yet: the tags, then samples follow without end."""
    info = _info_chunk(tags(meta or {}))
    form = struct.pack("<IHHIIHH", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + form + info + b"data\xff\xff\xff\xff"


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: into a temporary file beside it, then renamed.

    Raises:
        InputError: The folder is missing or not writable, or the disk is full; no part of the file is left.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(
                f"{path} cannot be written, the disk is full; free some space or choose another."
            ) from None
        reason = error.strerror or "unknown reason"
        raise InputError(f"{path} cannot be written ({reason}); choose a folder that exists and is writable.") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)

"""What commands that make sound share: outputs, progress, streams to files and to stdout."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calm_core.errors import InputError

if TYPE_CHECKING:
    from calm_core.tasks.continuation import SoundStream
    from calm_core.tasks.tts import SpeechStream

STDIO = "-"


def note(text: str) -> None:
    """A line for whoever watches, on stderr."""
    print(text, file=sys.stderr, flush=True)


class DownloadProgress:
    """Downloads as one line on stderr that is rewritten on a terminal; elsewhere one line at the end of each file."""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """See `hub.Progress`."""
        of = f" of {total / 1e6:.1f}" if total else ""
        if sys.stderr.isatty():
            end = "\n" if total and done >= total else ""
            print(f"\r{name}: {done / 1e6:.1f}{of} MB", end=end, file=sys.stderr, flush=True)
        elif total and done >= total:
            note(f"{name}: {done / 1e6:.1f} MB")


def check_output(out: str, endings: tuple[str, ...]) -> Path:
    """Refuse an output that could not be written before any work is done for it.

    Raises:
        InputError: it has another ending, is a folder, or is in no folder that can be written.
    """
    path = Path(out)
    if path.suffix.lower() not in endings:
        raise InputError(f"The output {out!r} must end in one of {', '.join(endings)}; rename it.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {str(path.parent)!r} for the output; make it first.")
    if path.is_dir():
        raise InputError(f"The output {out!r} is a folder; give the name of a file.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"The folder {str(path.parent)!r} is not writable; choose another.")
    return path


def sound_endings() -> tuple[str, ...]:
    """Endings of the sound files that can be written."""
    from calm_core.sound_files import FORMATS

    return tuple(f".{name}" for name in FORMATS)


def print_result(values: dict[str, Any], line: str, as_json: bool) -> None:
    """What was made, on stdout: as a line or as JSON."""
    print(json.dumps(values, ensure_ascii=False) if as_json else line, flush=True)


def _summary(name: str, meta: dict[str, Any]) -> str:
    parts = [f"{meta.get('seconds', 0.0):.2f} s", f"seed {meta['seed']}"]
    if meta.get("first_audio_seconds") is not None:
        parts.append(f"{meta['first_audio_seconds']:.2f} s to first audio")
    if meta.get("real_time_factor") is not None:
        parts.append(f"{meta['real_time_factor']:.1f} times real time")
    if meta.get("sampler_share") is not None:
        parts.append(f"{meta['sampler_share']:.0%} of the time in the sampler")
    return f"{name}: {', '.join(parts)}"


def _to_stdout(stream: SpeechStream | SoundStream, sample_rate: int) -> None:
    """Write chunks as they come: a WAV file of unknown length."""
    from calm_core.sound_files import to_int16, wav_stream_header

    pipe = sys.stdout.buffer
    loud = 0
    with stream:
        pipe.write(wav_stream_header(sample_rate, stream.meta))
        for chunk in stream:
            loud += int((chunk.abs() > 1.0).sum())
            pipe.write(to_int16(chunk.numpy()).tobytes())
            pipe.flush()
    if loud:
        note(f"{loud} samples were louder than full scale and were limited; write a file to scale them instead.")


def finish(
    stream: SpeechStream | SoundStream, sample_rate: int, path: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Write a stream to a file, whole, or to stdout as it comes; then say what was made."""
    for notice in stream.meta.get("notices", ()):
        note(notice)
    if path is None:
        _to_stdout(stream, sample_rate)
        note(_summary("stdout", stream.meta))
        return
    import torch

    import calm_core

    chunks = []
    with stream:
        for chunk in stream:
            chunks.append(chunk)
            if sys.stderr.isatty():
                print(f"\r{stream.meta.get('seconds', 0.0):.1f} s made", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        note("")
    samples = torch.cat(chunks) if chunks else torch.zeros(0)
    gain_db = calm_core.write_audio(path, calm_core.Audio(samples, sample_rate, stream.meta))
    if gain_db:
        note(f"The sound was louder than full scale and was written {-gain_db:.1f} dB lower.")
    print_result({"file": str(path), **stream.meta}, _summary(str(path), stream.meta), as_json)

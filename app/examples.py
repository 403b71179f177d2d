"""Render the example clips of the page: `python -m app.examples [--model ID] [--out FOLDER]`."""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from app.encoding import to_int16
from app.errors import UserError
from app.services import marks
from app.settings import Settings, load_settings
from app.speech import SpeechRequest, VoiceRef, check_request
from app.synthesis import Synthesizer

LIST = "examples.yaml"


def main(arguments: list[str] | None = None) -> int:
    """Render every entry of `examples.yaml`; 2 when the model or an entry cannot be used."""
    parser = argparse.ArgumentParser(description="Render the example clips of the page.")
    parser.add_argument("--model", help="default: the app's default model")
    parser.add_argument("--out", type=Path, help="default: assets/examples")
    options = parser.parse_args(arguments)
    settings = load_settings(default_model=options.model)
    folder = options.out or settings.examples_dir
    try:
        for path in render(settings, settings.examples_dir / LIST, folder):
            print(path)
    except UserError as error:
        print(error.message, file=sys.stderr)
        return 2
    return 0


def render(settings: Settings, entries: Path, folder: Path) -> list[Path]:
    """Speak every entry of a YAML list into `folder`; clips of earlier lists are removed.

    Raises:
        UserError: the model or an entry cannot be used.
    """
    synthesizer = Synthesizer(settings)
    synthesizer.start_warm_up()
    synthesizer.wait()
    model = settings.default_model
    voices = [voice["name"] for voice in synthesizer.voices(model)]
    defaults = synthesizer.defaults(model)
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.flac"), *folder.glob("*.json")]:
        old.unlink()
    paths = []
    for number, entry in enumerate(yaml.safe_load(entries.read_text(encoding="utf-8"))):
        request = check_request(
            model=model,
            text=entry["text"],
            voice=VoiceRef(entry.get("voice") or voices[number % len(voices)]),
            max_text_chars=settings.max_text_chars,
            seed=entry["seed"],
            # in full, as the page sends them, so that pressing Speak on an example finds its clip
            **{name: defaults[name] for name in ("temperature", "steps", "cfg", "speed")},
        )
        slug = re.sub(r"[^a-z0-9]+", "-", entry["title"].lower()).strip("-")
        paths.append(_speak(synthesizer, request, entry["title"], folder / f"{number + 1:02d}-{slug}.flac"))
    return paths


def _speak(synthesizer: Synthesizer, request: SpeechRequest, title: str, path: Path) -> Path:
    began, first, rate = time.monotonic(), 0.0, 0
    blocks: list[np.ndarray] = []
    for rate, samples, _ in synthesizer.speak(request, threading.Event(), lambda *_: None):  # noqa: B007
        first = first or time.monotonic() - began
        blocks.append(to_int16(samples))
    took = time.monotonic() - began
    samples = np.concatenate(blocks)
    info: dict[str, Any] = {
        "id": request.key(fingerprint="example"),
        "title": title,
        **request.parameters(),
        "request": request.parameters(),
        "seconds": round(len(samples) / rate, 3),
        "first_audio_seconds": round(first, 4),
        "real_time_factor": round(len(samples) / rate / took, 3),
        "synthetic": True,
    }
    with soundfile.SoundFile(path, "w", rate, 1, subtype="PCM_16", format="FLAC") as file:
        tags = marks(info)
        file.title, file.artist, file.comment, file.software = (
            tags[name] for name in ("title", "artist", "comment", "software")
        )
        file.write(samples)
    path.with_suffix(".json").write_text(json.dumps(info, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())

"""Preset voices of a loaded model, and voices made of whatever a caller hands in."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import yaml

from calm_core.audio import Audio, read_audio
from calm_core.catalogue import POCKET, ModelInfo, pocket_voice_address, pocket_voices
from calm_core.errors import InputError
from calm_core.hub import Progress, fetch
from calm_core.model import CALM
from calm_core.tasks.loading import bundled_voices_folder
from calm_core.tasks.mono import mono
from calm_core.voices import Voice, check_voice_model, make_voice


@dataclass(frozen=True)
class VoiceInfo:
    """One line of the list of preset voices."""

    name: str
    language: str
    licence: str
    description: str
    source: str


class VoiceShelf:
    """Finds voices for one model; presets are made once and kept.

    Args:
        info: of the model.
        model: loaded.
        cloning: whether its weights can make voices from recordings.
    """

    def __init__(self, info: ModelInfo, model: CALM, cloning: bool):
        self._info = info
        self._model = model
        self._cloning = cloning
        self._lock = threading.Lock()
        self._made: dict[str, Voice] = {}
        self._published = info.id.startswith(POCKET)
        self._recordings: dict[str, Path] = {}
        self._presets = self._read_presets()

    def presets(self) -> list[VoiceInfo]:
        """The preset voices, the model's own language first."""
        return list(self._presets)

    def get(self, source: str | Path | Audio | Voice | None, progress: Progress | None) -> Voice:
        """See `TextToSpeech.voice`."""
        if isinstance(source, Voice):
            check_voice_model(source.model, self._model, f"'{source.name}'")
            return source
        if isinstance(source, Audio):
            return self._clone(source, str(source.meta.get("name", "recording")))
        if source is None:
            if not self._presets:
                raise InputError(f"'{self._info.id}' has no preset voices; give a recording of a voice.")
            source = self._presets[0].name
        if isinstance(source, str) and any(v.name == source for v in self._presets):
            return self._preset(source, progress)
        path = Path(source)
        if path.suffix == ".safetensors":
            return Voice.load(path, self._model)
        if not path.is_file():
            names = ", ".join(v.name for v in self._presets) or "none"
            raise InputError(
                f"There is no voice '{source}' for '{self._info.id}'; the presets are: {names}; "
                f"or give the path of a recording."
            )
        return self._clone(read_audio(path), path.stem)

    def _preset(self, name: str, progress: Progress | None) -> Voice:
        with self._lock:
            if name not in self._made:
                if self._published:
                    address = pocket_voice_address(self._info.id.removeprefix(POCKET), name)
                    self._made[name] = Voice.load(fetch(address, progress), self._model, name)
                else:
                    self._made[name] = self._clone(read_audio(self._recordings[name]), name)
            return self._made[name]

    def _clone(self, audio: Audio, name: str) -> Voice:
        if not self._cloning:
            raise InputError(
                f"The weights of '{self._info.id}' in use cannot clone voices; use one of its "
                f"preset voices, or accept the terms at https://huggingface.co/kyutai/pocket-tts, "
                f"log in with `hf auth login` and load the model again."
            )
        return make_voice(self._model, mono(audio, self._model.codec.sample_rate), name)

    def _read_presets(self) -> list[VoiceInfo]:
        if self._published:
            voices = [
                VoiceInfo(v.name, v.language, v.licence, f"{v.source} recording", v.source) for v in pocket_voices()
            ]
            return sorted(voices, key=lambda v: v.language != self._info.language)
        index = bundled_voices_folder() / "voices.yaml"
        if not index.is_file():
            return []
        entries = yaml.safe_load(index.read_text(encoding="utf-8"))
        voices = []
        for name, entry in entries.items():
            self._recordings[name] = index.parent / entry["file"]
            facts = {key: str(entry.get(key, "")) for key in ("language", "licence", "description", "source")}
            voices.append(VoiceInfo(name, **facts))
        return voices

"""Music out of the engine: prompts and references are read, variants are handed out while they are made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from app.engine import Report, continued, sentences
from app.models import Models
from app.music import DescribedMusicRequest, MusicContinuationRequest, MusicRequest
from app.settings import Settings

Chunk = tuple[int, np.ndarray, dict[str, Any]]


class MusicMaker:
    """Turns requests for music into sound; see `play`."""

    def __init__(self, models: Models, settings: Settings):
        """Loads nothing."""
        self._models = models
        self._settings = settings

    def play(self, request: MusicRequest, stop: threading.Event, report: Report) -> Iterator[Chunk]:
        """Yield sample rate in hertz, float32 samples `[variants, samples]` and what is to be known of them.

        Of a continuation the prompt comes first, and `prompt_end` is the second where it ends. `notices` are sentences
        for whoever asked.

        Raises:
            UserError: the model, the prompt, the reference or a value cannot be used.
        """
        with sentences():
            if not self._models.is_loaded(request.model, request.task):
                report("Loading the model", None)
            model = self._models.load(request.model, request.task, report)
            stream = self._stream(model, request, stop)
            with stream:
                for chunk in stream:
                    notes = continued(stream.meta)
                    if isinstance(request, DescribedMusicRequest):
                        del notes["prompt_end"]  # there is no prompt
                    yield model.sample_rate, chunk.numpy(), notes

    def _stream(self, model: Any, request: MusicRequest, stop: threading.Event) -> Any:
        if isinstance(request, MusicContinuationRequest):
            with sentences(param="prompt"):
                ready = model.prompt(self.head(request))
            return model.stream_variants(ready, request.seconds, guide=request.guide, stop=stop, **request.sampling())
        assert isinstance(request, DescribedMusicRequest)
        reference = None
        if request.reference is not None:
            with sentences(param="reference"):
                reference = self.read(request.reference.path, "The reference sound")
        return model.stream_variants(
            request.description or None, request.seconds, audio_prompt=reference, text_weight=request.text_weight,
            stop=stop, **request.sampling(),
        )  # fmt: skip

    def head(self, request: MusicContinuationRequest) -> Any:
        """What a continuation keeps of its prompt, as the engine's audio with all its channels.

        Raises:
            InputError: the prompt cannot be used.
        """
        audio = self.read(request.prompt.path, "The prompt")
        count = round(request.prompt_seconds * audio.sample_rate)
        parts = {"all": slice(None), "beginning": slice(count), "end": slice(-count, None)}
        return self._models.engine().Audio(audio.samples[..., parts[request.prompt_part]], audio.sample_rate)

    def read(self, path: Path | None, name: str) -> Any:
        """A sound that music is made of, refused before it is decoded where it is too long.

        Raises:
            InputError: it is no sound, too short, too long or silent.
        """
        assert path is not None
        longest = self._settings.max_music_prompt_seconds
        return self._models.engine().read_audio(path, min_seconds=1.0, max_seconds=longest, mono=False, name=name)

    @staticmethod
    def step_notices(head: str, steps: int) -> tuple[str, ...]:
        """What is to be said about a number of steps for a kind of head (CALM, table 9)."""
        from calm_core.tasks.music import step_notices

        return step_notices(head, steps)

    def seconds_of(self, path: Path, name: str = "The sound") -> float:
        """The length of such a sound.

        Raises:
            UserError: it cannot be used.
        """
        with sentences(param="prompt"):
            return self.read(path, name).seconds

"""Music for pages and routes: prompts by their kind, runs, and a prompt beside its reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.clips import Clip, ClipCache
from app.continuation import ExamplePrompts, recording_of
from app.encoding import to_int16
from app.engine import sentences
from app.errors import UserError
from app.music import CONTINUE, RESULT_PREFIX, check_described_music, check_music_continuation, own_piece
from app.runs import Run, Runs
from app.settings import Settings
from app.speech import VoiceRef
from app.synthesis import Synthesizer


@dataclass(frozen=True)
class Heard:
    """A prompt as the engine gets it, and as the codec of a model gives it back; `rebuilt` only where it was asked."""

    original: Clip
    rebuilt: Clip | None
    figures: dict[str, Any]


@dataclass(frozen=True)
class MusicService:
    """Checks what is asked for and opens runs."""

    settings: Settings
    synthesizer: Synthesizer
    clips: ClipCache
    runs: Runs
    prompts: ExamplePrompts

    def open_continuation(self, *, after: Run | None = None, **asked: Any) -> Run:
        """Check a request to go on from a piece and put it in the queue; see `app.music.check_music_continuation`.

        Raises:
            UserError: a value is outside its limits, or the queue is full.
        """
        return self.runs.open(check_music_continuation(self.settings, **asked), after)

    def open_described(self, *, after: Run | None = None, **asked: Any) -> Run:
        """The same for a description; see `app.music.check_described_music`."""
        return self.runs.open(check_described_music(self.settings, **asked), after)

    def sound(
        self, *, path: str | Path | None = None, example: str = "", clip: str = "", param: str = "prompt"
    ) -> VoiceRef:
        """What music starts from or shall be like: a visitor's file, an example by its name, or a kept clip.

        Raises:
            UserError: there is none of them, or several.
        """
        if sum(map(bool, (path, example, clip))) > 1:
            raise UserError("Send one sound: a file, an example or a clip.", param=param)
        if clip:
            return self.result(clip, param)
        return self.prompts.get(example) if example else own_piece(path, self.settings.max_upload_mb, param)

    def result(self, clip_id: str, param: str = "prompt") -> VoiceRef:
        """A kept clip, to go on from or to be like.

        Raises:
            UserError: it is unknown, or made room for newer ones.
        """
        found = self.clips.get(clip_id.removeprefix(RESULT_PREFIX))
        if found is None:
            raise UserError(
                "This result is no longer kept; make it again.", status=404, code="unknown_clip", param=param
            )
        return recording_of(found.path, RESULT_PREFIX + found.id)

    def hear(self, *, prompt: VoiceRef, model: str, through_codec: bool, **part: Any) -> Heard:
        """A prompt as clips: the part of it that is kept, and what the codec of a model makes of that.

        Args:
            prompt: the piece.
            model: whose codec is asked.
            through_codec: whether it is asked at all.
            part: `prompt_part` and `prompt_seconds`.

        Raises:
            UserError: the prompt or the model cannot be used.
        """
        self.synthesizer.wait()
        request = check_music_continuation(self.settings, model=model, prompt=prompt, seed=0, **part)
        with sentences(param="prompt"):
            head = self.synthesizer.music.head(request).mono()
        info = {"model": model, "task": CONTINUE, "text": prompt.name, "synthetic": False}
        if not through_codec:
            rate, seconds = head.sample_rate, round(head.seconds, 3)
            original = self.clips.put(to_int16(head.samples.numpy().astype(np.float64)), rate, info)
            return Heard(original, None, {"seconds": seconds})
        result = self.synthesizer.through_codec(head, model)
        original = self.clips.put(result.original, result.sample_rate, info)
        told = {**info, "text": f"{prompt.name} after the codec", "synthetic": True}
        rebuilt = self.clips.put(result.reconstructed, result.sample_rate, told)
        return Heard(original, rebuilt, result.figures())

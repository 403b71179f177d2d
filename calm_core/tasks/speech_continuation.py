"""Speech continuation: a few seconds of speech in, the same voice going on out, with the words it thinks of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from calm_core.audio import Audio
from calm_core.tasks.continuation import ContinuationTask, Prompt, SoundStream
from calm_core.tasks.limits import LinkedStop, checked_seed
from calm_core.tasks.mono import mono
from calm_core.tasks.prompt import SPEECH_HEARD_SECONDS, check_speech
from calm_core.tasks.thoughts import Thoughts, Word
from calm_core.types import ContinuationParams


class ContinuationStream(SoundStream):
    """Chunks of samples [N], float32: the prompt first, then new sound as it is made.

    Attributes:
        meta: every parameter, the seed that was drawn, and timings as they become known.
        words: what the model has thought of so far; a word is there before it is heard.
    """

    def __init__(self, chunks: Iterator[Tensor], meta: dict[str, Any], thoughts: Thoughts, stop: threading.Event):
        super().__init__(chunks, meta, stop)
        self._thoughts = thoughts

    @property
    def words(self) -> list[Word]:
        """The words so far, with the second at which each is spoken."""
        return self._thoughts.words()


class SpeechContinuation(ContinuationTask):
    """A loaded model that continues speech; see `ContinuationTask`."""

    task: ClassVar[str] = "speech_continuation"

    @torch.inference_mode()
    def prompt(self, audio: Audio) -> Prompt:
        """Make a recording ready.

        Raises:
            InputError: it is too short or too long, or no speech is found in it.
        """
        return self.ready(check_speech(mono(audio, self.sample_rate), self.sample_rate), SPEECH_HEARD_SECONDS)

    def stream(
        self,
        prompt: Audio | Prompt | None,
        seconds: float = 27.0,
        *,
        seed: int | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        text_temperature: float | None = None,
        top_k: int | None = None,
        stop: threading.Event | None = None,
    ) -> ContinuationStream:
        """Go on speaking, and hand out the sound while it is made; the prompt comes first.

        Args:
            prompt: speech of 1 to 60 s, of which the last 6 s are heard; None starts from nothing, in any voice.
            seconds: of new sound.
            seed: 0 or more; the same seed gives the same sound on the same machine. None draws one.
            temperature: of the sound; lower is steadier, higher more varied.
            steps: evaluations of the sampler head for each frame.
            text_temperature: of the words; 0 always takes the likeliest.
            top_k: codes to choose from, for models that draw codes.
            stop: set it to end early.

        Raises:
            InputError: the prompt or a value cannot be used.
        """
        asked = {"temperature": temperature, "steps": steps, "text_temperature": text_temperature, "top_k": top_k}
        values = self.checked(seconds, asked)
        drawn = checked_seed(seed)
        ready = prompt if isinstance(prompt, Prompt) else self.nothing() if prompt is None else self.prompt(prompt)
        halt = LinkedStop(stop)
        head = len(ready.samples) / self.sample_rate
        meta: dict[str, Any] = {
            "model": self.info.id, "prompt_seconds": round(head, 4), "asked_seconds": seconds, "seed": drawn, **values,
        }  # fmt: skip
        thoughts = Thoughts(self.model.text, head, self.model.codec.frame_size / self.sample_rate)
        params = ContinuationParams(**values)
        chunks = self.chunks(ready, seconds, params, [drawn], meta, halt, told=thoughts.add)
        return ContinuationStream(_told(chunks, thoughts, meta), meta, thoughts, halt)

    def generate(self, prompt: Audio | Prompt | None, seconds: float = 27.0, **options: Any) -> Audio:
        """The prompt and what follows it; arguments and errors as for `stream`. `meta["text"]` is what was thought."""
        with self.stream(prompt, seconds, **options) as stream:
            samples = torch.cat(list(stream))
        return Audio(samples, self.sample_rate, {**stream.meta, "words": [vars(word) for word in stream.words]})


def _told(chunks: Iterator[Tensor], thoughts: Thoughts, meta: dict[str, Any]) -> Iterator[Tensor]:
    """The one row of chunks [1, N]; `meta` has the words that were thought before each."""
    for chunk in chunks:
        if "first_audio_seconds" in meta:
            meta["text"] = thoughts.text()
        yield chunk[0]

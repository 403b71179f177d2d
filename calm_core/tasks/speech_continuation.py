"""Speech continuation: a few seconds of speech in, the same voice going on out, with the words it thinks of."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from calm_core.audio import Audio, loudness
from calm_core.audio_lm import AudioLM
from calm_core.catalogue import Found, ModelInfo
from calm_core.continuation import Step, continue_frames
from calm_core.errors import InputError
from calm_core.generate import Sound, group_sizes
from calm_core.hub import Progress
from calm_core.nn.packed import packed_bytes
from calm_core.tasks.limits import LinkedStop, check, checked_seed
from calm_core.tasks.loading import load_continuation
from calm_core.tasks.mono import mono
from calm_core.tasks.prompt import MAX_HEARD_SECONDS, check_prompt
from calm_core.tasks.thoughts import Thoughts, Word
from calm_core.types import ContinuationParams

MAX_SECONDS = 120.0
_LIMITS = {
    "seconds": (0.1, MAX_SECONDS),
    "temperature": (0.0, 4.0),
    "steps": (1, 128),
    "text_temperature": (0.0, 4.0),
    "top_k": (1, 100_000),
}
LOUDNESS_LUFS = -23.0  # of the corpora that models are trained on
# New sound fades in over the end of the prompt, so that no step is heard where they meet.
_FADE_SECONDS = 0.005


@dataclass(frozen=True)
class Prompt:
    """A recording made ready: what is heard by the caller, and by the model.

    Attributes:
        samples: [N] at the codec's rate, a whole number of frames.
        frames: [1, P, D] normalised latents or [1, P, K] codes of its last seconds.
        gain: what brings the recording to the loudness that the model knows; undone in the new sound.
    """

    samples: Tensor
    frames: Tensor
    gain: float = 1.0


class ContinuationStream(Iterator[Tensor]):
    """Chunks of samples [N], float32: the prompt first, then new sound as it is made.

    Attributes:
        meta: every parameter, the seed that was drawn, and timings as they become known.
        words: what the model has thought of so far; a word is there before it is heard.
    """

    def __init__(self, chunks: Iterator[Tensor], meta: dict[str, Any], thoughts: Thoughts, stop: threading.Event):
        self.meta, self._thoughts, self._chunks, self._stop = meta, thoughts, chunks, stop

    @property
    def words(self) -> list[Word]:
        """The words so far, with the second at which each is spoken."""
        return self._thoughts.words()

    def __next__(self) -> Tensor:
        """The next chunk."""
        return next(self._chunks)

    def close(self) -> None:
        """Stop the generation."""
        self._stop.set()
        self._chunks.close()  # type: ignore[attr-defined]

    def __enter__(self) -> ContinuationStream:
        """The stream itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the generation."""
        self.close()


class SpeechContinuation:
    """A loaded model that continues speech; any number of callers may use it at once.

    Attributes:
        info: its line in the list of models.
        sample_rate: of all audio, Hz.
        frame_rate: frames a second.
        defaults: how it samples when a caller does not say.
        discrete: whether it draws codes (the baseline) instead of latents.
    """

    def __init__(self, info: ModelInfo, model: AudioLM):
        sampling = model.config.sampling
        self.info, self.model = info, model
        self.sample_rate, self.frame_rate = model.codec.sample_rate, model.codec.frame_rate
        self.discrete = model.discrete
        self.defaults = ContinuationParams(
            sampling.temperature, sampling.steps, sampling.text_temperature, sampling.top_k
        )

    @staticmethod
    def load(
        found: Found, device: str = "cpu", progress: Progress | None = None, precision: str = "float32"
    ) -> SpeechContinuation:
        """Load the weights of a found model.

        Raises:
            InputError: see `loading.load_continuation`.
        """
        return SpeechContinuation(found.info, load_continuation(found, device, progress, precision))

    @property
    def weights_bytes(self) -> int:
        """Memory of all weights and tables."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        return sum(t.numel() * t.element_size() for t in tensors) + packed_bytes(self.model)

    @torch.inference_mode()
    def prompt(self, audio: Audio) -> Prompt:
        """Make a recording ready.

        Raises:
            InputError: it is too short or too long, or no speech is found in it.
        """
        samples = check_prompt(mono(audio, self.sample_rate), self.sample_rate)
        size = self.model.codec.frame_size
        samples = samples[len(samples) % size :]
        heard = samples[-int(MAX_HEARD_SECONDS * self.frame_rate) * size :]
        gain = 10 ** ((LOUDNESS_LUFS - loudness(Audio(heard, self.sample_rate))) / 20)
        wave = (heard * gain)[None, None].to(self.model.latent_mean.device)
        return Prompt(samples, self.model.heard(wave), gain)

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
            prompt: speech of 1 to 60 s, of which the last 10 s are heard; None starts from nothing, in any voice.
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
        values = {k: getattr(self.defaults, k) if v is None else v for k, v in asked.items()}
        check(_LIMITS, {**values, "seconds": seconds})
        if self.discrete and values["steps"] != 1:
            raise InputError(f"'{self.info.id}' draws codes, which take one step; leave steps at 1.")
        if not self.discrete and values["top_k"] is not None:
            raise InputError(f"'{self.info.id}' draws no codes, so there is no top_k; leave it out.")
        params = ContinuationParams(**{**values, "steps": int(values["steps"])})
        drawn = checked_seed(seed)
        ready = prompt if isinstance(prompt, Prompt) else self._nothing() if prompt is None else self.prompt(prompt)
        halt = LinkedStop(stop)
        size = self.model.codec.frame_size
        head = len(ready.samples) / self.sample_rate
        meta: dict[str, Any] = {
            "model": self.info.id, "prompt_seconds": round(head, 4), "asked_seconds": seconds, "seed": drawn,
            **vars(params),
        }  # fmt: skip
        thoughts = Thoughts(self.model.text, head, size / self.sample_rate)
        wanted = round(seconds * self.sample_rate)
        count = -(-(wanted + self.model.codec.delay) // size)
        steps_made = continue_frames(
            self.model, ready.frames, count, params, torch.Generator().manual_seed(drawn), halt
        )
        return ContinuationStream(self._chunks(ready, steps_made, wanted, thoughts, meta), meta, thoughts, halt)

    def generate(self, prompt: Audio | Prompt | None, seconds: float = 27.0, **options: Any) -> Audio:
        """The prompt and what follows it; arguments and errors as for `stream`. `meta["text"]` is what was thought."""
        with self.stream(prompt, seconds, **options) as stream:
            samples = torch.cat(list(stream))
        return Audio(samples, self.sample_rate, {**stream.meta, "words": [vars(word) for word in stream.words]})

    def _nothing(self) -> Prompt:
        return Prompt(torch.zeros(0), self.model.embed.before(1, 1)[:, :0])

    def _chunks(
        self, prompt: Prompt, steps: Iterator[Step], wanted: int, thoughts: Thoughts, meta: dict[str, Any]
    ) -> Iterator[Tensor]:  # fmt: skip
        """The prompt, then `wanted` samples, made by a decoder that has heard the prompt as well."""
        began = time.perf_counter()
        sound = Sound(self.model)
        tail, skip = prompt.samples[:0], 0
        fade = round(_FADE_SECONDS * self.sample_rate)
        if len(prompt.samples):
            decoded = sound.decode(list(prompt.frames.unbind(1))) / prompt.gain
            # The decoder stands here; the crossfade begins `fade` before the end of the prompt.
            skip = prompt.frames.shape[1] * self.model.codec.frame_size - fade - len(decoded)
            tail = prompt.samples[-fade:]
            yield prompt.samples[:-fade]
            if skip < 0:  # a decoder without delay has already made the prompt's end
                tail, skip = _joined(tail, decoded[skip:]), 0
                yield tail
                tail = tail[:0]
        left = wanted + len(tail)
        for frames in _groups(steps, thoughts):
            wave = sound.decode(frames) / prompt.gain
            if skip:
                skip, wave = max(0, skip - len(wave)), wave[skip:]
            wave = wave[:left]
            if len(tail) and len(wave) >= fade:
                wave, tail = _joined(tail, wave), tail[:0]
            meta.setdefault("first_audio_seconds", round(time.perf_counter() - began, 4))
            left -= len(wave)
            seconds = (wanted - left) / self.sample_rate
            meta["seconds"] = round(meta["prompt_seconds"] + seconds, 4)
            meta["real_time_factor"] = round(seconds / max(time.perf_counter() - began, 1e-9), 3)
            meta["text"] = thoughts.text()
            yield wave


def _groups(steps: Iterator[Step], thoughts: Thoughts) -> Iterator[list[Tensor]]:
    """Frames in the groups in which they are decoded; the words go to `thoughts` on the way."""
    sizes = group_sizes()
    waiting: list[Tensor] = []
    size = next(sizes)
    for step in steps:
        if step.token is not None:
            thoughts.add(step.token)
        if step.frame is not None:
            waiting.append(step.frame)
        if len(waiting) == size:
            yield waiting
            waiting, size = [], next(sizes)
    if waiting:
        yield waiting


def _joined(before: Tensor, after: Tensor) -> Tensor:
    """`after` [N] with its first samples crossfaded from `before` [M], M at most N."""
    ramp = torch.linspace(0, 1, len(before))
    return torch.cat([before * (1 - ramp) + after[: len(before)] * ramp, after[len(before) :]])

"""What continuing speech and continuing music share: prompts, streams with a crossfade at the joint, limits.

Shapes: R rows (variants that go on from one prompt), N samples, P frames of the prompt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

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
from calm_core.tasks.limits import check
from calm_core.tasks.loading import load_continuation
from calm_core.types import ContinuationParams

MAX_SECONDS = 120.0
# New sound fades in over the end of the prompt, so that no step is heard where they meet.
_FADE_SECONDS = 0.005
_LIMITS = {
    "seconds": (0.1, MAX_SECONDS),
    "temperature": (0.0, 4.0),
    "steps": (1, 128),
    "text_temperature": (0.0, 4.0),
    "top_k": (1, 100_000),
    "cfg": (0.0, 10.0),
}


@dataclass(frozen=True)
class Prompt:
    """A recording made ready: what is heard by the caller, and by the model.

    Attributes:
        samples: [N] at the codec's rate, a whole number of frames.
        frames: [1, P, D] normalised latents or [1, P, K] codes of its last seconds.
        gain: what brings the recording to the loudness that the model knows; undone in the new sound.
        notices: sentences about it for whoever sent it.
    """

    samples: Tensor
    frames: Tensor
    gain: float = 1.0
    notices: tuple[str, ...] = ()


class SoundStream(Iterator[Tensor]):
    """Chunks of samples [N], float32: the prompt first, then new sound as it is made; of several variants, [R, N].

    Attributes:
        meta: every parameter, the seed that was drawn, and timings as they become known.
    """

    def __init__(self, chunks: Iterator[Tensor], meta: dict[str, Any], stop: threading.Event):
        self.meta, self._chunks, self._stop = meta, chunks, stop

    def __next__(self) -> Tensor:
        """The next chunk."""
        return next(self._chunks)

    def close(self) -> None:
        """Stop the generation."""
        self._stop.set()
        self._chunks.close()  # type: ignore[attr-defined]

    def __enter__(self) -> Self:
        """The stream itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the generation."""
        self.close()


class ContinuationTask:
    """A loaded model that continues sound; any number of callers may use it at once.

    Attributes:
        task: its name in `calm_core.load`.
        info: its line in the list of models.
        sample_rate: of all audio, Hz.
        frame_rate: frames a second.
        defaults: how it samples when a caller does not say.
        discrete: whether it draws codes (the baseline) instead of latents.
    """

    task: ClassVar[str]
    loudness_lufs: ClassVar[float] = -23.0  # of the corpora that models are trained on

    def __init__(self, info: ModelInfo, model: AudioLM):
        sampling = model.config.sampling
        self.info, self.model = info, model
        self.sample_rate, self.frame_rate = model.codec.sample_rate, model.codec.frame_rate
        self.discrete = model.discrete
        self.defaults = ContinuationParams(
            sampling.temperature, sampling.steps, sampling.text_temperature, sampling.top_k, sampling.cfg
        )

    @classmethod
    def load(
        cls, found: Found, device: str = "cpu", progress: Progress | None = None, precision: str = "float32"
    ) -> Self:
        """Load the weights of a found model.

        Raises:
            InputError: see `loading.load_continuation`.
        """
        return cls(found.info, load_continuation(found, cls.task, device, progress, precision))

    @property
    def weights_bytes(self) -> int:
        """Memory of all weights and tables."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        return sum(t.numel() * t.element_size() for t in tensors) + packed_bytes(self.model)

    def checked(self, seconds: float, asked: dict[str, float | None]) -> dict[str, Any]:
        """Values of `ContinuationParams` with the model's own where None was asked.

        Raises:
            InputError: a value is outside its limits, or is not for this kind of head.
        """
        values = {k: getattr(self.defaults, k) if v is None else v for k, v in asked.items()}
        check(_LIMITS, {**values, "seconds": seconds})
        if self.discrete and values["steps"] != 1:
            raise InputError(f"'{self.info.id}' draws codes, which take one step; leave steps at 1.")
        if not self.discrete and values["top_k"] is not None:
            raise InputError(f"'{self.info.id}' draws no codes, so there is no top_k; leave it out.")
        return {**values, "steps": int(values["steps"])}

    def ready(self, samples: Tensor, heard_seconds: float, notices: tuple[str, ...] = ()) -> Prompt:
        """A prompt of checked samples [N] at the codec's rate, of which the model hears the last seconds."""
        size = self.model.codec.frame_size
        samples = samples[len(samples) % size :]
        heard = samples[-int(heard_seconds * self.frame_rate) * size :]
        gain = 10 ** ((self.loudness_lufs - loudness(Audio(heard, self.sample_rate))) / 20)
        wave = (heard * gain)[None, None].to(self.model.latent_mean.device)
        return Prompt(samples, self.model.heard(wave), gain, notices)

    def nothing(self) -> Prompt:
        """The prompt of sound that starts by itself."""
        return Prompt(torch.zeros(0), self.model.embed.before(1, 1)[:, :0])

    def chunks(
        self,
        prompt: Prompt,
        seconds: float,
        params: ContinuationParams,
        seeds: Sequence[int],
        meta: dict[str, Any],
        stop: threading.Event,
        *,
        clap: Tensor | None = None,
        told: Callable[[int], None] = lambda token: None,
    ) -> Iterator[Tensor]:
        """The prompt, then `seconds` of new sound for each seed, as chunks [R, N].

        Args:
            prompt: see `ready` and `nothing`.
            seconds: of new sound.
            params: how to sample.
            seeds: R of them; a row draws what it would alone.
            meta: told `seconds`, `first_audio_seconds`, `real_time_factor` and `sampler_share` (of all computing,
                decoding included) as they become known.
            stop: set it to end early.
            clap: see `continue_frames`.
            told: called with each token of the text.
        """
        size = self.model.codec.frame_size
        wanted = round(seconds * self.sample_rate)
        count = -(-(wanted + self.model.codec.delay) // size)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        steps = continue_frames(self.model, prompt.frames, count, params, generators, stop, clap)
        return self._joined_chunks(prompt, _groups(steps, told), wanted, len(seeds), meta)

    def _joined_chunks(
        self, prompt: Prompt, groups: Iterator[Group], wanted: int, rows: int, meta: dict[str, Any]
    ) -> Iterator[Tensor]:  # fmt: skip
        """The prompt, then `wanted` samples, made by decoders that have heard the prompt as well."""
        began = time.perf_counter()
        sounds = [Sound(self.model) for _ in range(rows)]
        given = prompt.samples.expand(rows, -1)
        tail, skip = given[:, :0], 0
        fade = round(_FADE_SECONDS * self.sample_rate)
        if len(prompt.samples):
            frames = list(prompt.frames.unbind(1))
            decoded = _decoded(sounds, [frame.expand(rows, -1) for frame in frames]) / prompt.gain
            # The decoder stands here; the crossfade begins `fade` before the end of the prompt.
            skip = len(frames) * self.model.codec.frame_size - fade - decoded.shape[1]
            tail = given[:, -fade:]
            yield given[:, :-fade]
            if skip < 0:  # a decoder without delay has already made the prompt's end
                tail, skip = _crossfaded(tail, decoded[:, skip:]), 0
                yield tail
                tail = tail[:, :0]
        left = wanted + tail.shape[1]
        sampling = 0.0
        for frames, sampler_seconds in groups:
            sampling += sampler_seconds
            wave = _decoded(sounds, frames) / prompt.gain
            if skip:
                skip, wave = max(0, skip - wave.shape[1]), wave[:, skip:]
            wave = wave[:, :left]
            if tail.shape[1] and wave.shape[1] >= fade:
                wave, tail = _crossfaded(tail, wave), tail[:, :0]
            meta.setdefault("first_audio_seconds", round(time.perf_counter() - began, 4))
            left -= wave.shape[1]
            seconds = (wanted - left) / self.sample_rate
            meta["seconds"] = round(meta["prompt_seconds"] + seconds, 4)
            elapsed = max(time.perf_counter() - began, 1e-9)
            meta["real_time_factor"] = round(seconds / elapsed, 3)
            meta["sampler_share"] = round(sampling / elapsed, 4)
            yield wave


Group = tuple[list[Tensor], float]
"""Frames that are decoded together, and the seconds of computing in which the head drew them."""


def _groups(steps: Iterator[Step], told: Callable[[int], None]) -> Iterator[Group]:
    """Frames in the groups in which they are decoded; the tokens are told on the way."""
    sizes = group_sizes()
    waiting: list[Tensor] = []
    size, took = next(sizes), 0.0
    for step in steps:
        took += step.sampler_seconds
        if step.token is not None:
            told(step.token)
        if step.frame is not None:
            waiting.append(step.frame)
        if len(waiting) == size:
            yield waiting, took
            waiting, size, took = [], next(sizes), 0.0
    if waiting:
        yield waiting, took


def _decoded(sounds: Sequence[Sound], frames: Sequence[Tensor]) -> Tensor:
    """Samples [R, N] of the next frames, each [R, ...]; every row has a decoder of its own, as when it is alone."""
    rows = zip(*(frame.split(1) for frame in frames), strict=True)
    return torch.stack([sound.decode(row) for sound, row in zip(sounds, rows, strict=True)])


def _crossfaded(before: Tensor, after: Tensor) -> Tensor:
    """`after` [R, N] with its first samples crossfaded from `before` [R, M], M at most N."""
    count = before.shape[1]
    ramp = torch.linspace(0, 1, count)
    return torch.cat([before * (1 - ramp) + after[:, :count] * ramp, after[:, count:]], dim=1)

"""Music continuation: some seconds of music in, the music going on out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from calm_core.audio import Audio
from calm_core.audio_lm import AudioLM
from calm_core.catalogue import Found, ModelInfo
from calm_core.conditioners import ClapEmbedder
from calm_core.errors import InputError
from calm_core.hub import Progress
from calm_core.tasks.continuation import Prompt, SoundStream
from calm_core.tasks.loading import load_clap, load_continuation
from calm_core.tasks.mono import mono
from calm_core.tasks.music import MusicTask, expect_width, one_row
from calm_core.tasks.prompt import MUSIC_HEARD_SECONDS, check_heard, clipping, spoken

Guide = Literal["none", "prompt"]


class MusicContinuation(MusicTask):
    """A loaded model that continues music; see `ContinuationTask`.

    Args:
        info: its line in the list of models.
        model: with its weights.
        open_clap: loads the CLAP model when a caller first wants guidance by the prompt; None where there is none.
    """

    task: ClassVar[str] = "music_continuation"

    def __init__(self, info: ModelInfo, model: AudioLM, open_clap: Callable[[], ClapEmbedder] | None = None):
        super().__init__(info, model)
        self._open_clap, self._lock = open_clap, threading.Lock()

    @classmethod
    def load(
        cls, found: Found, device: str = "cpu", progress: Progress | None = None, precision: str = "float32"
    ) -> Self:
        """Load the weights of a found model.

        Raises:
            InputError: see `loading.load_continuation`.
        """
        model = load_continuation(found, cls.task, device, progress, precision)
        there = model.config.clap is not None and model.config.clap.model is not None
        return cls(found.info, model, (lambda: load_clap(found, device, progress)) if there else None)

    @cached_property
    def _clap(self) -> ClapEmbedder:
        assert self._open_clap is not None and self.model.config.clap is not None
        clap = self._open_clap()
        expect_width(clap, self.model.config.clap.width, self.info.id)
        return clap

    @torch.inference_mode()
    def prompt(self, audio: Audio) -> Prompt:
        """Make a recording ready: any rate, one channel or several.

        Raises:
            InputError: it is too short or too long, or its end is silent.
        """
        samples = mono(audio, self.sample_rate)
        check_heard(samples, self.sample_rate, heard_seconds=MUSIC_HEARD_SECONDS)
        return self.ready(samples, MUSIC_HEARD_SECONDS, clipping(audio) + spoken(audio))

    def stream(
        self,
        prompt: Audio | Prompt | None,
        seconds: float = 27.0,
        *,
        seed: int | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        top_k: int | None = None,
        guide: Guide = "none",
        cfg: float | None = None,
        stop: threading.Event | None = None,
    ) -> SoundStream:
        """Go on with the music, and hand out the sound while it is made; the prompt comes first.

        Args:
            prompt: any sound of 1 to 60 s, of which the last 10 s are heard; None starts from nothing.
            seconds: of new sound.
            seed: 0 or more; the same seed gives the same sound on the same machine. None draws one.
            temperature: lower is steadier, higher more varied.
            steps: evaluations of the sampler head for each frame.
            top_k: codes to choose from, for models that draw codes.
            guide: "prompt" also tells the model the CLAP embedding of the prompt, "none" nothing.
            cfg: guidance by that embedding; 1 is none, and all there is without one.
            stop: set it to end early.

        Raises:
            InputError: the prompt or a value cannot be used.
        """
        chunks, meta, halt = self._start(
            prompt, seconds, 1, guide=guide, seed=seed, temperature=temperature, steps=steps, top_k=top_k, cfg=cfg,
            stop=stop,
        )  # fmt: skip
        return SoundStream(one_row(chunks), meta, halt)

    def generate(self, prompt: Audio | Prompt | None, seconds: float = 27.0, **options: Any) -> Audio:
        """The prompt and what follows it; arguments and errors as for `stream`."""
        with self.stream(prompt, seconds, **options) as stream:
            samples = torch.cat(list(stream))
        return Audio(samples, self.sample_rate, stream.meta)

    def stream_variants(
        self, prompt: Audio | Prompt | None, seconds: float = 27.0, *, count: int = 4, **options: Any
    ) -> SoundStream:
        """Several ways to go on, as chunks [count, N]; they have the seeds `seed`, `seed` + 1, ..., as if made alone.

        Args:
            prompt: as for `stream`, like `seconds` and all options.
            seconds: of new sound.
            count: of ways.
            options: see `stream`.

        Raises:
            InputError: as for `stream`, or the count is not from 1 to 6.
        """
        return SoundStream(*self._start(prompt, seconds, count, **options))

    def generate_variants(self, prompt: Audio | Prompt | None, seconds: float = 27.0, **options: Any) -> list[Audio]:
        """What `stream_variants` makes, whole."""
        return self.collected(self.stream_variants(prompt, seconds, **options))

    def _start(
        self,
        prompt: Audio | Prompt | None,
        seconds: float,
        count: int,
        *,
        guide: Guide = "none",
        seed: int | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        top_k: int | None = None,
        cfg: float | None = None,
        stop: threading.Event | None = None,
    ) -> tuple[Any, dict[str, Any], threading.Event]:
        """See `stream` and `MusicTask.music`."""
        if guide not in ("none", "prompt"):
            raise InputError(f"guide is {guide!r} and must be none or prompt; change it.")
        if guide == "none":
            if cfg is not None and cfg != 1:
                raise InputError(
                    f"cfg is {cfg:g} and there is nothing to guide by; leave it at 1 or set guide to prompt."
                )
            cfg = 1.0
        asked = {"temperature": temperature, "steps": steps, "top_k": top_k, "cfg": cfg}
        self.checked(seconds, asked)  # before the prompt is encoded
        ready = prompt if isinstance(prompt, Prompt) else self.nothing() if prompt is None else self.prompt(prompt)
        embedding = self._embedding(ready) if guide == "prompt" else None
        facts = {"guide": guide}
        return self.music(ready, seconds, asked, count=count, seed=seed, stop=stop, clap=embedding, facts=facts)

    def _embedding(self, prompt: Prompt) -> Tensor:
        if self._open_clap is None:
            raise InputError(f"'{self.info.id}' has no CLAP model to hear the prompt with; leave guide at none.")
        if not len(prompt.samples):
            raise InputError("There is no prompt to guide by; give one, or leave guide at none.")
        with self._lock:  # loaded once, whoever comes first
            clap = self._clap
        return clap.embed_audio(Audio(prompt.samples, self.sample_rate)).to(self.model.latent_mean.device)

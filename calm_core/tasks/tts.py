"""Text to speech: one object for each loaded model, safe for any number of callers at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from calm_core.audio import Audio
from calm_core.catalogue import Found, ModelInfo
from calm_core.errors import InputError
from calm_core.hub import Progress
from calm_core.nn.packed import packed_bytes
from calm_core.scheduler import Job, Scheduler, Segment, chunks_of
from calm_core.tasks.limits import LinkedStop, check, checked_seed
from calm_core.tasks.loading import LoadedTTS, load_tts
from calm_core.tasks.script import write_script
from calm_core.tasks.voice_shelf import VoiceInfo, VoiceShelf
from calm_core.types import SamplingParams
from calm_core.voices import Voice

_LIMITS = {
    "temperature": (0.0, 4.0),
    "steps": (1, 128),
    "cfg": (0.0, 10.0),
    "noise_clamp": (0.01, 100.0),
    "speed": (0.25, 4.0),
}

VoiceLike = str | Path | Audio | Voice | None


@dataclass(frozen=True)
class Utterance:
    """One row of a batch; None leaves a value to the model."""

    text: str
    voice: VoiceLike = None
    seed: int | None = None
    temperature: float | None = None
    steps: int | None = None
    cfg: float | None = None
    noise_clamp: float | None = None
    speed: float = 1.0


class SpeechStream(Iterator[Tensor]):
    """Chunks of samples [N], float32, as they are made.

    Attributes:
        meta: every parameter, the seed that was drawn, and timings as they become known.
    """

    def __init__(self, job: Job, meta: dict[str, Any], sample_rate: int):
        self.meta = meta
        self._job = job
        self._chunks = chunks_of(job)
        self._sample_rate = sample_rate
        self._start = time.perf_counter()
        self._samples = 0

    def __next__(self) -> Tensor:
        """The next chunk."""
        chunk = next(self._chunks)
        elapsed = time.perf_counter() - self._start
        if self._samples == 0:
            self.meta["first_audio_seconds"] = round(elapsed, 4)
        self._samples += chunk.shape[0]
        seconds = self._samples / self._sample_rate
        self.meta["seconds"] = round(seconds, 4)
        self.meta["real_time_factor"] = round(seconds / max(elapsed, 1e-9), 3)
        return chunk

    def close(self) -> None:
        """Stop the generation; nothing of it stays behind."""
        self._job.stop.set()
        self._chunks.close()  # type: ignore[attr-defined]

    def __enter__(self) -> SpeechStream:
        """The stream itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the generation."""
        self.close()

    def __del__(self) -> None:
        """A stream that nobody holds any more stops."""
        self._job.stop.set()


class TextToSpeech:
    """A loaded text-to-speech model.

    Attributes:
        info: its line in the list of models.
        sample_rate: of all audio, Hz.
        frame_rate: latent frames per second.
        defaults: how it samples when a caller does not say.
        notice: one sentence about the weights in use.
        cloning: whether it can make voices from recordings.
        native_speed: whether `speed` can differ from 1.
    """

    def __init__(self, info: ModelInfo, loaded: LoadedTTS):
        model = loaded.model
        sampling = model.config.sampling
        self.info = info
        self.sample_rate = model.codec.sample_rate
        self.frame_rate = model.codec.frame_rate
        self.cloning = loaded.cloning
        self.notice = loaded.notice
        self.native_speed = model.text.native_speed
        self.defaults = SamplingParams(sampling.temperature, sampling.steps, sampling.cfg, sampling.noise_clamp)
        self.model = model
        self._scheduler = Scheduler(model)
        self._shelf = VoiceShelf(info, model, loaded.cloning)

    @staticmethod
    def load(
        found: Found, device: str = "cpu", progress: Progress | None = None, precision: str = "float32"
    ) -> TextToSpeech:
        """Load the weights of a found model.

        Raises:
            InputError: see `loading.load_tts`.
        """
        return TextToSpeech(found.info, load_tts(found, device, progress, precision))

    @property
    def weights_bytes(self) -> int:
        """Memory of all weights and tables."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        plain = sum(t.numel() * t.element_size() for t in tensors)
        return plain + packed_bytes(self.model)

    def voices(self) -> list[VoiceInfo]:
        """The preset voices."""
        return self._shelf.presets()

    def voice(self, source: VoiceLike = None, progress: Progress | None = None) -> Voice:
        """A voice to speak with.

        Args:
            source: name of a preset, path of a recording or of a voice file, a recording, or a
                voice (returned as it is); None for the first preset.
            progress: told about a download.

        Raises:
            InputError: there is no such voice, or no voice can be made of the recording.
        """
        return self._shelf.get(source, progress)

    def stream(
        self,
        text: str,
        voice: VoiceLike = None,
        *,
        seed: int | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        cfg: float | None = None,
        noise_clamp: float | None = None,
        speed: float = 1.0,
        stop: threading.Event | None = None,
    ) -> SpeechStream:
        """Speak a text and hand out the sound while it is made; the first chunk is one frame.

        Args:
            text: of any length the model accepts, with `[pause 0.5s]` where wanted.
            voice: see `voice`.
            seed: 0 or more; the same seed gives the same bits on the same machine, whoever else uses the model
                (of widths that are multiples of 32, see `nn.packed`). None draws one.
            temperature: variance of the noise.
            steps: evaluations of the sampler head for each frame.
            cfg: guidance; 1 is none.
            noise_clamp: limit of the noise.
            speed: above 1 is faster.
            stop: set it to end early.

        Raises:
            InputError: the text, the voice or a value cannot be used.
        """
        row = Utterance(text, voice, seed, temperature, steps, cfg, noise_clamp, speed)
        job, meta = self._prepare(row, stop)
        stream = SpeechStream(job, meta, self.sample_rate)
        self._scheduler.submit([job])
        return stream

    def generate(
        self,
        text: str,
        voice: VoiceLike = None,
        *,
        seed: int | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        cfg: float | None = None,
        noise_clamp: float | None = None,
        speed: float = 1.0,
        stop: threading.Event | None = None,
    ) -> Audio:
        """Speak a text; arguments and errors as for `stream`. What was said before a stop is kept."""
        row = Utterance(text, voice, seed, temperature, steps, cfg, noise_clamp, speed)
        return self._collect([row], stop)[0]

    def generate_batch(self, utterances: Sequence[Utterance], *, stop: threading.Event | None = None) -> list[Audio]:
        """Speak several texts together; each sounds as it would alone.

        Raises:
            InputError: as for `stream`, before anything is spoken.
        """
        return self._collect(utterances, stop)

    def _collect(self, rows: Sequence[Utterance], stop: threading.Event | None) -> list[Audio]:
        stop = stop or threading.Event()
        prepared = [self._prepare(row, stop) for row in rows]
        streams = [SpeechStream(job, meta, self.sample_rate) for job, meta in prepared]
        self._scheduler.submit([job for job, _ in prepared])
        audios: list[Audio] = []
        try:
            for stream in streams:
                chunks = list(stream)
                samples = torch.cat(chunks) if chunks else torch.zeros(0)
                audios.append(Audio(samples, self.sample_rate, stream.meta))
        except BaseException:
            for job, _ in prepared:
                job.stop.set()
            raise
        return audios

    def _prepare(self, row: Utterance, stop: threading.Event | None) -> tuple[Job, dict[str, Any]]:
        params = self._params(row)
        segments: list[Segment] = write_script(row.text, self.model.text, self.info.language)
        voice = self.voice(row.voice)
        seed = checked_seed(row.seed)
        meta: dict[str, Any] = {
            "model": self.info.id,
            "voice": voice.name,
            "text": row.text,
            "seed": seed,
            "temperature": params.temperature,
            "steps": params.steps,
            "cfg": params.cfg,
            "noise_clamp": params.noise_clamp,
            "speed": params.speed,
        }
        generator = torch.Generator().manual_seed(seed)
        job = Job(deque(segments), voice, params, generator, LinkedStop(stop))
        return job, meta

    def _params(self, row: Utterance) -> SamplingParams:
        values: dict[str, Any] = {}
        for name in _LIMITS:
            value = getattr(row, name)
            values[name] = getattr(self.defaults, name) if value is None else value
        check(_LIMITS, values)
        values["steps"] = int(values["steps"])
        if values["speed"] != 1.0 and not self.native_speed:
            raise InputError(
                f"'{self.info.id}' cannot change its speaking rate; leave speed at 1, or use a "
                f"model that predicts durations."
            )
        return SamplingParams(**values)

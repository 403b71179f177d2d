"""The models under test, by the engine's public interface, as functions from texts and clips to clips."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn the engine's errors for users into ours."""
    import calm_core.errors

    try:
        yield
    except calm_core.errors.InputError as error:
        raise InputError(str(error)) from error


def to_audio(clip: Clip) -> Any:
    """A clip as the engine's `Audio`."""
    import torch

    from calm_core import Audio

    return Audio(torch.from_numpy(clip.samples.astype(np.float32)), clip.sample_rate)


def _to_clip(item: str, audio: Any, transcript: str | None) -> Clip:
    samples = audio.samples.numpy()
    return make_clip(item, samples.T if samples.ndim == 2 else samples, audio.sample_rate, transcript)


@dataclass(frozen=True)
class Variant:
    """A model and how it is sampled; None leaves a value to the model.

    Attributes:
        label: Its name in tables.
        model: Bundled or published id, folder or YAML file.
        temperature, steps, cfg: See `calm_core.TextToSpeech.stream`.
    """

    label: str
    model: str
    temperature: float | None = None
    steps: int | None = None
    cfg: float | None = None


def variants(
    models: Sequence[str],
    temperatures: Sequence[float] = (),
    steps: Sequence[int] = (),
    cfgs: Sequence[float] = (),
) -> list[Variant]:
    """Every model with every combination of the values; one alone is called "model".

    Raises:
        InputError: The same twice.
    """
    names = [Path(model).name for model in models]
    made = []
    for model, name in zip(models, names, strict=True):
        for temperature, step, cfg in product(temperatures or (None,), steps or (None,), cfgs or (None,)):
            given = {"temperature": temperature, "steps": step, "cfg": cfg}
            label = ", ".join(
                [name if names.count(name) == 1 else model]
                + [f"{key} {value:g}" for key, value in given.items() if value is not None]
            )
            made.append(Variant(label, model, temperature, step, cfg))
    for variant in made:
        if made.count(variant) > 1:
            raise InputError(f"{variant.label} is asked for twice; name every model and value once.")
    return [replace(made[0], label="model")] if len(made) == 1 else made


@dataclass(frozen=True)
class Spoken:
    """A clip and what it cost.

    Attributes:
        clip: The sound.
        seconds: Of computing, by the clock.
        frames: Of the codec.
    """

    clip: Clip
    seconds: float
    frames: int

    @property
    def speed(self) -> "Speed":
        """See `Speed`."""
        return Speed(self.clip.seconds / self.seconds, 1000 * self.seconds / self.frames)


class Speed(NamedTuple):
    """Seconds of sound for a second of computing, and milliseconds of computing for a frame, codec included."""

    real_time_factor: float
    frame_ms: float


def median_speed(speeds: Sequence[Speed | None]) -> dict[str, float | None]:
    """Medians over clips, because other work on the machine makes single clips slow; None without any."""
    known = np.array([speed for speed in speeds if speed is not None]).reshape(-1, len(Speed._fields))
    medians = np.median(known, axis=0).tolist() if len(known) else [None] * len(Speed._fields)
    return dict(zip(Speed._fields, medians, strict=True))


class Speech:
    """A text-to-speech model.

    Args:
        variant: The model and how it is sampled.
        device: Torch device.
    """

    def __init__(self, variant: Variant, device: str = "cpu") -> None:
        import calm_core

        self.variant = variant
        with user_errors():
            self._task = calm_core.load(variant.model, task="tts", device=device)

    def bundled_voices(self) -> list[str]:
        """Names of the voices that ship with the model."""
        return [voice.name for voice in self._task.voices()]

    def voice(self, voice: str | Clip) -> Any:
        """A voice by name, or cloned from a clip; reusable."""
        with user_errors():
            return self._task.voice(voice if isinstance(voice, str) else to_audio(voice))

    def say(self, item: str, text: str, voice: Any, seed: int, said: str | None = None) -> Spoken:
        """The model reads a text."""
        values = {"temperature": self.variant.temperature, "steps": self.variant.steps, "cfg": self.variant.cfg}
        with user_errors():
            began = time.perf_counter()
            audio = self._task.generate(text, voice=voice, seed=seed, **values)
            seconds = time.perf_counter() - began
            clip = _to_clip(item, audio, said or text)
        return Spoken(clip, seconds, max(1, round(clip.seconds * self._task.frame_rate)))


class Continuation:
    """A model that continues speech."""

    def __init__(self, model: str, device: str = "cpu") -> None:
        import calm_core

        with user_errors():
            self._task = calm_core.load(model, task="speech_continuation", device=device)

    def go_on(
        self, item: str, prompt: Clip | None, seconds: float, seed: int, temperature: float
    ) -> tuple[Clip, list[tuple[str, float]]]:
        """What follows the prompt, without the prompt; its transcript is what the model thought.

        Args:
            item: Name of the clip.
            prompt: Speech, or None to start from nothing.
            seconds: Of new sound.
            seed: Of the draws.
            temperature: Of the sound; the text keeps the model's own.

        Returns:
            The clip, and each word with the second of the clip at which it is spoken.
        """
        with user_errors():
            heard = None if prompt is None else to_audio(prompt)
            made = self._task.generate(heard, seconds, seed=seed, temperature=temperature)
        head = made.meta["prompt_seconds"]
        samples = made.samples[round(head * made.sample_rate) :].numpy()
        words = [(word["text"], word["seconds"] - head) for word in made.meta["words"]]
        return make_clip(item, samples, made.sample_rate, made.meta["text"]), words


class Reconstruction:
    """A codec, there and back.

    Attributes:
        bitrate: Bits per second; None where the latents are continuous.
    """

    def __init__(self, model: str, device: str = "cpu") -> None:
        import calm_core

        with user_errors():
            self._task = calm_core.load(model, task="codec", device=device)
        self.bitrate: float | None = self._task.bitrate

    def latents(self, clip: Clip) -> tuple[np.ndarray, float]:
        """Latents `[T, D]` of a clip and their frames per second."""
        with user_errors():
            return self._task.encode(to_audio(clip)).numpy(), self._task.frame_rate

    def __call__(self, clip: Clip) -> Clip:
        """The clip after the codec, cut to the clip's length (a codec pads to whole frames)."""
        with user_errors():
            decoded = _to_clip(clip.item, self._task.reconstruct(to_audio(clip)), clip.transcript)
        return Clip(
            clip.item,
            decoded.samples[: round(clip.seconds * decoded.sample_rate)],
            decoded.sample_rate,
            clip.transcript,
        )


class CaptionSpace:
    """A CLAP: sounds and captions as vectors of length 1."""

    def __init__(self, model: str, device: str = "cpu") -> None:
        import calm_core

        with user_errors():
            self._task = calm_core.load(model, task="clap", device=device)

    def hear(self, item: str, audio: Any) -> np.ndarray:
        """The embedding `[E]` of an `Audio`; `item` names it in errors."""
        try:
            with user_errors():
                return self._task.embed_audio(audio)[0].numpy()
        except InputError as error:
            raise InputError(f"{item}: {error}") from error

    def read(self, captions: Sequence[str]) -> np.ndarray:
        """The embeddings `[N, E]` of captions."""
        with user_errors():
            parts = [self._task.embed_text(captions[at : at + 64]).numpy() for at in range(0, len(captions), 64)]
        return np.concatenate(parts)


def progress(label: str, items: Sequence[Any]) -> Iterator[Any]:
    """Go through items, counting on stderr."""
    for number, item in enumerate(items, start=1):
        print(f"\r{label}: {number}/{len(items)}", end="", file=sys.stderr, flush=True)
        yield item
    print(file=sys.stderr)

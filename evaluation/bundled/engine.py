"""The models under test, by the engine's public interface, as functions from texts and clips to clips."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError


@contextmanager
def _user_errors() -> Iterator[None]:
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


class Speech:
    """A text-to-speech model."""

    def __init__(self, model: str, device: str = "cpu") -> None:
        import calm_core

        with _user_errors():
            self._task = calm_core.load(model, task="tts", device=device)

    def bundled_voices(self) -> list[str]:
        """Names of the voices that ship with the model."""
        return [voice.name for voice in self._task.voices()]

    def voice(self, voice: str | Clip) -> Any:
        """A voice by name, or cloned from a clip; reusable."""
        with _user_errors():
            return self._task.voice(voice if isinstance(voice, str) else to_audio(voice))

    def say(self, item: str, text: str, voice: Any, seed: int, said: str | None = None) -> Clip:
        """The model reads a text."""
        with _user_errors():
            return _to_clip(item, self._task.generate(text, voice=voice, seed=seed), said or text)


class Continuation:
    """A model that continues speech."""

    def __init__(self, model: str, device: str = "cpu") -> None:
        import calm_core

        with _user_errors():
            self._task = calm_core.load(model, task="speech_continuation", device=device)

    def go_on(self, item: str, prompt: Clip | None, seconds: float, seed: int, temperature: float) -> Clip:
        """What follows the prompt, without the prompt; its transcript is what the model thought.

        Args:
            item: Name of the clip.
            prompt: Speech, or None to start from nothing.
            seconds: Of new sound.
            seed: Of the draws.
            temperature: Of the sound; the text keeps the model's own.
        """
        with _user_errors():
            heard = None if prompt is None else to_audio(prompt)
            made = self._task.generate(heard, seconds, seed=seed, temperature=temperature)
        start = round(made.meta["prompt_seconds"] * made.sample_rate)
        return make_clip(item, made.samples[start:].numpy(), made.sample_rate, made.meta["text"])


class Reconstruction:
    """A codec, there and back."""

    def __init__(self, model: str, device: str = "cpu") -> None:
        import calm_core

        with _user_errors():
            self._task = calm_core.load(model, task="codec", device=device)

    def __call__(self, clip: Clip) -> Clip:
        """The clip after the codec, cut to the clip's length (a codec pads to whole frames)."""
        with _user_errors():
            decoded = _to_clip(clip.item, self._task.reconstruct(to_audio(clip)), clip.transcript)
        return Clip(
            clip.item,
            decoded.samples[: round(clip.seconds * decoded.sample_rate)],
            decoded.sample_rate,
            clip.transcript,
        )


def progress(label: str, items: Sequence[Any]) -> Iterator[Any]:
    """Go through items, counting on stderr."""
    for number, item in enumerate(items, start=1):
        print(f"\r{label}: {number}/{len(items)}", end="", file=sys.stderr, flush=True)
        yield item
    print(file=sys.stderr)

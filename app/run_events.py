"""What a run tells whoever listens, and what it needs to know of a request and of the engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from app.clips import Clip
from app.errors import UserError


@dataclass(frozen=True)
class Waiting:
    """Every place is taken; `position` runs are ahead or beside in the queue, counted from 1."""

    position: int


@dataclass(frozen=True)
class Progress:
    """Something slow before the first sound, such as a download; `fraction` from 0 to 1 when known."""

    message: str
    fraction: float | None = None


@dataclass(frozen=True)
class Started:
    """Sound follows, at `sample_rate` hertz; `parameters` are those of the request."""

    sample_rate: int
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Pcm:
    """Int16 samples `[samples]` of one variant, counted from 0."""

    samples: np.ndarray
    variant: int = 0


@dataclass(frozen=True)
class Words:
    """Words that will be spoken: from place `start` on, these `words` (text, seconds) replace what was told before."""

    start: int
    words: list[dict[str, Any]]


@dataclass(frozen=True)
class Made:
    """One variant at the end; `clip` is None when it could not be kept."""

    clip: Clip | None
    info: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """The end; `warning` says why something could not be kept."""

    made: tuple[Made, ...]
    warning: str | None = None

    @property
    def clip(self) -> Clip | None:
        """The clip of the first variant."""
        return self.made[0].clip

    @property
    def info(self) -> dict[str, Any]:
        """The parameters and measurements of the first variant."""
        return self.made[0].info


@dataclass(frozen=True)
class Failed:
    """The end, by an error."""

    error: UserError


Event = Waiting | Progress | Started | Pcm | Words | Finished | Failed


class Request(Protocol):
    """What a run needs to know of what is asked for: `app.speech.SpeechRequest` and its like."""

    @property
    def model(self) -> str:
        """Identifier of the model."""
        ...

    @property
    def seed(self) -> int:
        """Of all draws."""
        ...

    @property
    def cloned(self) -> bool:
        """Whether a visitor's recording gives the voice."""
        ...

    def alone(self) -> Sequence[Request]:
        """One request for each variant, which makes that variant's very sound."""
        ...

    def parameters(self) -> dict[str, Any]:
        """All parameters as plain values."""
        ...

    def key(self, fingerprint: str) -> str:
        """Equal exactly when the same sound would come out."""
        ...


class Speaker(Protocol):
    """What a run needs from the engine."""

    def fingerprint(self, model: str) -> str:
        """Identify the weights of a loaded or known model."""
        ...

    def speak(
        self, request: Any, stop: threading.Event, report: Any
    ) -> Iterator[tuple[int, np.ndarray, dict[str, Any]]]:
        """Yield sample rate in hertz, float32 `[samples]` or `[variants, samples]`, and the engine's notes so far."""
        ...

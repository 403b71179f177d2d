"""What one speech run is asked for, checked at the door."""

from __future__ import annotations

import hashlib
import json
import math
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from app.errors import UserError

MAX_SEED = 2**31 - 1
Limits = Mapping[str, tuple[float, float]]
LIMITS: Limits = {"temperature": (0.0, 2.0), "steps": (1, 64), "cfg": (0.0, 5.0), "speed": (0.5, 2.0)}


@dataclass(frozen=True)
class VoiceRef:
    """A voice by name (`path` is None) or by a reference recording with its SHA-256."""

    name: str
    path: Path | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class SpeechRequest:
    """One utterance to speak; None leaves a value to the model's own default."""

    model: str
    text: str
    voice: VoiceRef
    seed: int
    temperature: float | None = None
    steps: int | None = None
    cfg: float | None = None
    speed: float = 1.0

    @property
    def cloned(self) -> bool:
        """Whether the voice is that of a recording."""
        return self.voice.path is not None

    def alone(self) -> tuple[Self, ...]:
        """Itself: there are no variants."""
        return (self,)

    def parameters(self) -> dict[str, Any]:
        """All parameters as plain values, for metadata and for the key of the cache."""
        return {
            "model": self.model,
            "text": self.text,
            "voice": self.voice.name,
            "seed": self.seed,
            "temperature": self.temperature,
            "steps": self.steps,
            "cfg": self.cfg,
            "speed": self.speed,
        }

    def key(self, fingerprint: str) -> str:
        """An identifier that is equal exactly when the same sound would come out.

        Args:
            fingerprint: identifies the weights of the model.
        """
        return key_of({**self.parameters(), "reference": self.voice.sha256, "fingerprint": fingerprint})


def key_of(material: Mapping[str, Any]) -> str:
    """The identifier of a clip that follows from everything that makes its sound."""
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()[:32]


def check_request(
    *,
    model: str,
    text: str,
    voice: VoiceRef,
    max_text_chars: int,
    seed: int | float | None = None,
    temperature: float | None = None,
    steps: int | float | None = None,
    cfg: float | None = None,
    speed: float | None = None,
) -> SpeechRequest:
    """Build a request from values of a page or an API call; a missing seed is drawn.

    Raises:
        UserError: one value is outside its limits; the sentence names the value and the limit.
    """
    check_text(text, max_text_chars)
    if not model:
        raise UserError("Choose a model first.", param="model")
    return SpeechRequest(
        model=model,
        text=text.strip(),
        voice=voice,
        seed=checked_seed(seed),
        temperature=checked_number(LIMITS, "temperature", temperature),
        steps=checked_count(LIMITS, "steps", steps),
        cfg=checked_number(LIMITS, "cfg", cfg),
        speed=checked_number(LIMITS, "speed", speed) or 1.0,
    )


def check_text(text: str, max_text_chars: int) -> None:
    """Refuse a text that is empty, longer than the studio accepts, or without a word.

    Raises:
        UserError: it names the length and the limit, or what is missing.
    """
    if not text or not text.strip():
        raise UserError("There is no text to speak: type at least one word.", code="empty_text", param="input")
    if len(text) > max_text_chars:
        raise UserError(
            f"The text has {len(text):,} characters and the limit is {max_text_chars:,}: "
            "shorten it or speak it in parts.",
            code="text_too_long",
            param="input",
        )
    _check_script(text)


def _check_script(text: str) -> None:
    """Every model speaks a language that is written in Latin letters."""
    letters = [character for character in text if character.isalpha()]
    if any(unicodedata.name(letter, "").startswith("LATIN") for letter in letters):
        return
    if letters:
        raise UserError(
            "The text has no Latin letters, and the voices here read only languages written with them.",
            code="unreadable_text",
            param="input",
        )
    if not any(character.isdigit() for character in text):
        raise UserError(
            "There is nothing to speak in this text: write at least one word or number.",
            code="unreadable_text",
            param="input",
        )


def checked_seed(seed: int | float | None) -> int:
    """A seed from outside; None draws one.

    Raises:
        UserError: it is no whole number within the limits.
    """
    if seed is None:
        return secrets.randbelow(MAX_SEED + 1)
    if not math.isfinite(seed) or seed != int(seed) or not 0 <= seed <= MAX_SEED:
        raise UserError(f"The seed must be a whole number from 0 to {MAX_SEED:,}.", param="seed")
    return int(seed)


def checked_number(limits: Limits, name: str, value: int | float | None) -> float | None:
    """A number from outside; None stays None.

    Raises:
        UserError: it is outside its limits; the sentence names them.
    """
    if value is None:
        return None
    low, high = limits[name]
    words = name.replace("_", " ")
    if not math.isfinite(value) or not low <= value <= high:
        raise UserError(f"The {words} must be from {low:g} to {high:g}, and {value:g} was given.", param=name)
    return float(value)


def checked_count(limits: Limits, name: str, value: int | float | None) -> int | None:
    """The same for a whole number.

    Raises:
        UserError: it is outside its limits, or has a fraction.
    """
    value = checked_number(limits, name, value)
    if value is not None and value != int(value):
        words = name.replace("_", " ")
        raise UserError(f"The number of {words} must be a whole number, and {value:g} was given.", param=name)
    return None if value is None else int(value)

"""What one continuation of speech is asked for, checked at the door, and the recordings that it may start from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from app.errors import UserError
from app.speech import Limits, VoiceRef, checked_count, checked_number, checked_seed, key_of

PROMPT_SECONDS = 3.0  # of the paper's prompts (CALM, section 5)
LIMITS: Limits = {
    "prompt_seconds": (1.0, 60.0),
    "seconds": (1.0, 60.0),
    "temperature": (0.0, 2.0),
    "text_temperature": (0.0, 2.0),
    "steps": (1, 64),
    "top_k": (1, 2048),
}


@dataclass(frozen=True)
class ContinuationRequest:
    """Speech to go on from; None leaves a value to the model's own default.

    Attributes:
        prompt: the recording; its first `prompt_seconds` stay at the head of the sound.
        seconds: of new sound.
        text_temperature: of the words that are thought of.
        top_k: codes to choose from, for models that draw codes.
    """

    model: str
    prompt: VoiceRef
    prompt_seconds: float
    seconds: float
    seed: int
    temperature: float | None = None
    text_temperature: float | None = None
    steps: int | None = None
    top_k: int | None = None

    @property
    def cloned(self) -> bool:
        """Whether the voice is that of a visitor's recording."""
        return self.prompt.name == OWN_RECORDING

    def alone(self) -> tuple[Self, ...]:
        """Itself: there are no variants."""
        return (self,)

    def parameters(self) -> dict[str, Any]:
        """All parameters as plain values, for metadata and for the key of the cache."""
        return {
            "task": "speech_continuation",
            "model": self.model,
            "prompt": self.prompt.name,
            "prompt_seconds": self.prompt_seconds,
            "asked_seconds": self.seconds,
            "seed": self.seed,
            "temperature": self.temperature,
            "text_temperature": self.text_temperature,
            "steps": self.steps,
            "top_k": self.top_k,
        }

    def key(self, fingerprint: str) -> str:
        """An identifier that is equal exactly when the same sound would come out.

        Args:
            fingerprint: identifies the weights of the model.
        """
        return key_of({**self.parameters(), "recording": self.prompt.sha256, "fingerprint": fingerprint})


OWN_RECORDING = "your recording"


def check_continuation(
    *,
    model: str,
    prompt: VoiceRef,
    max_seconds: float,
    prompt_seconds: float | None = None,
    seconds: float | None = None,
    seed: int | float | None = None,
    temperature: float | None = None,
    text_temperature: float | None = None,
    steps: int | float | None = None,
    top_k: int | float | None = None,
) -> ContinuationRequest:
    """Build a request from values of a page or an API call; a missing seed is drawn.

    Raises:
        UserError: one value is outside its limits; the sentence names the value and the limit.
    """
    if not model:
        raise UserError("Choose a model that continues speech first.", param="model")
    limits = {**LIMITS, "seconds": (LIMITS["seconds"][0], max_seconds)}
    return ContinuationRequest(
        model=model,
        prompt=prompt,
        prompt_seconds=checked_number(limits, "prompt_seconds", prompt_seconds) or PROMPT_SECONDS,
        seconds=checked_number(limits, "seconds", seconds) or min(27.0, max_seconds),
        seed=checked_seed(seed),
        temperature=checked_number(limits, "temperature", temperature),
        text_temperature=checked_number(limits, "text_temperature", text_temperature),
        steps=checked_count(limits, "steps", steps),
        top_k=checked_count(limits, "top_k", top_k),
    )


@dataclass(frozen=True)
class ExamplePrompt:
    """A bundled recording to go on from."""

    name: str
    title: str
    path: Path


class ExamplePrompts:
    """The bundled recordings of a folder whose list is a YAML mapping from names to `file` and `description`.

    Args:
        folder: with the list and the files.
        listed: name of the list.
    """

    def __init__(self, folder: Path, listed: str = "voices.yaml"):
        entries = yaml.safe_load((folder / listed).read_text(encoding="utf-8")) or {}
        self._prompts = {
            name: ExamplePrompt(name, entry["description"], folder / entry["file"]) for name, entry in entries.items()
        }

    def all(self) -> list[ExamplePrompt]:
        """In the order of the file."""
        return list(self._prompts.values())

    def get(self, name: str | None) -> VoiceRef:
        """The recording of an example.

        Raises:
            UserError: there is none of that name.
        """
        found = self._prompts.get(name or "")
        if found is None:
            offered = ", ".join(list(self._prompts)[:8]) + (", ..." if len(self._prompts) > 8 else "")
            missing = f"There is no example prompt '{name[:60]}'; choose" if name else "Send a recording, or name"
            raise UserError(
                f"{missing} one of the example prompts {offered}.",
                status=404 if name else 400,
                code="unknown_prompt",
                param="prompt",
            )
        return recording_of(found.path, found.name)


def recording_of(path: Path, name: str = OWN_RECORDING) -> VoiceRef:
    """A recording as a prompt; its name is kept, its content tells it from others."""
    return VoiceRef(name, path, hashlib.sha256(path.read_bytes()).hexdigest())


def words_changed(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> int:
    """The first place at which two lists of words differ; the last word of an earlier list may still have grown."""
    same = (i for i, (a, b) in enumerate(zip(before, now, strict=False)) if a != b)
    return next(same, min(len(before), len(now)))


def sheet(info: dict[str, Any]) -> str:
    """The words of a continuation as a text to keep: one line, then each word with its second."""
    lines = [str(info.get("text", "")), ""]
    lines += [f"{word['seconds']:.2f}\t{word['text']}" for word in info.get("words", [])]
    return "\n".join(lines) + "\n"

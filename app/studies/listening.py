"""What the page tells about listening, checked against what is needed and what the server's clock allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.studies.errors import StudyError
from app.studies.participant_words import word

HEARD_AT_ALL_SECONDS = 0.5  # what a sound must be heard when a study asks for no minimum
SHORT_SECONDS = 0.25  # the page counts on another clock than the sound card, and by steps
LATE_SECONDS = 2.0  # how much more than the server's clock the page may have counted
REFERENCE = "reference"
MAX_EVENTS = 400
EVENT_KINDS = frozenset(
    "loaded play pause switch seek loop rate blur focus hidden visible".split()
)  # what the player tells; anything else is no event of ours


def needed_seconds(minimum_seconds: float) -> float:
    """What every sound of a trial has to be heard, where it is that long."""
    return max(minimum_seconds, HEARD_AT_ALL_SECONDS)


def read_listening(
    given: Any,
    *,
    lengths: Sequence[float],
    reference_length: float | None,
    minimum_seconds: float,
    elapsed_seconds: float,
    language: str,
) -> dict[str, float]:
    """Seconds heard of each slot (by its number as text) and of the reference.

    Args:
        given: what the page sent.
        lengths: seconds of each slot's sound.
        reference_length: seconds of the given reference, if there is one.
        minimum_seconds: what the study asks for.
        elapsed_seconds: since the trial was first served, by the server's clock.
        language: of the sentences.

    Raises:
        StudyError: malformed, not enough, or more than can have passed.
    """
    needed = {str(slot): seconds for slot, seconds in enumerate(lengths)}
    if reference_length is not None:
        needed[REFERENCE] = reference_length
    if not isinstance(given, Mapping) or set(given) != set(needed):
        raise StudyError("listened", f"The listening times must be given for {', '.join(needed)}.")
    heard: dict[str, float] = {}
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise StudyError(f"listened.{key}", "A listening time must be a number of seconds, not below 0.")
        heard[key] = float(value)
    for key, seconds in needed.items():
        missing = min(needed_seconds(minimum_seconds), seconds) - heard[key]
        if missing > SHORT_SECONDS:
            name = word(language, "reference") if key == REFERENCE else chr(ord("A") + int(key))
            if len(needed) == 1:
                name = word(language, "clip")
            sentence = word(language, "listen_more", name=name, seconds=missing)
            raise StudyError(f"listened.{key}", sentence, code="listen_more")
    if math.fsum(heard.values()) > elapsed_seconds + LATE_SECONDS:
        raise StudyError("listened", word(language, "too_fast"), code="implausible_listening")
    return heard


def read_events(given: Any) -> list[dict[str, Any]]:
    """What the player told: kind, milliseconds since the trial was shown, and a little more; at most 400.

    Raises:
        StudyError: it is no list of such events.
    """
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > MAX_EVENTS:
        raise StudyError("events", f"The events must be a list of at most {MAX_EVENTS}.")
    return [_event(one, number) for number, one in enumerate(given)]


def _event(given: Any, number: int) -> dict[str, Any]:
    field = f"events.{number}"
    kind = given.get("kind") if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(kind, str) or kind not in EVENT_KINDS:
        raise StudyError(field, f"An event must have one of the kinds {', '.join(sorted(EVENT_KINDS))}.")
    milliseconds = given.get("ms")
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float) or not 0 <= milliseconds < 1e10:
        raise StudyError(f"{field}.ms", "The time of an event must be a number of milliseconds, not below 0.")
    data: dict[str, Any] = {}
    for key in ("slot", "at", "value", "attribute"):
        value = given.get(key)
        if isinstance(value, str):
            data[key] = value[:60]
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9:
            data[key] = value
    return {"kind": kind, "ms": float(milliseconds), "data": data}

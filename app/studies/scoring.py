"""Answers of participants: checked, compared with what is expected, told back after training. Pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.studies.errors import StudyError
from app.studies.participant_words import word
from app.studies.schema import TIE, Study

OUTCOMES = ("a", "b", TIE)
LEAST_VARIANCE = 0.1  # of the opinions of one session, ITU-T P.808
LEAST_SCORES = 4  # fewer say nothing about the variance


@dataclass(frozen=True)
class Slot:
    """What is rated in a slot of a trial: the system's name and its role; neither leaves the server before the vote."""

    system: str
    role: str = "system"

    @staticmethod
    def label(number: int) -> str:
        """A, B, C ... for slots 0, 1, 2 ..."""
        return chr(ord("A") + number)


Answer = dict[str, Any]  # attribute -> score or outcome; for MUSHRA slot number as text -> grade


def read_answer(study: Study, slots: Sequence[Slot], given: Any) -> Answer:
    """An answer in the form of its test, or an error that names the field.

    Raises:
        StudyError: a part is missing, unknown, of the wrong type or out of range.
    """
    if not isinstance(given, Mapping):
        raise StudyError("answer", "The answer must be an object with a value for each question.")
    if study.kind == "mushra":
        wanted = {str(number): 100 for number in range(len(slots))}
        _same_keys(given, wanted)
        return {key: _number(given[key], f"answer.{key}", 0, 100) for key in wanted}
    attributes = {attribute.name: len(attribute.labels or ()) for attribute in study.judged()}
    _same_keys(given, attributes)
    if study.kind == "mos":
        return {key: _whole(given[key], f"answer.{key}", 1, top) for key, top in attributes.items()}
    allowed = OUTCOMES if study.ties else OUTCOMES[:2]
    for key in attributes:
        if not isinstance(given[key], str) or given[key] not in allowed:
            raise StudyError(f"answer.{key}", f"The answer to '{key}' must be one of {', '.join(allowed)}.")
    return {key: given[key] for key in attributes}


def _same_keys(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key in wanted:
        if key not in given:
            raise StudyError(f"answer.{key}", f"The answer to '{key}' is missing.")
    for key in given:
        if key not in wanted:
            raise StudyError("answer", f"There is no question '{str(key)[:40]}' in this trial.")


def _number(value: Any, field: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StudyError(field, f"The score must be a number from {low} to {high}.")
    if not low <= value <= high or not math.isfinite(value):
        raise StudyError(field, f"The score must lie between {low} and {high}.")
    return float(value)


def _whole(value: Any, field: str, low: int, high: int) -> int:
    number = _number(value, field, low, high)
    if number != int(number):
        raise StudyError(field, f"The score must be a whole number from {low} to {high}.")
    return int(number)


def agrees(study: Study, slots: Sequence[Slot], answer: Answer, expected: Mapping[str, Any] | None) -> bool | None:
    """Whether an answer is the expected one of a trap, gold or training item; None when nothing is expected.

    `expected` has `scores` (of each system the lowest and highest right score) or `winner` (a system, or tie), as in
    the study's file.
    """
    if not expected:
        return None
    if study.kind == "pairwise":
        winner = expected.get("winner")
        if winner is None:
            return None
        return all(_winner(slots, outcome) == winner for outcome in answer.values())
    ranges = expected.get("scores") or {}
    judged = [(slot, limits) for slot in range(len(slots)) if (limits := ranges.get(slots[slot].system))]
    if not judged:
        return None
    if study.kind == "mushra":
        return all(low <= answer[str(slot)] <= high for slot, (low, high) in judged)
    return all(low <= score <= high for _, (low, high) in judged for score in answer.values())


def _winner(slots: Sequence[Slot], outcome: str) -> str:
    return TIE if outcome == TIE else slots[OUTCOMES.index(outcome)].system


def feedback(
    study: Study, prompt: str, slots: Sequence[Slot], answer: Answer, expected: Mapping[str, Any] | None, language: str
) -> list[dict[str, str]]:
    """What a participant is told after a training item: the study's own words, then how the answer compares."""
    lines: list[dict[str, str]] = []
    own = next((one.feedback for one in study.prompts if one.name == prompt), None)
    if own is not None:
        lines.append({"kind": "text", "text": own.get(language)})
    if study.kind == "mushra":
        told = ("reference", "anchor_low", "anchor_mid")
        lines += [{"kind": slot.role, "label": Slot.label(n)} for n, slot in enumerate(slots) if slot.role in told]
    right = agrees(study, slots, answer, expected)
    if right is not None:
        assert expected is not None
        wanted = _wanted(study, slots, expected, language)
        lines.append({"kind": "right"} if right else {"kind": "other", "wanted": wanted})
    return lines or [{"kind": "noted"}]


def _wanted(study: Study, slots: Sequence[Slot], expected: Mapping[str, Any], language: str) -> str:
    if study.kind == "pairwise":
        winner = expected["winner"]
        names = [slot.system for slot in slots]
        return Slot.label(names.index(winner)) if winner in names else word(language, "no_difference")
    ranges = {n: expected["scores"][slot.system] for n, slot in enumerate(slots) if slot.system in expected["scores"]}
    if study.kind == "mushra":
        return ", ".join(f"{Slot.label(n)} {low:g} – {high:g}" for n, (low, high) in ranges.items())
    labels = study.judged()[0].labels or []
    low, high = ranges[0]
    names = [labels[int(score) - 1].get(language) for score in (low, high)]
    return names[0] if low == high else f"{names[0]} – {names[1]}"


def monotony(scores: Sequence[float]) -> float | None:
    """The variance of a session's opinions where it is below P.808's limit, else None."""
    if len(scores) < LEAST_SCORES:
        return None
    variance = statistics.variance(scores)
    return variance if variance < LEAST_VARIANCE else None

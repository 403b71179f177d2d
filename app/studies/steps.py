"""Answers to the steps that are no trials, and the ids that panels put into an address; all checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from app.studies.errors import StudyError
from app.studies.headphones import CHOICES, TRIALS
from app.studies.schema import Question, Study

ORDER = ("consent", "setup", "headphones", "trials", "questionnaire", "done", "full")
DEVICES = ("headphones", "earphones", "loudspeakers")
ROOMS = ("quiet", "some", "loud")
PANELS = {  # the ids of each panel; the first one names the person
    "prolific": ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID"),
    "mturk": ("workerId", "assignmentId", "hitId"),
}
MAX_ID_CHARS = 200
TEXT_CHARS = {"text": 400, "long_text": 4000}


def read_panel(given: Any) -> tuple[str, str | None, dict[str, str]]:
    """The panel, the person's id in it, and all ids.

    Raises:
        StudyError: an id is no short printable text.
    """
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise StudyError("panel", "The panel's ids must be an object.", 400)
    known = {key for keys in PANELS.values() for key in keys}
    ids: dict[str, str] = {}
    for key, value in given.items():
        if key not in known:
            raise StudyError("panel", f"The panel's ids are {', '.join(sorted(known))}; leave the others out.", 400)
        if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARS or not value.isprintable():
            raise StudyError(
                f"panel.{key}", f"A panel's id must be printable text of at most {MAX_ID_CHARS} characters."
            )
        ids[key] = value
    for name, keys in PANELS.items():
        if keys[0] in ids:
            return name, ids[keys[0]], ids
    return "open", None, ids


def read_consent(_: Study, given: Any) -> dict[str, Any]:
    """Only a clear yes goes on."""
    if not isinstance(given, Mapping) or given.get("agree") is not True:
        raise StudyError("answers.agree", "Taking part needs agreement; those who do not agree close the page.")
    return {"agree": True}


def read_setup(_: Study, given: Any) -> dict[str, Any]:
    """Device, room and a volume that was set."""
    if not isinstance(given, Mapping):
        raise StudyError("answers", "The answers must be an object.", 400)
    for name, allowed in (("device", DEVICES), ("room", ROOMS)):
        if given.get(name) not in allowed:
            raise StudyError(f"answers.{name}", f"'{name}' must be one of {', '.join(allowed)}.")
    if given.get("volume") is not True:
        raise StudyError("answers.volume", "The volume has to be set first.")
    return {"device": given["device"], "room": given["room"]}


def read_headphones(_: Study, given: Any) -> dict[str, Any]:
    """A choice for each sound."""
    choices = given.get("choices") if isinstance(given, Mapping) else None
    if not isinstance(choices, list) or len(choices) != TRIALS:
        raise StudyError("answers.choices", f"There must be {TRIALS} choices.")
    for choice in choices:
        if isinstance(choice, bool) or not isinstance(choice, int) or not 0 <= choice < CHOICES:
            raise StudyError("answers.choices", f"A choice must be 0 to {CHOICES - 1}.")
    return {"choices": choices}


def read_language(study: Study, given: Any) -> dict[str, Any]:
    """One of the study's languages."""
    language = given.get("language") if isinstance(given, Mapping) else None
    if language not in study.languages:
        raise StudyError("answers.language", f"The language must be one of {', '.join(study.languages)}.")
    return {"language": language}


def read_questionnaire(study: Study, given: Any) -> dict[str, Any]:
    """An answer to each question that needs one, within its limits; text stays as it was typed."""
    if not isinstance(given, Mapping):
        raise StudyError("answers", "The answers must be an object.", 400)
    questions = {question.name: question for question in study.questionnaire}
    for name in given:
        if name not in questions:
            raise StudyError("answers", f"There is no question '{str(name)[:40]}'.")
    read = {}
    for name, question in questions.items():
        value = given.get(name)
        if value is None or value == "":
            if question.required:
                raise StudyError(f"answers.{name}", f"The question '{name}' needs an answer.")
            continue
        read[name] = _reply(question, value, f"answers.{name}")
    return read


def _reply(question: Question, value: Any, field: str) -> Any:
    if question.kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
            raise StudyError(field, "The answer must be a number.")
        low = -math.inf if question.minimum is None else question.minimum
        high = math.inf if question.maximum is None else question.maximum
        if not low <= value <= high:
            raise StudyError(field, f"The number must lie between {low:g} and {high:g}.")
        return value
    if not isinstance(value, str):
        raise StudyError(field, "The answer must be text.")
    if question.kind == "choice":
        allowed = [choice.value for choice in question.choices or []]
        if value not in allowed:
            raise StudyError(field, f"The answer must be one of {', '.join(allowed)}.")
        return value
    if len(value) > TEXT_CHARS[question.kind]:
        raise StudyError(field, f"The answer may have {TEXT_CHARS[question.kind]} characters.")
    return value.replace("\0", "")  # PostgreSQL stores every character but this one


READERS: dict[str, Callable[[Study, Any], dict[str, Any]]] = {
    "consent": read_consent,
    "setup": read_setup,
    "headphones": read_headphones,
    "questionnaire": read_questionnaire,
    "language": read_language,
}

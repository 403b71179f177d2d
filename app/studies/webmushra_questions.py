"""Questionnaires of webMUSHRA's last page as those of a study."""

from __future__ import annotations

import re
from typing import Any

_KINDS = {"text": "text", "long_text": "long_text", "number": "number", "likert": "choice", "slider": "number"}


def questions(given: Any, language: str, mapped: list[str], lost: list[str]) -> list[dict[str, Any]]:
    """Questions as a study has them.

    Args:
        given: `questionnaire` of a page of type finish.
        language: Of the labels.
        mapped: Takes a sentence for each question that was taken over.
        lost: Takes one for each that was not.
    """
    made: list[dict[str, Any]] = []
    for at, one in enumerate(given if isinstance(given, list) else []):
        kind = str(one.get("type")) if isinstance(one, dict) else "none"
        name = _name(str(one.get("name") or f"question-{at + 1}")) if isinstance(one, dict) else f"question-{at + 1}"
        choices = _choices(one, language) if kind == "likert" else []
        if kind not in _KINDS or (kind == "likert" and len(choices) < 2) or name in [other["name"] for other in made]:
            lost.append(f"question {name!r}: there is no question of the type {kind!r} with this name here.")
            continue
        # in webMUSHRA a question has to be answered unless it says `optional`
        question: dict[str, Any] = {
            "name": name,
            "kind": _KINDS[kind],
            "label": {language: str(one.get("label") or name)[:4000]},
            "required": not one.get("optional", False),
        }
        if choices:
            question["choices"] = choices
        if kind in ("number", "slider"):
            for key, limit in (("minimum", one.get("min")), ("maximum", one.get("max"))):
                if isinstance(limit, (int, float)) and not isinstance(limit, bool):
                    question[key] = limit
        if "default" in one:
            lost.append(f"question {name!r}: a default answer, which would stand for people who give none.")
        mapped.append(f"question {name!r} as kind {_KINDS[kind]}.")
        made.append(question)
    return made


def _choices(one: dict[str, Any], language: str) -> list[dict[str, Any]]:
    choices: dict[str, dict[str, Any]] = {}
    response = one.get("response")
    for point in response if isinstance(response, list) else []:
        if isinstance(point, dict):
            value = _name(str(point.get("value", point.get("label"))))
            choices[value.lower()] = {"value": value, "label": {language: str(point.get("label", value))}}
    return list(choices.values())


def _name(text: str) -> str:
    clean = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("_-")
    return clean[:50] or "x"

"""Texts of any length as pieces that can be spoken in one go, and the pauses that a writer asks for.

    "One. [pause 0.5s] Two, three."  ->  "One."  Pause(0.5)  "Two, three."

No word is ever dropped, repeated or moved: the pieces in order are the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from calm_core.errors import InputError
from calm_core.text.english_words import ABBREVIATIONS, MAY_END

MAX_CHARACTERS = 20_000
MAX_PAUSE_SECONDS = 10.0

_PAUSE = re.compile(r"\[\s*pause\b([^\[\]]*)(\]?)", re.IGNORECASE)
_LENGTH = re.compile(r"\s*:?\s*(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|sec|seconds?)\s*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+(?=[\"'“‘(\[¿¡]*[^\W_])")
_NEVER_LAST = frozenset(ABBREVIATIONS) - MAY_END | {"dr", "st"}
_CLAUSE_END = re.compile(r"(?<=[,;:—–])\s+")
_CONJUNCTION = re.compile(r"\s+(?=(?:and|but|or|so|because|which|that|who|when|while|if|as|then|than|with|for|of)\b)")


@dataclass(frozen=True)
class Pause:
    """Silence between two pieces of text."""

    seconds: float


def check_length(text: str, max_characters: int = MAX_CHARACTERS) -> None:
    """Refuse a text that is empty or too long.

    Raises:
        InputError: It is.
    """
    if not text.strip():
        raise InputError("The text is empty; write at least one word.")
    if len(text) > max_characters:
        raise InputError(
            f"The text has {len(text):,} characters and the limit is {max_characters:,}; speak it in parts."
        )


def split_pauses(text: str, max_seconds: float = MAX_PAUSE_SECONDS) -> list[str | Pause]:
    """Take out the `[pause 0.5s]` and `[pause 500ms]` marks.

    Args:
        text: With or without marks.
        max_seconds: The longest pause accepted.

    Returns:
        Texts that are not blank, and pauses, in order.

    Raises:
        InputError: A mark has no length, no unit, no closing bracket, or is too long.
    """
    parts: list[str | Pause] = []
    start = 0
    for match in _PAUSE.finditer(text):
        parts += [text[start : match.start()], Pause(_seconds(match, max_seconds))]
        start = match.end()
    parts.append(text[start:])
    return [
        part.strip() if isinstance(part, str) else part for part in parts if isinstance(part, Pause) or part.strip()
    ]


def _seconds(match: re.Match[str], max_seconds: float) -> float:
    shown = match[0] if len(match[0]) <= 30 else match[0][:30] + "..."
    length = _LENGTH.fullmatch(match[1])
    if not match[2] or not length:
        raise InputError(f"The pause {shown!r} is not understood; write [pause 0.5s] or [pause 500ms].")
    seconds = float(length[1]) / (1000 if length[2].lower() == "ms" else 1)
    if not 0 < seconds <= max_seconds:
        raise InputError(f"The pause {shown!r} must be longer than 0 s and at most {max_seconds:g} s; change it.")
    return seconds


def split_sentences(text: str) -> list[str]:
    """Sentences of a text on one line each; joined by spaces they are the text with its spaces made single.

    A full stop after a title, an initial or a number such as "3.14" ends nothing: "Dr. J. Lee came." is one sentence.
    """
    text = " ".join(text.split())
    sentences, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        before = text[start : match.start()].rsplit(" ", 1)[-1].lstrip("\"'“‘([").lower()
        initial = len(before) == 1 and before.isalpha() and text[match.start() - 1].isupper() and before != "i"
        dotted = text[match.start()] == "." and (before in _NEVER_LAST or (initial and start < match.start() - 1))
        spelled = initial and re.search(r"\b[A-Z] [A-Z]$", text[start : match.start()])  # "the U S. Then" does end
        following = text[match.end() :].lstrip("\"'“‘([")
        mark = match[0].split(" ")[0]
        goes_on = (
            mark.startswith(("..", "…")) or mark[-1] not in ".!?" or "." in before
        )  # "p.m. today", '"Stop!" he said'
        if (dotted and not spelled) or (goes_on and following[:1].islower()):
            continue
        sentences.append(text[start : match.end()].rstrip())
        start = match.end()
    if text[start:]:
        sentences.append(text[start:])
    return sentences


def split_text(text: str, measure: Callable[[str], int], limit: int) -> list[str]:
    """Sentences, and parts of those that are too long: cut at clauses, then before conjunctions, then between words.

    Args:
        text: Any text.
        measure: Length of a piece, in tokens, phones or characters.
        limit: Greatest length of a piece.

    Returns:
        Pieces in order. A piece is longer than `limit` only where a single character is.
    """
    return [piece for sentence in split_sentences(text) for piece in _fit(sentence, measure, limit, 0)]


_CUTS: tuple[Callable[[str], list[str]], ...] = (_CLAUSE_END.split, _CONJUNCTION.split, str.split, list)


def _fit(piece: str, measure: Callable[[str], int], limit: int, level: int) -> list[str]:
    if level == len(_CUTS) or measure(piece) <= limit:
        return [piece]
    glue = "" if _CUTS[level] is list else " "
    pieces: list[str] = []
    current = ""
    for part in _CUTS[level](piece):
        longer = current + glue + part if current else part
        if measure(longer) <= limit:
            current = longer
            continue
        if current:
            pieces.append(current)
        *whole, current = _fit(part, measure, limit, level + 1)
        pieces += whole
    return [*pieces, current] if current else pieces

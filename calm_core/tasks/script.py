"""What is to be said as segments: pieces that the model can speak in one go, and pauses."""

from __future__ import annotations

from calm_core.conditioners import TextConditioner
from calm_core.errors import InputError
from calm_core.scheduler import Segment, Silence
from calm_core.text.chunking import Pause, check_length, split_pauses
from calm_core.text.normaliser import check_script, normalise


def write_script(text: str, conditioner: TextConditioner, language: str) -> list[Segment]:
    """Cut a text into segments.

    Args:
        text: as the caller wrote it, with `[pause 0.5s]` where silence is wanted.
        conditioner: of the model that will speak.
        language: ISO 639-1 code of the model.

    Raises:
        InputError: the text is empty, too long, in another script, or has nothing that can be spoken; or
            a pause mark is faulty.
    """
    check_length(text)
    segments: list[Segment] = []
    for part in split_pauses(text):
        if isinstance(part, Pause):
            segments.append(Silence(part.seconds))
            continue
        if not any(character.isalnum() for character in part):
            continue
        check_script(part, language)
        segments += conditioner.split(_as_said(part, conditioner, language))
    if not any(isinstance(segment, str) for segment in segments):
        raise InputError(f"The text {text.strip()[:40]!r} has no word that can be spoken; write at least one word.")
    return segments


def _as_said(part: str, conditioner: TextConditioner, language: str) -> str:
    if conditioner.normalises == "none":
        return part
    said = normalise(part, language)
    if conditioner.normalises == "needed" and _letters(said) == _letters(part):
        return part
    return said


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())

"""What is to be said as segments: pieces that the model can speak in one go, and pauses."""

from __future__ import annotations

from calm_core.conditioners import TextConditioner
from calm_core.errors import InputError
from calm_core.scheduler import Segment, Silence
from calm_core.text.chunking import Pause, check_length, split_pauses
from calm_core.text.normaliser import normalise

MAX_CHARACTERS = 50_000


def write_script(text: str, conditioner: TextConditioner, language: str) -> list[Segment]:
    """Cut a text into segments: marked pauses, and pieces written the way they are said.

    Args:
        text: as the caller wrote it, with `[pause 0.5s]` where wanted.
        conditioner: of the model that will speak.
        language: ISO 639-1 code of the model.

    Raises:
        InputError: the text is empty, too long or has nothing that can be spoken, or a pause mark
            is faulty.
    """
    check_length(text, MAX_CHARACTERS)
    segments: list[Segment] = []
    spoken = False
    for part in split_pauses(text):
        if isinstance(part, Pause):
            segments.append(Silence(part.seconds))
        elif any(c.isalnum() for c in part):
            segments += conditioner.split(normalise(part, language))
            spoken = True
    if not spoken:
        normalise(" ".join(text.split()), language)  # says what is wrong with a text without words
        raise InputError("The text has only pauses; write at least one word.")
    return segments

"""What is to be said as segments: pieces that the model can speak in one go, and pauses."""

from __future__ import annotations

from calm_core.conditioners import TextConditioner
from calm_core.errors import InputError
from calm_core.scheduler import Segment

MAX_CHARACTERS = 50_000


def write_script(text: str, conditioner: TextConditioner, language: str) -> list[Segment]:
    """Cut a text into segments.

    Args:
        text: as the caller wrote it.
        conditioner: of the model that will speak.
        language: ISO 639-1 code of the model.

    Raises:
        InputError: the text is empty, too long or has nothing that can be spoken.
    """
    if not text.strip():
        raise InputError("The text is empty; write at least one word.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"The text has {len(text):,} characters and the limit is {MAX_CHARACTERS:,}; speak it "
            f"in parts."
        )
    return list(conditioner.split(text))

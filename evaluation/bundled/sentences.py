"""The evaluation sentences: as they are written and as they are said."""

from dataclasses import dataclass
from pathlib import Path

from evaluation.errors import InputError

FOLDER = Path(__file__).parents[2] / "assets" / "evaluation"
MAX_CHARACTERS = 400


@dataclass(frozen=True)
class Sentence:
    """A sentence as written (what a model is given) and as said (what a recogniser should hear)."""

    written: str
    said: str


def read_sentences(path: Path | None = None, limit: int | None = None) -> list[Sentence]:
    """The sentences of a file, one a line; without a file the project's own 100.

    The project's own come with hand-written spoken forms, so that a mistake of our text normaliser counts as one.

    Raises:
        InputError: The file is missing, not text, empty, or holds a line that is too long.
    """
    source = path or FOLDER / "sentences.txt"
    try:
        lines = [line.strip() for line in source.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Cannot read the sentences {source}; give a UTF-8 text file with one sentence a line."
        ) from error
    written = [line for line in lines if line]
    if not written:
        raise InputError(f"{source} holds no sentences; write one a line.")
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_CHARACTERS:
            raise InputError(f"Line {number} of {source} has {len(line)} characters; the limit is {MAX_CHARACTERS}.")
    said = (FOLDER / "spoken.txt").read_text(encoding="utf-8").splitlines() if path is None else written
    return [Sentence(*pair) for pair in zip(written, said, strict=True)][:limit]

"""What is wrong with a study, and on which line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import UserError

Place = tuple[str | int, ...]


def spell(place: Place) -> str:
    """A place in a study as people write it: `systems[1].name`."""
    words = ""
    for part in place:
        words += f"[{part}]" if isinstance(part, int) else f".{part}" if words else part
    return words


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        place: Keys and indices that lead to it.
        message: One sentence: what is wrong and what to write instead.
        line: Line of the file, counted from 1; None for what has no line.
    """

    place: Place
    message: str
    line: int | None = None

    def told(self, name: str) -> str:
        """The fault in one line, with the file's name."""
        at = f"{name}:{self.line}" if self.line else name
        where = spell(self.place)
        return f"{at}: {where}: {self.message}" if where else f"{at}: {self.message}"


class StudyFileError(UserError):
    """A study, an archive or a sound of one cannot be used.

    Attributes:
        faults: Everything that was found, in the order of the file.
    """

    def __init__(self, name: str, faults: Sequence[Fault]):
        assert faults
        self.name = name
        self.faults = tuple(faults)
        more = len(faults) - 1
        rest = f" ({more} more fault{'s' if more > 1 else ''} in the list.)" if more else ""
        super().__init__(
            faults[0].told(name) + rest, status=422, code="bad_study", param=spell(faults[0].place) or None
        )

    @property
    def lines(self) -> list[str]:
        """All faults, one line each."""
        return [fault.told(self.name) for fault in self.faults]


def refuse(name: str, message: str) -> StudyFileError:
    """The error for a single fault of a file as a whole."""
    return StudyFileError(name, [Fault((), message)])

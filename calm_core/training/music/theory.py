"""Keys, scales and chords as numbers.

A pitch is a MIDI note number, 60 for middle C; a pitch class is a pitch modulo 12. Degrees count from 0 along a scale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

NOTE_NAMES = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")

# Semitones above the tonic.
SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
_SYMBOL = re.compile(r"([#b]?)([ivIV]+)(maj7|m7b5|7|sus4|dim|9|6)?")
# Semitones above the root.
_MAJOR, _MINOR, _DIMINISHED = (0, 4, 7), (0, 3, 7), (0, 3, 6)
_EXTENSIONS: dict[str, tuple[int, ...]] = {"maj7": (11,), "7": (10,), "9": (10, 14), "6": (9,)}


@dataclass(frozen=True)
class Chord:
    """A chord: the pitch class of its root, and its notes as semitones above the root."""

    root: int
    intervals: tuple[int, ...]

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes from the root up."""
        return tuple((self.root + interval) % 12 for interval in self.intervals)

    def voiced(self, around: int) -> list[int]:
        """Its notes, each at the octave nearest the pitch `around`, from the lowest up."""
        return sorted({nearest(pitch_class, around) for pitch_class in self.pitch_classes})


def nearest(pitch_class: int, around: int) -> int:
    """The pitch of a class that is nearest to `around`; of two equally near, the lower."""
    return around + (pitch_class - around + 6) % 12 - 6


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class) and a mode, one of `SCALES`."""

    tonic: int
    mode: str

    @cached_property
    def scale(self) -> tuple[int, ...]:
        """Pitch classes of the degrees 0 to 6."""
        return tuple((self.tonic + step) % 12 for step in SCALES[self.mode])

    @property
    def name(self) -> str:
        """Such as `E flat`."""
        return NOTE_NAMES[self.tonic]

    @property
    def tonality(self) -> str:
        """`major` or `minor`: what a listener calls the mode."""
        return "minor" if SCALES[self.mode][2] == 3 else "major"

    def ladder(self, low: int, high: int) -> list[int]:
        """Every pitch of the scale from `low` to `high`."""
        return [pitch for pitch in range(low, high + 1) if pitch % 12 in self.scale]

    def chord(self, symbol: str) -> Chord:
        """The chord that a Roman numeral names in this key.

        Capital numerals are major, small ones minor; `b` and `#` move the root by a semitone from the mode's degree.

        Raises:
            ValueError: the symbol is none.
        """
        found = _SYMBOL.fullmatch(symbol)
        if found is None or found[2].upper() not in _NUMERALS:
            raise ValueError(f"{symbol!r} is no chord symbol")
        accidental, numeral, kind = found[1], found[2], found[3] or ""
        degree = _NUMERALS.index(numeral.upper())
        root = self.scale[degree] + {"": 0, "#": 1, "b": -1}[accidental]
        triad = _MAJOR if numeral.isupper() else _MINOR
        if kind in ("dim", "m7b5"):
            triad = _DIMINISHED
        if kind == "sus4":
            triad = (0, 5, 7)
        more = (10,) if kind == "m7b5" else _EXTENSIONS.get(kind, ())
        return Chord(root % 12, (*triad, *more))

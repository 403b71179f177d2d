"""What the composer writes: notes in parts, and the piece that they make. Times and lengths count beats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from calm_core.training.music.theory import Chord, Key


class Note(NamedTuple):
    """One note: `start` and `length` in beats, a MIDI pitch and a velocity of 1 to 127."""

    start: float
    length: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """What one player plays.

    Attributes:
        role: `melody`, `chords`, `bass`, `pad` or `drums`.
        instrument: a name of `instruments.INSTRUMENTS`; `drums` for drums, whose pitches are keys of percussion.
        notes: in the order of their starts.
    """

    role: str
    instrument: str
    notes: list[Note]


@dataclass(frozen=True)
class Span:
    """A chord and where it holds, in beats from the beginning of its section."""

    chord: Chord
    start: float
    length: float


@dataclass(frozen=True)
class Piece:
    """A composed piece.

    Attributes:
        genre, mood: names, see `genres.GENRES`.
        key: tonic and mode.
        tempo: beats a minute.
        beats: in a bar.
        bars: in the piece.
        form: one letter a section.
        swing: share of a beat by which every second eighth is late.
        parts: the players; the melody comes first.
    """

    genre: str
    mood: str
    key: Key
    tempo: int
    beats: int
    bars: int
    form: str
    swing: float
    parts: list[Part]

    @property
    def instruments(self) -> list[str]:
        """Names without drums, each once, the melody's first."""
        return list(dict.fromkeys(part.instrument for part in self.parts if part.role != "drums"))

    @property
    def drums(self) -> bool:
        """Whether somebody plays drums."""
        return any(part.role == "drums" for part in self.parts)

    @property
    def seconds(self) -> float:
        """Length without the last note's decay."""
        return self.bars * self.beats * 60 / self.tempo

    @property
    def tempo_class(self) -> str:
        """`slow` below 90 beats a minute, `fast` from 125 on, else `medium`."""
        return "slow" if self.tempo < 90 else "fast" if self.tempo >= 125 else "medium"

    def attributes(self) -> dict[str, object]:
        """What a caption can say, for manifests and classifiers."""
        return {
            "genre": self.genre,
            "mood": self.mood,
            "tempo_bpm": self.tempo,
            "tempo_class": self.tempo_class,
            "key": self.key.name,
            "mode": self.key.tonality,
            "instruments": self.instruments,
            "form": self.form,
            "drums": self.drums,
            "beats": self.beats,
        }

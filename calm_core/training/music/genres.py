"""What makes a genre: tempi, keys, harmony, who plays what, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from calm_core.training.music.instruments import DRUMS, INSTRUMENTS
from calm_core.training.music.theory import SCALES, Key

_FILE = Path(__file__).with_name("genres.yaml")
COMPINGS = (
    "block",
    "sustained",
    "arpeggio",
    "alberti",
    "strum",
    "offbeat",
    "stabs",
    "waltz",
    "bossa",
    "charleston",
    "riff",
)
BASSES = ("root", "root_fifth", "walking", "octaves", "syncopated", "waltz", "boogie", "one_drop", "pulse", "pedal")


@dataclass(frozen=True)
class Genre:
    """One genre.

    Attributes:
        name: as captions have it.
        tempo: slowest and fastest, in beats a minute.
        beats: in a bar.
        modes: of `theory.SCALES`.
        moods: that it can have.
        forms: one letter for each section of four bars, or of twelve in a blues.
        progressions: four chords, one a bar (or twelve); two in a bar are joined by `-`.
        melody, chords, bass, pad: instruments of each role.
        comping: how the chords are played.
        bass_lines: how the bass goes.
        drums: patterns: name of a drum to sixteen steps, `x` loud, `o` soft, `.` silent.
        drum_share: of the pieces that have drums.
        swing: share of a beat by which the second eighth comes late, 0 for straight.
        busy: notes of the melody for each beat, about.
    """

    name: str
    tempo: tuple[int, int]
    beats: int
    modes: tuple[str, ...]
    moods: tuple[str, ...]
    forms: tuple[str, ...]
    progressions: tuple[tuple[str, ...], ...]
    melody: tuple[str, ...]
    chords: tuple[str, ...]
    bass: tuple[str, ...]
    pad: tuple[str, ...]
    comping: tuple[str, ...]
    bass_lines: tuple[str, ...]
    drums: tuple[dict[str, str], ...]
    drum_share: float
    swing: float
    busy: float


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _genre(name: str, facts: dict[str, Any]) -> Genre:
    low, high = facts["tempo"]
    genre = Genre(
        name=name,
        tempo=(low, high),
        beats=facts.get("beats", 4),
        drums=tuple(facts.get("drums", ())),
        drum_share=facts.get("drum_share", 1.0 if facts.get("drums") else 0.0),
        swing=facts.get("swing", 0.0),
        busy=facts["busy"],
        progressions=tuple(tuple(line.split()) for line in facts["progressions"]),
        forms=tuple(facts["forms"].split()),
        **{
            key: _words(facts[key]) if facts.get(key) else ()
            for key in ("modes", "moods", "melody", "chords", "bass", "pad", "comping", "bass_lines")
        },
    )
    _check(genre)
    return genre


def _check(genre: Genre) -> None:
    """The table is ours, so faults in it are ours as well."""
    assert set(genre.modes) <= SCALES.keys(), genre.name
    assert {*genre.melody, *genre.chords, *genre.bass, *genre.pad} <= INSTRUMENTS.keys(), genre.name
    assert set(genre.comping) <= set(COMPINGS) and set(genre.bass_lines) <= set(BASSES), genre.name
    for pattern in genre.drums:
        assert pattern.keys() <= DRUMS.keys(), genre.name
        assert {len(line) for line in pattern.values()} == {4 * genre.beats}, genre.name
    for progression in genre.progressions:
        assert len(progression) in (4, 12), genre.name
        for bar in progression:
            for symbol in bar.split("-"):
                Key(0, genre.modes[0]).chord(symbol)


GENRES: dict[str, Genre] = {
    name: _genre(name, facts) for name, facts in yaml.safe_load(_FILE.read_text(encoding="utf-8")).items()
}

"""What the others play: chords, bass, pad and drums."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from calm_core.training.music.instruments import DRUMS, Instrument
from calm_core.training.music.notes import Note, Span
from calm_core.training.music.theory import Chord, Key, nearest

_LOUD = {"x": 0, "o": -28}


# Beats of a bar of four at which a chord is struck, and how long it is held.
_RHYTHMS: Mapping[str, tuple[tuple[float, float], ...]] = {
    "block": ((0, 1.9), (2, 1.9)),
    "offbeat": tuple((beat + 0.5, 0.3) for beat in range(4)),
    "stabs": ((0, 0.4), (1.5, 0.4), (2.75, 0.3)),
    "charleston": ((0, 1.2), (1.5, 0.5)),
    "bossa": ((0, 0.9), (1, 0.4), (1.5, 0.9), (2.5, 0.9), (3.5, 0.4)),
    "strum": ((0, 0.9), (1, 0.4), (1.5, 0.4), (2, 0.9), (2.5, 0.4), (3, 0.4), (3.5, 0.4)),
    "riff": tuple((i / 2, 0.42) for i in range(8)),
    "waltz": ((1, 0.8), (2, 0.8)),
}


def write_chords(
    r: random.Random, spans: Sequence[Span], instrument: Instrument, style: str, beats: int, loud: int
) -> list[Note]:
    """Chords in a style of `genres.COMPINGS`, notes counted from the section's beginning."""
    around = min(max(60, instrument.low + 8), instrument.high - 8)
    notes: list[Note] = []
    for span in spans:
        voicing = span.chord.voiced(around)
        if style == "riff":  # power chords: root and fifth
            root = nearest(span.chord.root, instrument.low + 6)
            voicing = [root, root + 7]
        if style == "sustained":
            notes += [Note(span.start, span.length * 0.98, p, loud - 6 + r.randint(-3, 3)) for p in voicing]
        elif style in ("arpeggio", "alberti"):
            order = [0, 2, 1, 2] if style == "alberti" else [0, 1, 2, 3, 2, 1]
            for i in range(int(span.length * 2)):
                pitch = voicing[order[i % len(order)] % len(voicing)]
                notes.append(Note(span.start + i / 2, 0.6, pitch, loud + (4 if i % 2 == 0 else -4) + r.randint(-4, 4)))
        else:
            notes += _struck(r, span, voicing, style, beats, loud)
    return notes


def _struck(r: random.Random, span: Span, voicing: Sequence[int], style: str, beats: int, loud: int) -> list[Note]:
    notes = []
    for beat, length in _RHYTHMS[style]:
        if beat >= span.length or beat >= beats:
            continue
        lag = 0.025 if style == "strum" else 0.0  # a plectrum meets the strings one after another
        velocity = loud + (6 if beat == 0 else -2) + r.randint(-5, 5)
        notes += [Note(span.start + beat + lag * i, length, p, velocity) for i, p in enumerate(voicing)]
    return notes


def write_pad(r: random.Random, spans: Sequence[Span], instrument: Instrument, loud: int) -> list[Note]:
    """Held chords, notes counted from the section's beginning."""
    return write_chords(r, spans, instrument, "sustained", 4, loud - 14)


BassLine = Callable[[random.Random, Chord, Chord, float, Key], list[tuple[float, float, int]]]


def _fixed(*beats: tuple[float, float, int]) -> BassLine:
    """A line of (beat, length, semitones above the root)."""
    return lambda r, chord, following, length, key: [b for b in beats if b[0] < length]


def _walking(
    r: random.Random, chord: Chord, following: Chord, length: float, key: Key
) -> list[tuple[float, float, int]]:
    """A note a beat: root, chord notes, and a step into the next root."""
    approach = (following.root - chord.root + 5) % 12 - 5 + r.choice((-1, 1))
    middle = list(chord.intervals[1:3])
    r.shuffle(middle)
    steps = [0, *middle, approach][: int(length)]
    if len(steps) > 1:
        steps[-1] = approach
    return [(float(beat), 0.9, step) for beat, step in enumerate(steps)]


_LINES: Mapping[str, BassLine] = {
    "root": _fixed((0, 1.9, 0), (2, 1.9, 0)),
    "root_fifth": _fixed((0, 1.4, 0), (1.5, 0.4, 7), (2, 1.4, 7), (3.5, 0.4, 0)),
    "octaves": _fixed(*((i / 2, 0.4, 12 * (i % 2)) for i in range(8))),
    "syncopated": _fixed((0, 0.7, 0), (0.75, 0.4, 0), (1.5, 0.9, 7), (2.5, 0.4, 10), (3.25, 0.6, 12)),
    "waltz": _fixed((0, 0.95, 0)),
    "boogie": _fixed(*((i / 2, 0.45, (0, 0, 4, 4, 7, 7, 9, 9)[i]) for i in range(8))),
    "one_drop": _fixed((0.5, 0.4, 0), (1, 0.9, 7), (2, 1.0, 12), (3, 0.8, 7)),
    "pulse": _fixed(*((i / 2, 0.45, 0) for i in range(8))),
    "pedal": _fixed((0, 3.9, 0)),
    "walking": _walking,
}


def write_bass(
    r: random.Random, key: Key, spans: Sequence[Span], instrument: Instrument, line: str, loud: int
) -> list[Note]:
    """A bass line of `genres.BASSES`, notes counted from the section's beginning."""
    notes = []
    for span, following in zip(spans, [*spans[1:], spans[0]], strict=True):
        root = nearest(span.chord.root, instrument.low + 9)
        for beat, length, step in _LINES[line](r, span.chord, following.chord, span.length, key):
            pitch = root + step
            pitch += 12 * (pitch < instrument.low) - 12 * (pitch > instrument.high)
            short = min(length, span.length - beat)
            notes.append(Note(span.start + beat, short, pitch, loud + (6 if beat == 0 else 0) + r.randint(-4, 4)))
    return notes


def write_drums(
    r: random.Random, pattern: Mapping[str, str], bars: int, beats: int, loud: int, fill: bool
) -> list[Note]:
    """A pattern of `genres.Genre.drums` for some bars, the last with a fill where asked."""
    notes: list[Note] = []
    for bar in range(bars):
        filled = fill and bar == bars - 1
        until = beats - 1 if filled else beats
        for name, line in pattern.items():
            for i, sign in enumerate(line):
                if sign == "." or i / 4 >= until:
                    continue
                if name == "crash" and bar % 4:
                    continue
                velocity = loud + _LOUD[sign] + r.randint(-7, 7)
                notes.append(Note(bar * beats + i / 4, 0.2, DRUMS[name], velocity))
        if filled:
            notes += [
                Note(bar * beats + until + i / 4, 0.2, DRUMS[drum], loud - 6 + 4 * i + r.randint(-4, 4))
                for i, drum in enumerate(r.choice((("snare",) * 4, ("snare", "high tom", "high tom", "low tom"))))
            ]
    return sorted(notes)

"""Melodies: a rhythm of two bars that comes back, and a walk along the scale that rests on chord notes."""

from __future__ import annotations

import random
from collections.abc import Sequence

from calm_core.training.music.instruments import Instrument
from calm_core.training.music.notes import Note, Span
from calm_core.training.music.theory import Key

# Lengths in beats of the notes that fill one beat or two, with their weight where few notes are wanted and where many.
_CELLS: tuple[tuple[tuple[float, ...], float, float], ...] = (
    ((2.0,), 3.0, 0.3),
    ((1.5, 0.5), 1.5, 1.0),
    ((1.0,), 2.0, 1.5),
    ((0.5, 0.5), 0.7, 3.0),
    ((0.5, 1.0, 0.5), 0.3, 1.0),
    ((0.25, 0.25, 0.5), 0.0, 0.9),
    ((0.25, 0.25, 0.25, 0.25), 0.0, 0.5),
)
_STEPS = (-2, -1, -1, -1, 0, 1, 1, 1, 2)


def _rhythm(r: random.Random, beats: float, busy: float) -> list[tuple[float, bool]]:
    """Lengths that fill `beats`, each with whether it sounds."""
    many = min(1.0, max(0.0, (busy - 0.5) / 1.5))
    filled, made = 0.0, []
    while filled < beats:
        fitting = [cell for cell in _CELLS if sum(cell[0]) <= beats - filled]
        weights = [few * (1 - many) + lots * many for _, few, lots in fitting]
        lengths = r.choices(fitting, weights)[0][0]
        rest = r.random() < 0.12
        made += [(length, not (rest and index == len(lengths) - 1)) for index, length in enumerate(lengths)]
        filled += sum(lengths)
    return made


def _chord_at(spans: Sequence[Span], beat: float) -> Span:
    return next(span for span in reversed(spans) if span.start <= beat + 1e-6)


def write_melody(
    r: random.Random, key: Key, spans: Sequence[Span], instrument: Instrument, beats: int, busy: float, loud: int
) -> list[Note]:
    """A melody over the chords of one section.

    Args:
        r: source of the draws.
        key: of the piece.
        spans: the chords, to the section's end.
        instrument: whose range the melody keeps to.
        beats: in a bar.
        busy: notes a beat, about.
        loud: mean velocity.

    Returns:
        Notes, counted from the section's beginning. The rhythm of the first two bars returns in bars 3 and 4 and so on;
        notes on strong beats belong to the chord, and the last one is the tonic or a note of the last chord.
    """
    length = spans[-1].start + spans[-1].length
    low = min(max(instrument.low + 5, 58), instrument.high - 14)
    ladder = key.ladder(low, min(low + 22, instrument.high))
    place = r.randrange(len(ladder) // 3, 2 * len(ladder) // 3)
    motif = _rhythm(r, 2 * beats, busy)
    other = _rhythm(r, 2 * beats, busy)
    steps = [r.choice(_STEPS) for _ in range(len(motif) + len(other))]  # the contour returns with the rhythm
    notes: list[Note] = []
    start, phrase = 0.0, 0
    while start < length - 1e-6:
        rhythm = motif if phrase % 4 != 3 and phrase % 3 != 2 else other
        for index, (duration, sounds) in enumerate(rhythm):
            if start >= length - 1e-6:
                break
            step = steps[index] if r.random() < 0.75 else r.choice(_STEPS)
            place = _kept_inside(place + step, len(ladder), r)
            strong = start % beats < 1e-6 or (beats == 4 and abs(start % beats - 2) < 1e-6)
            if strong and r.random() < 0.85:
                place = _nearest_of(ladder, place, _chord_at(spans, start).chord.pitch_classes)
            if sounds:
                accent = 8 if strong else 0
                notes.append(Note(start, duration * 0.95, ladder[place], loud + accent + r.randint(-6, 6)))
            start += duration
        phrase += 1
    last = _chord_at(spans, length - 0.01).chord.pitch_classes
    if notes:
        aim = (key.tonic,) if key.tonic in last else last
        end = ladder[_nearest_of(ladder, ladder.index(notes[-1].pitch), aim)]
        notes[-1] = notes[-1]._replace(pitch=end, length=max(notes[-1].length, length - notes[-1].start - 0.1))
    return notes


def _kept_inside(place: int, count: int, r: random.Random) -> int:
    if place < 0:
        return r.randint(1, 3)
    return count - 1 - r.randint(1, 3) if place >= count else place


def _nearest_of(ladder: Sequence[int], place: int, pitch_classes: Sequence[int]) -> int:
    """The rung nearest to `place` whose pitch is of one of the classes; `place` itself where the scale has none."""
    fitting = [i for i, pitch in enumerate(ladder) if pitch % 12 in pitch_classes]
    return min(fitting, key=lambda i: (abs(i - place), i)) if fitting else place


def ornament(r: random.Random, notes: Sequence[Note], key: Key) -> list[Note]:
    """The same melody told again: some long notes are divided, some passing notes are added."""
    told: list[Note] = []
    for note in notes:
        if note.length >= 0.9 and r.random() < 0.35:
            half = note.length / 2
            ladder = key.ladder(note.pitch - 4, note.pitch + 4)
            neighbours = [pitch for pitch in ladder if 0 < abs(pitch - note.pitch) <= 2] or [note.pitch]
            told.append(note._replace(length=half * 0.95))
            told.append(Note(note.start + half, half * 0.95, r.choice(neighbours), max(1, note.velocity - 8)))
        else:
            told.append(note)
    return told

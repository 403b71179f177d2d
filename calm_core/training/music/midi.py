"""A piece as a MIDI file: programs, volumes, effect sends, and the small unevenness of people who play."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import mido

from calm_core.training.music.instruments import INSTRUMENTS
from calm_core.training.music.notes import Part, Piece

TICKS = 480  # of a beat
_DRUM_CHANNEL = 9
_VOLUME, _EXPRESSION, _REVERB, _CHORUS = 7, 11, 91, 93
# Mean volume of a role, 0 to 127.
_VOLUMES = {"melody": 108, "chords": 84, "bass": 100, "pad": 70, "drums": 96}


def _swung(start: float, swing: float) -> float:
    """A start with every off-beat eighth `swing` beats later, sixteenths moved in proportion."""
    beat, within = divmod(start, 1.0)
    late = swing * (1 - abs(2 * within - 1))
    return beat + within + late


def _track(r: random.Random, piece: Piece, part: Part, channel: int) -> mido.MidiTrack:
    events: list[tuple[int, int, mido.Message]] = []

    def add(tick: float, order: int, kind: str, **values: Any) -> None:
        events.append((max(0, round(tick)), order, mido.Message(kind, channel=channel, **values)))

    if part.role != "drums":
        add(0, 0, "program_change", program=INSTRUMENTS[part.instrument].program)
    volume = _VOLUMES[part.role] + r.randint(-10, 10)
    for control, value in ((_VOLUME, volume), (_REVERB, r.randint(20, 70)), (_CHORUS, r.randint(0, 25))):
        add(0, 1, "control_change", control=control, value=min(127, value))
    if part.role == "pad":  # swells over two bars
        for beat in range(piece.bars * piece.beats):
            phase = abs((beat / (2 * piece.beats)) % 2 - 1)
            add(beat * TICKS, 1, "control_change", control=_EXPRESSION, value=round(127 - 45 * phase))
    tight = 0.004 if part.role == "drums" else 0.012
    for note in part.notes:
        start = max(0.0, _swung(note.start, piece.swing) + r.gauss(0, tight))
        end = max(start + 0.05, _swung(note.start + note.length, piece.swing))
        add(start * TICKS, 3, "note_on", note=note.pitch, velocity=note.velocity)
        add(end * TICKS, 2, "note_off", note=note.pitch, velocity=0)
    # A note that was struck again just before its end must not stay on for ever.
    add((piece.bars * piece.beats + 0.5) * TICKS, 4, "control_change", control=123, value=0)
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def to_midi(piece: Piece, seed: int) -> mido.MidiFile:
    """The piece as a MIDI file of type 1, one track a player.

    Args:
        piece: at most fifteen players beside the drums.
        seed: of volumes, sends and uneven timing.
    """
    r = random.Random(seed)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(piece.tempo), time=0))
    head.append(mido.MetaMessage("time_signature", numerator=piece.beats, denominator=4, time=0))
    file.tracks.append(head)
    channels = iter(channel for channel in range(16) if channel != _DRUM_CHANNEL)
    for part in piece.parts:
        channel = _DRUM_CHANNEL if part.role == "drums" else next(channels)
        file.tracks.append(_track(r, piece, part, channel))
    return file


def write_midi(piece: Piece, path: Path, seed: int) -> None:
    """Write the piece for a sequencer; arguments as for `to_midi`."""
    to_midi(piece, seed).save(path)

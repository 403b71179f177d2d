"""Composed pieces keep the rules of their genre, key and instruments."""

import itertools

import mido
import pytest

from calm_core.training.music.captions import describe
from calm_core.training.music.composer import compose
from calm_core.training.music.genres import GENRES
from calm_core.training.music.instruments import INSTRUMENTS
from calm_core.training.music.midi import TICKS, to_midi
from calm_core.training.music.notes import Piece

PIECES = [compose(seed) for seed in range(60)] + [compose(seed, genre=genre) for seed, genre in enumerate(GENRES)]


def test_there_is_as_much_variety_as_promised() -> None:
    assert len(GENRES) >= 10
    programs = {INSTRUMENTS[i].program for g in GENRES.values() for i in (*g.melody, *g.chords, *g.bass, *g.pad)}
    assert len(programs) >= 30
    assert {INSTRUMENTS[name].program for name in INSTRUMENTS} == programs  # none is in the table for nothing


def test_a_seed_names_a_piece() -> None:
    assert compose(5) == compose(5)
    assert compose(5) != compose(6)
    assert compose(5, genre="jazz").genre == "jazz"


@pytest.mark.parametrize("piece", PIECES, ids=lambda p: f"{p.genre}-{p.tempo}")
def test_a_piece_keeps_to_its_genre_and_its_instruments(piece: Piece) -> None:
    genre = GENRES[piece.genre]
    assert genre.tempo[0] <= piece.tempo <= genre.tempo[1]
    assert piece.mood in genre.moods and piece.key.mode in genre.modes and piece.drums <= bool(genre.drums)
    assert 18 <= piece.seconds <= 45
    assert piece.parts[0].role == "melody" and len(set(piece.instruments)) == len(piece.instruments)
    for part in piece.parts:
        starts = [note.start for note in part.notes]
        assert starts == sorted(starts) and starts
        assert min(starts) >= 0 and max(starts) < piece.bars * piece.beats
        assert all(note.length > 0 and 1 <= note.velocity <= 127 for note in part.notes)
        if part.role in ("melody", "bass"):
            low, high = INSTRUMENTS[part.instrument].low, INSTRUMENTS[part.instrument].high
            assert all(low <= note.pitch <= high for note in part.notes), part.instrument


@pytest.mark.parametrize("piece", PIECES[:20], ids=lambda p: p.genre)
def test_melodies_stay_in_their_key_and_come_back(piece: Piece) -> None:
    melody = piece.parts[0].notes
    inside = [note.pitch % 12 in piece.key.scale for note in melody]
    # The last note of a section may belong to a borrowed chord.
    assert sum(inside) / len(inside) > 0.9
    steps = [abs(b.pitch - a.pitch) for a, b in itertools.pairwise(melody)]
    assert sum(step <= 4 for step in steps) / len(steps) > 0.6  # a melody moves by steps more than by leaps


@pytest.mark.parametrize("piece", PIECES, ids=lambda p: f"{p.genre}-{p.tempo}")
def test_no_note_is_struck_while_it_sounds(piece: Piece) -> None:
    for part in piece.parts:
        ends: dict[int, float] = {}
        for note in part.notes:
            assert note.start >= ends.get(note.pitch, 0.0) - 1e-9
            ends[note.pitch] = note.start + note.length


def test_a_midi_file_plays_in_time_and_falls_silent() -> None:
    for seed, piece in enumerate(PIECES[:8]):
        file = to_midi(piece, seed)
        assert file.length == pytest.approx(piece.seconds, abs=60 / piece.tempo)
        for track, part in zip(file.tracks[1:], piece.parts, strict=True):
            notes = [m for m in track if m.type in ("note_on", "note_off")]
            assert sum(m.type == "note_on" for m in notes) == len(part.notes)
            assert track[-1].type == "control_change" and track[-1].control == 123
            assert (
                {m.channel for m in track if not m.is_meta} == {9}
                if part.role == "drums"
                else 9 not in {m.channel for m in track if not m.is_meta}
            )
        assert file.ticks_per_beat == TICKS and file.tracks[0][0].tempo == mido.bpm2tempo(piece.tempo)


def test_captions_say_what_is_so() -> None:
    for seed, piece in enumerate(PIECES):
        facts = piece.attributes()
        captions = describe(facts, seed, 8)
        assert len(set(captions)) >= 7 and captions == describe(facts, seed, 8)
        full = captions[0]
        assert all(str(facts[key]) in full for key in ("genre", "mood", "tempo_bpm", "key", "mode"))
        assert all(name in full for name in piece.instruments)
        assert ("no" in full.split("bpm")[0].split(",")[-2]) != piece.drums or "without" in full or piece.drums
        others = set(INSTRUMENTS) - set(piece.instruments)
        spoken = " ".join(captions).replace("electric piano", "").replace("brass section", "")
        named = {name for name in others if f" {name}" in spoken and not any(name in own for own in piece.instruments)}
        assert not named - {"strings"}, captions


def test_captions_use_the_right_article() -> None:
    facts = {**PIECES[0].attributes(), "instruments": ["electric guitar"], "mood": "uplifting", "genre": "electronic"}
    text = " ".join(describe(facts, 1, 8))
    assert (
        "an electric guitar" in text.lower()
        and " a electric" not in text.lower()
        and " a uplifting" not in text.lower()
    )

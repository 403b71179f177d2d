"""Compose a piece from a seed: genre, key, tempo, harmony, then what every player plays."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import groupby

from calm_core.training.music.accompaniment import write_bass, write_chords, write_drums, write_pad
from calm_core.training.music.genres import GENRES, Genre
from calm_core.training.music.instruments import INSTRUMENTS
from calm_core.training.music.melody import ornament, write_melody
from calm_core.training.music.notes import Note, Part, Piece, Span
from calm_core.training.music.theory import Key

# How much louder than usual a mood plays, and how far it moves the tempo within the genre's range (-1 to 1).
_MOODS: dict[str, tuple[int, float]] = {
    "aggressive": (16, 0.5), "calm": (-16, -0.7), "cheerful": (2, 0.3), "dark": (0, -0.2), "dreamy": (-14, -0.6),
    "elegant": (-6, 0.0), "energetic": (10, 0.7), "gritty": (8, 0.0), "groovy": (4, 0.0), "hypnotic": (0, 0.0),
    "joyful": (4, 0.6), "laid-back": (-6, -0.5), "majestic": (12, -0.4), "melancholic": (-10, -0.6),
    "mysterious": (-8, -0.3), "nostalgic": (-6, -0.3), "peaceful": (-14, -0.6), "playful": (2, 0.4),
    "powerful": (14, 0.2), "relaxed": (-8, -0.4), "romantic": (-6, -0.3), "sad": (-12, -0.7), "uplifting": (6, 0.4),
    "warm": (-4, -0.1),
}  # fmt: skip
# Moods that want a minor key where the genre leaves a choice, and those that want a major one.
_MINOR_MOODS = frozenset(("dark", "melancholic", "mysterious", "sad", "aggressive"))
_MAJOR_MOODS = frozenset(("cheerful", "joyful", "uplifting", "warm", "playful"))
_LOUD = 84
# Who begins, when a piece is built up from few players.
_OPENINGS = (("chords", "bass"), ("drums", "bass"), ("pad", "melody"), ("bass", "drums"))


def _in_mode(symbol: str, mode: str) -> str:
    """A chord symbol written for the other mode: the triad of its degree there."""
    return "-".join(_turned(part, mode) for part in symbol.split("-"))


def _turned(symbol: str, mode: str) -> str:
    key = Key(0, mode)
    numerals = ("I", "II", "III", "IV", "V", "VI", "VII")
    bare = symbol.lstrip("#b").upper()
    degree = max((n for n in numerals if bare.startswith(n)), key=len)
    if degree == "V":
        return symbol.lstrip("#b")  # the dominant stays major: it leads home
    index = numerals.index(degree)
    third = (key.scale[(index + 2) % 7] - key.scale[index]) % 12
    fifth = (key.scale[(index + 4) % 7] - key.scale[index]) % 12
    return degree.lower() + "dim" if fifth == 6 else degree.lower() if third == 3 else degree


def _harmony(progression: Sequence[str], key: Key, mode_of_table: str) -> list[tuple[str, ...]]:
    """Chord symbols bar by bar in the piece's mode."""
    same = key.tonality == Key(0, mode_of_table).tonality
    return [tuple((bar if same else _in_mode(bar, key.mode)).split("-")) for bar in progression]


def _spans(key: Key, harmony: Sequence[Sequence[str]], beats: int) -> list[Span]:
    spans = []
    for bar, symbols in enumerate(harmony):
        each = beats / len(symbols)
        spans += [Span(key.chord(s), bar * beats + i * each, each) for i, s in enumerate(symbols)]
    return spans


class _Composition:
    """Draws of one piece, and its sections as they are written."""

    def __init__(self, r: random.Random, genre: Genre, seconds: float):
        self.r, self.genre = r, genre
        self.mood = r.choice(genre.moods)
        louder, faster = _MOODS[self.mood]
        self.loud = _LOUD + louder
        low, high = genre.tempo
        middle = (low + high) / 2 + faster * (high - low) / 3
        self.tempo = round(min(high, max(low, r.gauss(middle, (high - low) / 6))))
        self.key = Key(r.randrange(12), self._mode())
        self.form = self._form(seconds)
        self.players = self._players()
        self.comping, self.bass_line = r.choice(genre.comping), r.choice(genre.bass_lines)
        self.pattern = r.choice(genre.drums) if "drums" in self.players else None

    def _mode(self) -> str:
        modes = self.genre.modes
        minor = [m for m in modes if Key(0, m).tonality == "minor"]
        major = [m for m in modes if m not in minor]
        if self.mood in _MINOR_MOODS and minor and self.r.random() < 0.85:
            return self.r.choice(minor)
        if self.mood in _MAJOR_MOODS and major and self.r.random() < 0.85:
            return self.r.choice(major)
        return self.r.choice(modes)

    def _form(self, seconds: float) -> str:
        """Letters of the sections that fill `seconds`, at least one."""
        form = self.r.choice(self.genre.forms)
        bar = self.genre.beats * 60 / self.tempo
        length = min(len(p) for p in self.genre.progressions) * bar
        return (form * 8)[: max(1, round(seconds / length))]

    def _players(self) -> dict[str, str]:
        """Role to instrument; no instrument plays twice."""
        r, genre = self.r, self.genre
        players = {"melody": r.choice(genre.melody)}
        shares = {"chords": 0.95, "bass": 0.9, "pad": 0.4}
        for role, share in shares.items():
            left = [name for name in getattr(genre, role) if name not in players.values()]
            if left and r.random() < share:
                players[role] = r.choice(left)
        if genre.drums and r.random() < genre.drum_share:
            players["drums"] = "drums"
        return players

    def section(self) -> tuple[dict[str, list[Note]], float]:
        """Everything that is played under a new letter, by role, and how many beats it lasts."""
        r, genre, beats = self.r, self.genre, self.genre.beats
        harmony = _harmony(r.choice(genre.progressions), self.key, genre.modes[0])
        spans = _spans(self.key, harmony, beats)
        play = {role: INSTRUMENTS[name] for role, name in self.players.items() if role != "drums"}
        made = {"melody": write_melody(r, self.key, spans, play["melody"], beats, genre.busy, self.loud + 10)}
        if "chords" in play:
            made["chords"] = write_chords(r, spans, play["chords"], self.comping, beats, self.loud - 14)
        if "bass" in play:
            made["bass"] = write_bass(r, self.key, spans, play["bass"], self.bass_line, self.loud)
        if "pad" in play:
            made["pad"] = write_pad(r, spans, play["pad"], self.loud - 4)
        if self.pattern is not None:
            made["drums"] = write_drums(r, self.pattern, len(harmony), beats, self.loud, fill=True)
        return made, float(len(harmony) * beats)


def compose(seed: int, seconds: float = 30.0, genre: str | None = None) -> Piece:
    """A piece of about some seconds; the same seed always gives the same piece.

    Args:
        seed: of every draw.
        seconds: the piece has whole sections, so that it is up to half a section shorter or longer.
        genre: a name of `genres.GENRES`; drawn when None.
    """
    r = random.Random(seed)
    style = GENRES[genre or r.choice(sorted(GENRES))]
    work = _Composition(r, style, seconds)
    letters = {letter: work.section() for letter in sorted(set(work.form))}
    parts: dict[str, list[Note]] = {role: [] for role in work.players}
    silent = _silences(r, work)
    start = 0.0
    seen: set[str] = set()
    for place, letter in enumerate(work.form):
        written, length = letters[letter]
        for role in work.players:
            notes = written[role]
            if role == "melody" and letter in seen:
                notes = ornament(r, notes, work.key)
            if role not in silent[place]:
                parts[role] += [note._replace(start=note.start + start) for note in notes]
        seen.add(letter)
        start += length
    players = [Part(role, work.players[role], _clean(notes)) for role, notes in parts.items()]
    bars = round(start / style.beats)
    return Piece(style.name, work.mood, work.key, work.tempo, style.beats, bars, work.form, style.swing, players)


def _silences(r: random.Random, work: _Composition) -> list[set[str]]:
    """Roles that are silent in each section: a piece may be built up, or thin out once."""
    silent: list[set[str]] = [set() for _ in work.form]
    roles = set(work.players)
    if len(silent) >= 3 and len(roles) >= 3:
        shape = r.choice(("whole", "build", "break"))
        if shape == "build":
            silent[0] = roles - set(r.choice(_OPENINGS))
        elif shape == "break":
            silent[r.randrange(1, len(silent) - 1)] = {"drums", r.choice(("melody", "bass"))}
        silent = [s if roles - s else set() for s in silent]
    return silent


def _clean(notes: Sequence[Note]) -> list[Note]:
    """Notes in order; of two of one pitch the earlier ends where the later begins."""
    cut = []
    for _, same in groupby(sorted(notes, key=lambda n: (n.pitch, n.start)), key=lambda n: n.pitch):
        row = list(same)
        for note, following in zip(row, [*row[1:], None], strict=True):
            room = note.length if following is None else min(note.length, following.start - note.start)
            if room > 0.01:
                cut.append(note._replace(length=room, velocity=min(127, max(1, note.velocity))))
    return sorted(cut)

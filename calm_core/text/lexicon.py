"""How single English words are said: a list of words, rules for their endings, and letters read one by one.

The list and the model for everything else (`letter_to_sound`) are made by `calm_core.training.lexicon` from the
readings of CMU's flite, whose set of 41 phones is used throughout.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "lexicon"

PHONES = (
    "aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
).split()
VOWELS = frozenset("aa ae ah ao aw ax ay eh er ey ih iy ow oy uh uw".split())
_SIBILANTS = frozenset("s z sh zh ch jh".split())
_VOICELESS = frozenset("p t k f th".split())

_LETTER_NAMES = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "ey,b iy,s iy,d iy,iy,eh f,jh iy,ey ch,ay,jh ey,k ey,eh l,eh m,eh n,ow,p iy,k y uw,aa r,eh s,t iy,y uw,v iy,"
        "d ah b ax l y uw,eh k s,w ay,z iy".split(","),
        strict=True,
    )
)
# Endings after an apostrophe whose sound does not depend on the word before.
_CLITICS = {"'ll": ["ax", "l"], "'re": ["er"], "'ve": ["ax", "v"], "'d": ["d"], "'m": ["ax", "m"], "'n": ["ax", "n"]}
_SHORTEST_PART = 4


def spell(letters: str) -> list[str]:
    """Phones of the names of letters: `tv` is `t iy v iy`. Other characters are silent."""
    return [phone for letter in letters.lower() for phone in _LETTER_NAMES.get(letter, "").split()]


def plural(phones: list[str]) -> list[str]:
    """Phones with the ending of a plural, of a possessive or of the third person."""
    if phones[-1] in _SIBILANTS:
        return [*phones, "ax", "z"]
    return [*phones, "s" if phones[-1] in _VOICELESS else "z"]


def past(phones: list[str]) -> list[str]:
    """Phones with the ending of a regular past tense."""
    if phones[-1] in ("t", "d"):
        return [*phones, "ax", "d"]
    voiceless = phones[-1] in _VOICELESS or phones[-1] in ("s", "sh", "ch")
    return [*phones, "t" if voiceless else "d"]


def _stems(word: str, ending: str) -> list[str]:
    """What a word may have been before `ending` was added: hoped -> hop(e), hopped -> hop, tried -> try."""
    stem = word[: -len(ending)]
    stems = [stem]
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] in "bdgklmnprt":
        stems.append(stem[:-1])
    stems.append(stem + "e")
    if stem.endswith("i") and ending == "ed":
        stems.append(stem[:-1] + "y")
    return stems


class Lexicon:
    """Words and their phones.

    Args:
        entries: Phones of lower-case words (letters and apostrophes), joined by spaces. A key that ends in
            `/v` tells how the word is said as a verb, where that differs.
    """

    def __init__(self, entries: dict[str, str]):
        self.entries = entries

    @staticmethod
    def load(path: Path = FOLDER / "en.txt.xz", additions: Path | None = FOLDER / "additions.txt") -> Lexicon:
        """Read a lexicon: one word a line, a space, its phones; `additions` is the same, uncompressed, and wins."""
        lines = lzma.decompress(path.read_bytes()).decode("ascii").splitlines()
        if additions is not None:
            lines += additions.read_text(encoding="ascii").splitlines()
        pairs = (line.partition(" ") for line in lines)
        return Lexicon({word: phones for word, _, phones in pairs})

    def find(self, word: str) -> list[str] | None:
        """Phones of a listed lower-case word, or of a listed word with a regular ending; None for any other."""
        entry = self.entries.get(word)
        if entry is not None:
            return entry.split()
        return self._inflected(word)

    def _inflected(self, word: str) -> list[str] | None:
        if word.endswith("'s") or (word.endswith("s'") and len(word) > 2):
            stem = self.find(word[:-2] if word.endswith("'s") else word[:-1])
            return stem and (plural(stem) if word.endswith("'s") else stem)
        head, apostrophe, tail = word.rpartition("'")
        if apostrophe and "'" + tail in _CLITICS:
            stem = self.find(head)
            return stem and stem + _CLITICS["'" + tail]
        if len(word) < 4:
            return None
        if word.endswith("s") and not word.endswith("ss"):
            stems = [word[:-1]]
            if word.endswith("es"):
                stems += [word[:-3] + "y"] if word.endswith("ies") else [word[:-2]]
            return self._first(stems, plural)
        if word.endswith("ed"):
            return self._first(_stems(word, "ed"), past)
        if word.endswith("ing"):
            return self._first(_stems(word, "ing"), lambda phones: [*phones, "ih", "ng"])
        return None

    def _first(self, stems: list[str], extend: Callable[[list[str]], list[str]]) -> list[str] | None:
        """The first listed stem, extended; an extension never applies to a stem without a vowel letter."""
        for stem in stems:
            if len(stem) > 1 and (phones := self.find(stem)):
                return extend(phones)
        return None

    def compound(self, word: str) -> list[str] | None:
        """Phones of two listed words written as one (`smartwatch`), the longest first part first; None otherwise."""
        for cut in range(len(word) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
            first = self.entries.get(word[:cut])
            second = self.find(word[cut:]) if first else None
            if first and second:
                return first.split() + second
        return None

"""English text to phones, as CMU's flite would say it: words in their context, pauses at punctuation.

    "The cat, or not?"  ->  pau  dh ax  k ae t  pau  ao r  n aa t  pau
                                                 `,`              `?`     the mark that each pause stands for

The input is normalised text (`calm_core.text.normalise`): letters, apostrophes, hyphens and punctuation. A model that
is trained on flite's readings and their phones can then be driven without flite.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from calm_core.errors import InputError
from calm_core.text.letter_to_sound import LetterToSound
from calm_core.text.lexicon import VOWELS, Lexicon, plural, spell

PAUSE = "pau"

# A word, or the punctuation between two words. Hyphens inside a word only separate its parts.
_PIECES = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*'?|[^A-Za-z]+")
# Marks that flite pauses at, the strongest first; closing quotes and brackets break the phrase as a comma does.
_MARKS = (("?", "?"), ("!", "!"), (".", "."), ("…", "."), (";", ";"), (":", ":"), (",", ","), ("—", ","), ("–", ","))
_CLOSING = re.compile(r"^[\s.!?]*[\"”)\]}]|--")
# After these a word that is both noun and verb is the verb.
_BEFORE_VERB = frozenset(
    "to will would can could should must may might shall i you we they don't didn't doesn't won't can't cannot "
    "couldn't wouldn't shouldn't never please let's do does did who i'll you'll we'll they'll he'll she'll i'd you'd "
    "we'd they'd not always".split()
)
# Read letter by letter although they look like words.
# Where a name in one word such as ChatGPT or GitHub may be taken apart.
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SPELLED = frozenset("US UK EU UN AI PC ID OS IP PM TV UFO FAQ CEO".split())
_SOUNDS = {
    "hmm": "hh ah m", "hm": "hh ah m", "mmm": "m m", "mm": "m m", "shh": "sh", "sh": "sh", "psst": "p s t",
    "brr": "b er", "nth": "eh n th", "grr": "g er", "tsk": "t ih s k", "pfft": "f t", "zzz": "z z",
}  # fmt: skip


@dataclass(frozen=True)
class Token:
    """One phone.

    Attributes:
        phone: One of `calm_core.text.lexicon.PHONES`, or `pau`.
        word: The word that it belongs to as written, or "" for a pause.
        starts_word: Whether it is the first phone of its word.
        mark: The mark that ends its phrase: one of , ; : . ? and !
    """

    phone: str
    word: str
    starts_word: bool
    mark: str


class Pronouncer:
    """Words to phones: the list first, then endings and compounds, then letters.

    Args:
        lexicon: Listed words.
        reader: What reads words that are not listed.
    """

    def __init__(self, lexicon: Lexicon, reader: LetterToSound):
        self.lexicon = lexicon
        self.reader = reader

    def word(self, written: str, before: str = "", shouting: bool = False) -> list[str]:
        """Phones of one word of letters and apostrophes; never empty for a word with a letter.

        Args:
            written: The word as it stands in the text.
            before: The lower-case word in front of it in the same phrase, or "".
            shouting: The whole text is in capitals, so capitals do not mark an abbreviation.
        """
        word = written.lower().strip("'")
        stem = written.removesuffix("'s").removesuffix("s")
        spelled = stem.isupper() and len(stem) > 1 and not shouting
        if spelled and stem in _SPELLED:
            return self._with_ending(spell(stem), word, stem)
        if before in _BEFORE_VERB and (verb := self.lexicon.entries.get(word + "/v")):
            return verb.split()
        listed = _SOUNDS.get(word)
        phones = listed.split() if listed else self.lexicon.find(word)
        if phones is None and spelled and len(stem) <= 5 and not written[len(stem) :].isupper():
            return self._with_ending(spell(stem), word, stem)
        parts = _CAMEL.split(written)
        if phones is None and len(parts) > 1 and min(map(len, parts)) > 1:
            return [phone for part in parts for phone in self.word(part)]
        if phones is None and not re.search("[aeiouy]", word):
            return spell(word)
        return phones or self.lexicon.compound(word) or self._read(word)

    def _read(self, word: str) -> list[str]:
        head, apostrophe, tail = word.rpartition("'")
        if apostrophe and tail == "s" and head:
            return plural(self._read(head))
        return self.reader.read(word) or spell(word)

    def _with_ending(self, phones: list[str], word: str, stem: str) -> list[str]:
        return plural(phones) if len(word) > len(stem) else phones


@functools.cache
def pronouncer() -> Pronouncer:
    """The bundled English pronouncer, read once (about 0.2 s)."""
    return Pronouncer(Lexicon.load(), LetterToSound.load())


def _mark(between: str, last: bool) -> str | None:
    """The mark of the pause that flite makes at the punctuation between two words; None for no pause."""
    for character, mark in _MARKS:
        if character in between:
            return mark
    if last:
        return "."
    return "," if _CLOSING.search(between) else None


def _in_context(word: str, phones: list[str], mark: str | None, first: bool, following: list[str]) -> list[str]:
    """What the neighbours change: `a` is reduced unless it is a letter's name, `the` before a vowel is `dh iy`."""
    if word == "a" or (word == "A" and first):
        return ["ey"] if mark else ["ax"]
    if word.lower() == "the" and following and following[0] in VOWELS:
        return ["dh", "iy"]
    return phones


def phonemize(text: str | Sequence[str]) -> list[Token]:
    """Read normalised English text.

    Args:
        text: A text, or its words and punctuation marks one by one.

    Returns:
        Phones in order, with a pause first, last, and at each comma, semicolon, colon and end of a sentence.

    Raises:
        InputError: The text has no letter that English can read.
    """
    whole = text if isinstance(text, str) else " ".join(text)
    plain = "".join(c for c in unicodedata.normalize("NFKD", whole.replace("’", "'")) if not unicodedata.combining(c))
    pieces = _PIECES.findall(plain)
    words = [(i, piece) for i, piece in enumerate(pieces) if piece[0].isalpha() and piece.isascii()]
    if not words:
        raise InputError(f"The text {whole[:40]!r} has nothing that English can read aloud; write at least one word.")
    say = pronouncer()
    shouting = plain.isupper() and len(words) > 2
    marks = [_mark("".join(pieces[i + 1 : words[n + 1][0] if n + 1 < len(words) else None]), n + 1 == len(words))
             for n, (i, _) in enumerate(words)]  # fmt: skip
    spoken: list[list[str]] = []
    for n, (_, word) in enumerate(words):
        before = words[n - 1][1].lower() if n and not marks[n - 1] else ""
        spoken.append(say.word(word, before, shouting))
    phrase_mark = "."
    out: list[Token] = []
    for n in range(len(words) - 1, -1, -1):  # backwards: a phrase is coloured by the mark at its end
        word = words[n][1].rstrip("'")
        if marks[n]:
            phrase_mark = marks[n] or "."
            out.append(Token(PAUSE, "", False, phrase_mark))
        first = n == 0 or marks[n - 1] in (".", "?", "!")
        following = spoken[n + 1] if n + 1 < len(words) and not marks[n] else []
        phones = _in_context(word, spoken[n], marks[n], first, following)
        out.extend(Token(phones[k], word, k == 0, phrase_mark) for k in range(len(phones) - 1, -1, -1))
    out.append(Token(PAUSE, "", False, phrase_mark))
    return out[::-1]

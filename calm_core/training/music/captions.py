"""Say in English what a piece is: several captions of the same attributes, each in other words and of other detail."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

_TEMPO_WORDS = {
    "slow": ("slow", "unhurried", "down-tempo", "slow-moving"),
    "medium": ("mid-tempo", "moderate", "steady"),
    "fast": ("fast", "up-tempo", "quick", "lively"),
}
_NOUNS = ("piece", "track", "tune", "recording", "instrumental")
_WITH = ("with", "featuring", "played on", "led by")
_PLURAL = ("strings", "steel drums")
_ARTICLES = {"brass section": "a brass section", "strings": "strings", "steel drums": "steel drums", "choir": "a choir"}
_NO_DRUMS = ("without drums", "with no percussion", "no drums")
_DRUMS = ("with drums", "over a drum groove", "driven by drums", "with a drum kit")


def _with_article(word: str) -> str:
    if word in _ARTICLES:
        return _ARTICLES[word]
    return ("an " if word[0] in "aeiouAEIOU" else "a ") + word


def _listed(names: Sequence[str]) -> str:
    named = [_with_article(name) for name in names]
    return named[0] if len(named) == 1 else ", ".join(named[:-1]) + " and " + named[-1]


def describe(attributes: Mapping[str, Any], seed: int, count: int = 4) -> list[str]:
    """Captions of a piece, no two of one shape as long as there are shapes.

    Args:
        attributes: see `notes.Piece.attributes`.
        seed: of the choice of words.
        count: how many captions, the first with every attribute.
    """
    r = random.Random(seed)
    captions = [_full(r, attributes)]
    while len(captions) < count:
        shapes = _shapes(r, attributes)
        captions += r.sample(shapes, min(count - len(captions), len(shapes)))
    return captions


def _full(r: random.Random, a: Mapping[str, Any]) -> str:
    tempo = r.choice(_TEMPO_WORDS[a["tempo_class"]])
    drums = r.choice(_DRUMS if a["drums"] else _NO_DRUMS)
    opening = _with_article(f"{a['mood']} {a['genre']} {r.choice(_NOUNS)}")
    return _sentence(
        f"{opening} {r.choice(_WITH)} {_listed(a['instruments'])}, {drums}, {tempo} at {a['tempo_bpm']} bpm, "
        f"in {a['key']} {a['mode']}"
    )


def _shapes(r: random.Random, a: Mapping[str, Any]) -> list[str]:
    """Captions as people write them: some of the facts, in one of several orders."""
    tempo = r.choice(_TEMPO_WORDS[a["tempo_class"]])
    mood, genre, names = a["mood"], a["genre"], a["instruments"]
    lead, noun = _with_article(names[0]), r.choice(_NOUNS)
    plays = "play" if names[0] in _PLURAL else "plays"
    behind = f", {_listed(names[1:3])} behind {lead}" if len(names) > 1 else f" and {lead}"
    made = (
        f"{_with_article(tempo)} {genre} {noun} {r.choice(_WITH)} {_listed(names[:2])}",
        f"{mood} {genre}, {names[0]}",
        f"{lead} {plays} {_with_article(mood)} {tempo} melody",
        f"{genre} {noun}, {tempo}, {mood}, {', '.join(names)}",
        f"{mood} {noun} in {a['key']} {a['mode']} at {a['tempo_bpm']} bpm",
        f"{_with_article(genre)} {noun} {r.choice(_DRUMS if a['drums'] else _NO_DRUMS)}{behind}",
        f"{tempo} {genre} that sounds {mood}",
        f"{_listed(names[:3])} in {_with_article(mood)} {genre} arrangement",
    )
    return [_sentence(words) for words in made]


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."

"""When each word of a text is spoken, from the times of the phones that a synthesiser reports."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from calm_core.text import normalise
from calm_core.text.pronunciation import phonemize


def word_times(text: str, phones: Sequence[tuple[str, float]]) -> list[tuple[str, float, float]]:
    """The words of a text with their times.

    The phones that the lexicon gives are matched with those that were spoken; where the two differ, a word begins with
    the next phone that both know.

    Args:
        text: Plain English, as it was read.
        phones: Phones spoken, each with its end in seconds.

    Returns:
        `(word as written, start, end)` in seconds, in order; words of which no phone was spoken are left out.
    """
    tokens = phonemize(normalise(text))
    spoken_at = [-1] * len(tokens)
    matcher = SequenceMatcher(None, [phone for phone, _ in phones], [t.phone for t in tokens], autojunk=False)
    for block in matcher.get_matching_blocks():
        for k in range(block.size):
            spoken_at[block.b + k] = block.a + k
    found: list[tuple[str, float, float]] = []
    at = 0
    while at < len(tokens):
        stop = at + 1
        while stop < len(tokens) and tokens[stop].word and not tokens[stop].starts_word:
            stop += 1
        places = [i for i in spoken_at[at:stop] if i >= 0]
        if tokens[at].word and places:
            start = phones[places[0] - 1][1] if places[0] else 0.0
            found.append((tokens[at].word, start, phones[places[-1]][1]))
        at = stop
    return found

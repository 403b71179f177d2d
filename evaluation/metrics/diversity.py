"""VERT: how alike generated texts are, within themselves and to each other (Lakhotia et al. 2021, section 4.2).

As fairseq's `textless_nlp/gslm/metrics/asr_metrics/self_auto_bleu.py` counts it, with bigrams and geometric means.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.recognition import Recogniser, transcribe
from evaluation.metrics.words import spoken_words

_ORDER = 2


@dataclass(frozen=True)
class Diversity:
    """All between 0 and 1; lower is more varied. The literature shows them in percent.

    Attributes:
        self_bleu: Mean over texts of BLEU-2 against all others, without a penalty for length (Zhu et al. 2018).
        auto_bleu: Mean over texts of the share of n-grams that come again in the same text.
        vert: Geometric mean of the two.
    """

    self_bleu: float
    auto_bleu: float
    vert: float


def _ngrams(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]


def _geometric(shares: Sequence[float]) -> float:
    return math.prod(shares) ** (1 / len(shares))


def auto_bleu(words: Sequence[str], order: int = _ORDER) -> float:
    """Geometric mean over n = 1 ... `order` of the share of n-grams that come again without overlapping themselves.

    Zero for a text of fewer than two words.
    """
    if len(words) < max(2, order):
        return 0.0
    shares = []
    for length in range(1, order + 1):
        places: dict[tuple[str, ...], list[int]] = defaultdict(list)
        ngrams = _ngrams(words, length)
        for place, ngram in enumerate(ngrams):
            places[ngram].append(place)
        again = sum(
            places[ngram][-1] - place >= length or place - places[ngram][0] >= length
            for place, ngram in enumerate(ngrams)
        )
        shares.append(again / len(ngrams))
    return _geometric(shares)


def self_bleu(texts: Sequence[Sequence[str]], order: int = _ORDER) -> list[float]:
    """BLEU of each text (a list of words) with all others as references, without a penalty for length.

    Precisions are clipped to the most that any one reference has (Papineni et al. 2002, section 2.1); a text that
    shares no n-gram of some length with the others gets 0.
    """
    shares: list[list[float]] = [[] for _ in texts]
    for length in range(1, order + 1):
        counts = [Counter(_ngrams(words, length)) for words in texts]
        # the two highest counts of each n-gram, so that every text can be left out in turn
        highest: dict[tuple[str, ...], tuple[int, int, int]] = {}
        for number, found in enumerate(counts):
            for ngram, count in found.items():
                most, owner, second = highest.get(ngram, (0, -1, 0))
                if count > most:
                    highest[ngram] = (count, number, most)
                elif count > second:
                    highest[ngram] = (most, owner, count)
        for number, found in enumerate(counts):
            matched = 0
            for ngram, count in found.items():
                most, owner, second = highest[ngram]
                matched += min(count, second if owner == number else most)
            shares[number].append(matched / max(1, found.total()))
    return [_geometric(of_text) for of_text in shares]


def vert(texts: Sequence[str]) -> Diversity:
    """Diversity of a set of texts; words are taken as for the word error rate.

    A set grows more alike with its size, since each text meets more others: compare sets of equal size and texts of
    equal duration.

    Raises:
        InputError: Fewer than two texts, or no words at all.
    """
    words = [spoken_words(text) for text in texts]
    if len(words) < 2 or not any(words):
        raise InputError(f"VERT compares texts with each other; {len(words)} given, at least 2 with words are needed.")
    between = math.fsum(self_bleu(words)) / len(words)
    within = math.fsum(map(auto_bleu, words)) / len(words)
    return Diversity(between, within, math.sqrt(between * within))


class TranscriptDiversity:
    """VERT of clips that are handed over one by one, on what the recogniser hears in them."""

    def __init__(self, recogniser: Recogniser = transcribe):
        self._recogniser = recogniser
        self._texts: dict[str, str] = {}

    def add(self, clip: Clip) -> None:
        """Take a clip in."""
        self._texts[Path(clip.item).name] = self._recogniser(clip)

    def rows(self) -> list[tuple[str, str, float]]:
        """The set's figures as `(item, metric, value)`; a single clip has none.

        Raises:
            InputError: Fewer than two clips, or no words were heard.
        """
        found = vert(list(self._texts.values()))
        return [("mean", name, getattr(found, name)) for name in ("vert", "self_bleu", "auto_bleu")]

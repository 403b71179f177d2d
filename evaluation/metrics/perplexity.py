"""PPX: how well a language model predicts transcripts of generated speech (Lakhotia et al. 2021; CALM section 5.1).

By default the model is an n-gram model of words with interpolated Kneser-Ney smoothing, trained on a text that the
user gives; its figures compare systems with each other, not with those of another language model.
"""

import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.optional import existing_file
from evaluation.metrics.recognition import Recogniser, transcribe
from evaluation.metrics.words import spoken_words

_BEGIN, _END, _UNKNOWN = 0, 1, 2  # numbers of <s>, </s> and <unk>; words follow
_FIRST_WORD = 3
_FALLBACK_DISCOUNT = 0.75
_MANY_UNKNOWN = 0.1


@dataclass(frozen=True)
class Surprise:
    """What a language model thinks of a text.

    Attributes:
        nats: Its negative log-likelihood.
        tokens: Predictions that were made, the end of the text included where the model predicts it.
        unknown: Those of them that stand for words outside the vocabulary.
    """

    nats: float
    tokens: int
    unknown: int = 0

    def __add__(self, other: "Surprise") -> "Surprise":
        return Surprise(self.nats + other.nats, self.tokens + other.tokens, self.unknown + other.unknown)

    @property
    def perplexity(self) -> float:
        """`exp(nats / tokens)`."""
        return math.exp(self.nats / self.tokens)


class LanguageModel(Protocol):
    """What scores texts."""

    def surprise(self, text: str) -> Surprise | None:
        """Of one text; None where it holds no words."""
        ...


class _Level:
    """Counts of the n-grams of one length, by context."""

    def __init__(self, counts: Counter[tuple[int, ...]]):
        self.follow: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for ngram, count in counts.items():
            self.follow[ngram[:-1]][ngram[-1]] = count
        self.totals = {context: sum(counts.values()) for context, counts in self.follow.items()}
        once, twice = (sum(count == seen for count in counts.values()) for seen in (1, 2))
        # Ney, Essen and Kneser 1994; a text too small to have both gets a usual value
        self.discount = once / (once + 2 * twice) if once and twice else _FALLBACK_DISCOUNT


class NGram:
    """An n-gram model of words, interpolated Kneser-Ney (Kneser and Ney 1995; Chen and Goodman 1998, section 2.7).

    With c the count of an n-gram, at lower orders the number of different words before it:

        p(w | h) = max(c(h w) - D, 0) / c(h) + D N(h) / c(h) p(w | shorter h)

    where c(h) sums over w and N(h) counts the words seen after h; the shortest level falls back on equal shares of the
    vocabulary. A text starts with `order - 1` marks and ends with one that is predicted. The vocabulary is the words
    seen at least `min_count` times, the end mark, and `<unk>`, whose chances are those of all rarer words together:
    figures of models with different vocabularies do not compare, and neither do texts with very different shares of
    unknown words.

    Attributes:
        order: Length of its n-grams in words.
        vocabulary: Number of each word.
    """

    def __init__(self, order: int, words: list[str], counts: Counter[tuple[int, ...]]):
        self.order = order
        self.vocabulary = {word: number for number, word in enumerate(words, start=_FIRST_WORD)}
        self._counts = counts
        self._levels = [_Level(counts)]  # longest first
        for _ in range(order - 1):
            counts = Counter(ngram[1:] for ngram in counts)
            self._levels.append(_Level(counts))

    @staticmethod
    def train(sentences: Iterable[str], order: int = 3, min_count: int = 2) -> "NGram":
        """Count the n-grams of sentences; words are taken as for the word error rate.

        Args:
            sentences: Texts; each is a unit with a start and an end.
            order: Length of the n-grams, 1 to 5.
            min_count: Words seen fewer times count as unknown; 1 leaves `<unk>` almost without a chance.

        Raises:
            InputError: No words, or an order or count out of range.
        """
        if not 1 <= order <= 5:
            raise InputError(f"The order of an n-gram model lies between 1 and 5; it is {order}.")
        if min_count < 1:
            raise InputError(f"min_count must be at least 1; it is {min_count}.")
        texts = [words for words in map(spoken_words, sentences) if words]
        if not texts:
            raise InputError("The training text of the language model holds no words; give one sentence a line.")
        seen = Counter(word for words in texts for word in words)
        model = NGram(order, sorted(word for word, count in seen.items() if count >= min_count), Counter())
        counts = Counter(ngram for words in texts for ngram in model._ngrams(words))
        return NGram(order, list(model.vocabulary), counts)

    def _ngrams(self, words: list[str]) -> list[tuple[int, ...]]:
        numbers = [self.vocabulary.get(word, _UNKNOWN) for word in words]
        padded = [_BEGIN] * (self.order - 1) + numbers + [_END]
        return [tuple(padded[start : start + self.order]) for start in range(len(numbers) + 1)]

    def _chance(self, ngram: tuple[int, ...]) -> float:
        chance = 1 / (len(self.vocabulary) + 2)
        for level, length in zip(reversed(self._levels), range(self.order), strict=True):
            context, word = ngram[self.order - 1 - length : -1], ngram[-1]
            followers = level.follow.get(context)
            if followers is None:
                break  # a longer context has not been seen either
            total = level.totals[context]
            kept = max(followers.get(word, 0) - level.discount, 0.0)
            chance = (kept + level.discount * len(followers) * chance) / total
        return chance

    def probability(self, word: str | None, context: Iterable[str] = ()) -> float:
        """Chance of a word after the words from the start of a text.

        Args:
            word: As `spoken_words` writes it, else unknown; None for the end of the text.
            context: All words before it.
        """
        before = [_BEGIN] * (self.order - 1) + [self.vocabulary.get(w, _UNKNOWN) for w in context]
        number = _END if word is None else self.vocabulary.get(word, _UNKNOWN)
        return self._chance((*before[len(before) - self.order + 1 :], number))

    def surprise(self, text: str) -> Surprise | None:
        """Of one text, its end included; None where it holds no words."""
        words = spoken_words(text)
        if not words:
            return None
        nats = -math.fsum(math.log(self._chance(ngram)) for ngram in self._ngrams(words))
        return Surprise(nats, len(words) + 1, sum(word not in self.vocabulary for word in words))

    def perplexity(self, sentences: Iterable[str]) -> float:
        """Over all words and ends of sentences together; sentences without words are passed over.

        Raises:
            InputError: No sentence holds a word.
        """
        return total_surprise(self, sentences).perplexity

    def save(self, path: Path) -> None:
        """Write it as JSON.

        Raises:
            InputError: The file cannot be written.
        """
        ngrams = [[*ngram, count] for ngram, count in sorted(self._counts.items())]
        content = {"kind": "kneser-ney", "order": self.order, "words": list(self.vocabulary), "ngrams": ngrams}
        try:
            path.write_text(json.dumps(content), encoding="utf-8")
        except OSError as error:
            raise InputError(f"Cannot write {path}: {error.strerror or error}; choose another file.") from error

    @staticmethod
    def load(path: Path) -> "NGram":
        """Read what `save` has written.

        Raises:
            InputError: The file is missing or holds something else.
        """
        existing_file(path, "language model", "train one and save it, or give a text file")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            order, words = content["order"], content["words"]
            counts = Counter({tuple(ngram): count for *ngram, count in content["ngrams"]})
            if content["kind"] != "kneser-ney" or {len(ngram) for ngram in counts} != {order}:
                raise ValueError
            if not all(isinstance(word, str) for word in words) or min(counts.values()) < 1:
                raise ValueError
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is not a language model that NGram.save has written; train it again.") from error
        return NGram(order, words, counts)


def total_surprise(model: LanguageModel, texts: Iterable[str]) -> Surprise:
    """The sum over texts; those without words are passed over.

    Raises:
        InputError: No text holds a word.
    """
    found = [surprise for surprise in map(model.surprise, texts) if surprise]
    if not found:
        raise InputError(
            "No text holds a word, so there is no perplexity; give texts or clips in which words are said."
        )
    return sum(found[1:], found[0])


@lru_cache(maxsize=1)
def find_language_model(name: str | None, device: str = "cpu") -> LanguageModel:
    """The language model of a name, loaded or trained.

    Args:
        name: A text file with a sentence a line (a trigram model is trained on it), a JSON file by `NGram.save`, or
            `causal:MODEL` with a folder or a model of the Hub.
        device: Where a causal model runs.

    Raises:
        InputError: No name, no such file, a file of another kind, or a missing package.
    """
    if name is None:
        raise InputError(
            "The metric ppx needs --language-model: a text file with a sentence a line, a saved .json, or causal:MODEL."
        )
    if name.startswith("causal:"):
        from evaluation.metrics.causal import CausalModel

        return CausalModel(name.removeprefix("causal:"), device)
    path = Path(name)
    if path.suffix == ".json":
        return NGram.load(path)
    existing_file(path, "text", "give --language-model a text file with a sentence a line, a .json or causal:MODEL")
    try:
        return NGram.train(path.read_text(encoding="utf-8").splitlines())
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8; give --language-model a text file.") from error


class TranscriptPerplexity:
    """PPX of clips that are handed over one by one, on what the recogniser hears in them."""

    def __init__(self, language_model: LanguageModel, recogniser: Recogniser = transcribe):
        self._model, self._recogniser = language_model, recogniser
        self._found: dict[str, Surprise | None] = {}

    def add(self, clip: Clip) -> None:
        """Take a clip in."""
        self._found[Path(clip.item).name] = self._model.surprise(self._recogniser(clip))

    def rows(self) -> list[tuple[str, str, float]]:
        """Perplexity of each clip, and as `mean` that of all words together, as `(item, metric, value)`.

        Raises:
            InputError: No word was heard in any clip.
        """
        heard = {item: surprise for item, surprise in self._found.items() if surprise}
        if len(heard) < len(self._found):
            print(f"ppx leaves out {len(self._found) - len(heard)} clips without words", file=sys.stderr)
        if not heard:
            raise InputError("No word was heard in any clip, so there is no perplexity; give clips of speech.")
        total = sum(list(heard.values())[1:], next(iter(heard.values())))
        share = total.unknown / total.tokens
        if share > _MANY_UNKNOWN:  # all rare words are one word to the model, which is easy to foresee
            print(
                f"ppx is flattered: {share:.0%} of the words are outside the language model's vocabulary; "
                f"give --language-model a larger text",
                file=sys.stderr,
            )
        rows = [(item, "ppx", surprise.perplexity) for item, surprise in heard.items()]
        return [*rows, ("mean", "ppx", total.perplexity), ("mean", "unknown_words", share)]

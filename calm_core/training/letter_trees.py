"""Learning to read: align letters with phones, then grow one decision tree for each letter.

The alignment gives every letter no phone, one or two, so that the product of P(phones | letter) is greatest; the
probabilities and the alignments are found in turn (Viterbi training). The trees split by information gain.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from calm_core.text.letter_to_sound import APOSTROPHE, REACH, LetterToSound, symbols

Pair = tuple[str, tuple[str, ...]]  # a word and its phones
_UNSEEN = -18.0
_WINDOW = 2 * REACH
_QUESTIONS = 32  # symbols to ask for at each position


def _viterbi(word: str, phones: Sequence[str], scores: dict[str, dict[str, float]]) -> list[str] | None:
    """The best unit for each letter, or None where there are more than two phones to a letter."""
    letters, n = len(word), len(phones)
    best = [[-math.inf] * (n + 1) for _ in range(letters + 1)]
    taken = [[0] * (n + 1) for _ in range(letters + 1)]
    best[0][0] = 0.0
    for i, letter in enumerate(word):
        of_letter = scores[letter]
        for j in range(max(0, n - 2 * (letters - i)), min(n, 2 * i) + 1):
            here = best[i][j]
            if here == -math.inf:
                continue
            for width in range(min(2, n - j) + 1):
                score = here + of_letter.get(" ".join(phones[j : j + width]), _UNSEEN)
                if score > best[i + 1][j + width]:
                    best[i + 1][j + width] = score
                    taken[i + 1][j + width] = width
    if best[letters][n] == -math.inf:
        return None
    units, j = [], n
    for i in range(letters, 0, -1):
        width = taken[i][j]
        units.append(" ".join(phones[j - width : j]))
        j -= width
    return units[::-1]


def _first_scores(pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Log probabilities from phones that stand at about the same place in the word as the letter."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for word, phones in pairs:
        for i, letter in enumerate(word):
            middle = (i + 0.5) * len(phones) / len(word) - 0.5
            for j in {math.floor(middle), math.ceil(middle)}:
                if 0 <= j < len(phones):
                    counts[letter][phones[j]] += 1
            counts[letter][""] += 1
    return _to_scores(counts)


def _to_scores(counts: dict[str, Counter[str]]) -> dict[str, dict[str, float]]:
    return {
        letter: {unit: math.log(count / sum(units.values())) for unit, count in units.items()}
        for letter, units in counts.items()
    }


def align(pairs: Sequence[Pair], rounds: int = 4) -> list[tuple[str, list[str]]]:
    """Words with one unit (phones joined by spaces) for each letter; words that cannot be aligned are left out."""
    scores = _first_scores(pairs)
    for turn in range(rounds):
        last = turn == rounds - 1
        aligned, counts = [], defaultdict(Counter)
        for word, phones in pairs if last else pairs[:: max(1, len(pairs) // 30_000)]:
            units = _viterbi(word, phones, scores)
            if units is not None:
                aligned.append((word, units))
                for letter, unit in zip(word, units, strict=True):
                    counts[letter][unit] += 1
        if last:
            return aligned
        missing = {letter: table for letter, table in scores.items() if letter not in counts}
        scores = missing | _to_scores(counts)
    raise ValueError("rounds must be at least 1")


def _entropy_sum(counts: np.ndarray) -> np.ndarray:
    """Count times entropy (nats) over the last axis."""
    total = counts.sum(-1)
    inner = np.where(counts > 0, counts * np.log(np.maximum(counts, 1)), 0.0).sum(-1)
    return np.where(total > 0, total * np.log(np.maximum(total, 1)), 0.0) - inner


def _best_question(windows: np.ndarray, answers: np.ndarray, min_leaf: int) -> tuple[int, int] | None:
    """The (position, symbol) whose yes/no answer says most about `answers [n]`, given `windows [n, 8]`."""
    _, compact = np.unique(answers, return_inverse=True)
    classes = int(compact.max()) + 1
    if classes == 1:
        return None
    key = (np.arange(_WINDOW) * _QUESTIONS + windows) * classes + compact[:, None]
    yes = np.bincount(key.ravel(), minlength=_WINDOW * _QUESTIONS * classes).reshape(-1, classes)
    whole = np.bincount(compact, minlength=classes)
    no = whole - yes
    gain = _entropy_sum(whole) - _entropy_sum(yes) - _entropy_sum(no)
    allowed = (yes.sum(1) >= min_leaf) & (no.sum(1) >= min_leaf)
    gain[~allowed] = 0.0
    best = int(gain.argmax())
    return divmod(best, _QUESTIONS) if gain[best] > 1e-9 else None


def grow(
    aligned: Sequence[tuple[str, list[str]]], min_leaf: int = 1, min_node: int = 2
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Grow the trees.

    Args:
        aligned: What `align` gives.
        min_leaf: Fewest examples on either side of a question.
        min_node: Nodes with fewer examples are leaves.

    Returns:
        The arrays and the units that `LetterToSound` takes.
    """
    units = sorted({unit for _, word_units in aligned for unit in word_units})
    number = {unit: index for index, unit in enumerate(units)}
    windows: list[list[list[int]]] = [[] for _ in range(27)]
    answers: list[list[int]] = [[] for _ in range(27)]
    for word, word_units in aligned:
        around = symbols(word)
        for place, unit in enumerate(word_units, start=REACH):
            if around[place] != APOSTROPHE:
                windows[around[place]].append(around[place - REACH : place] + around[place + 1 : place + 1 + REACH])
                answers[around[place]].append(number[unit])
    question, answer, no, root = [], [], [], []

    def plant(x: np.ndarray, y: np.ndarray, first: int) -> None:
        """Append the tree of these examples, node by node, each node before its yes branch before its no branch."""
        node = len(question)
        question.append(0)
        answer.append(int(np.bincount(y).argmax()) if len(y) else number[""])
        no.append(0)
        found = _best_question(x, y, min_leaf) if len(y) >= min_node else None
        if found is not None:
            position, symbol = found
            says_yes = x[:, position] == symbol
            question[node] = position * _QUESTIONS + symbol
            plant(x[says_yes], y[says_yes], first)
            no[node] = len(question) - first
            plant(x[~says_yes], y[~says_yes], first)

    for letter in range(1, 27):
        root.append(len(question))
        x = np.array(windows[letter], dtype=np.int64).reshape(-1, _WINDOW)
        plant(x, np.array(answers[letter], dtype=np.int64), root[-1])
    return {
        "question": np.array(question, np.uint8),
        "answer": np.array(answer, np.uint8),
        "no": np.array(no, np.uint16),
        "root": np.array(root, np.uint32),
    }, units


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that turn `a` into `b` (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def error_rates(reader: LetterToSound, pairs: Sequence[Pair]) -> tuple[float, float]:
    """Phone error rate and share of wrong words of a reader."""
    distances = [edit_distance(reader.read(word), phones) for word, phones in pairs]
    return sum(distances) / sum(len(phones) for _, phones in pairs), sum(d > 0 for d in distances) / len(pairs)

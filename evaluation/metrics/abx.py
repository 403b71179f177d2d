"""ABX: whether features tell phones apart (Schatz et al. 2013), averaged as the ZeroSpeech challenges do.

A triple has tokens a and x of one phone and b of another, all between the same two neighbours; it is an error where x
is nearer to b than to a. Within speakers all three are by one speaker; across speakers a and b are by one and x by
another. Chance is one half.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.errors import InputError
from evaluation.metrics.warping import sequence_distances

GROUP_LIMIT = 10
"""Tokens of one phone, context and speaker that take part, as in ZeroSpeech; more are drawn from."""
SPEAKER_LIMIT = 5
"""Other speakers whose x each pair of a and b meets, as in ZeroSpeech; more are drawn from."""

_TIE = 1e-7  # rounding in the angle of two equal vectors is of this size, in units of pi


@dataclass(frozen=True)
class Token:
    """One occurrence of a phone.

    Attributes:
        features: `[T, D]`, of the phone alone or of the triphone around it.
        phone: What is told apart.
        previous: Phone before it.
        following: Phone after it.
        speaker: Who says it.
    """

    features: np.ndarray
    phone: str
    previous: str
    following: str
    speaker: str


@dataclass(frozen=True)
class AbxResult:
    """An ABX error rate and what it rests on.

    Attributes:
        error: 0 to 1, chance 0.5.
        triples: Triples that were compared.
        by_pair: The error of every ordered pair (a, b) of phones that has triples; `error` is their mean.
    """

    error: float
    triples: int
    by_pair: Mapping[tuple[str, str], float]


def _cell_error(to_a: np.ndarray, to_b: np.ndarray, same: bool) -> tuple[float, int]:
    """Share of errors and number of triples, from distances `[X, A]` and `[X, B]`; ties are half an error."""
    difference = to_a[:, :, None] - to_b[:, None, :]
    wrong = np.where(np.abs(difference) <= _TIE, 0.5, difference > 0)
    if same:  # x is never its own a
        apart = ~np.eye(len(to_a), dtype=bool)
        wrong = wrong[apart]
    return float(wrong.mean()), wrong.size


class _Context:
    """The tokens between one pair of neighbours, by phone and speaker; each block of distances is computed once."""

    def __init__(self, groups: dict[tuple[str, str], list[np.ndarray]]):
        self.groups = groups
        self.phones = sorted({phone for phone, _ in groups})
        self.speakers = sorted({speaker for _, speaker in groups})
        self._blocks: dict[tuple[tuple[str, str], tuple[str, str]], np.ndarray] = {}

    def distances(self, x: tuple[str, str], other: tuple[str, str]) -> np.ndarray:
        """Between the tokens of two groups, `[X, other]`."""
        if (x, other) not in self._blocks:
            self._blocks[x, other] = sequence_distances(self.groups[x], self.groups[other])
        return self._blocks[x, other]


def _contexts(tokens: Iterable[Token], limit: int | None, rng: np.random.Generator) -> list[_Context]:
    found: dict[tuple[str, str], dict[tuple[str, str], list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    width = None
    for token in tokens:
        features = np.asarray(token.features, dtype=np.float64)
        if features.ndim != 2 or not features.size or not np.isfinite(features).all():
            raise InputError(
                f"A token of {token.phone!r} by {token.speaker} has features of shape {list(features.shape)} or values "
                f"that are not finite; ABX needs [frames, dimensions] with at least one frame."
            )
        width = width or features.shape[1]
        if features.shape[1] != width:
            raise InputError(
                f"A token of {token.phone!r} by {token.speaker} has {features.shape[1]} dimensions and others {width}; "
                f"ABX needs features of one kind."
            )
        found[token.previous, token.following][token.phone, token.speaker].append(features)
    contexts = []
    for _, groups in sorted(found.items()):
        for key, sequences in sorted(groups.items()):
            if limit is not None and len(sequences) > limit:
                kept = np.sort(rng.choice(len(sequences), limit, replace=False))
                groups[key] = [sequences[place] for place in kept]
        contexts.append(_Context(dict(groups)))
    return contexts


def abx(
    tokens: Iterable[Token],
    across_speakers: bool,
    *,
    seed: int = 0,
    group_limit: int | None = GROUP_LIMIT,
    speaker_limit: int | None = SPEAKER_LIMIT,
) -> AbxResult:
    """ABX error with dynamic time warping over the angles between frames.

    Errors are averaged over contexts (and speakers of x), then over speakers of a and b, then over ordered pairs of
    phones, each time with equal weights.

    Args:
        tokens: In any order; with no limit reached, the order does not matter.
        across_speakers: Whether x is by another speaker than a and b.
        seed: Of the draws where a limit is reached.
        group_limit: See `GROUP_LIMIT`; None for all.
        speaker_limit: See `SPEAKER_LIMIT`; None for all.

    Raises:
        InputError: No triple can be made, or features without frames, of other widths, or not finite.
    """
    rng = np.random.default_rng(seed)
    cells: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    triples = 0
    for context in _contexts(tokens, group_limit, rng):
        for phone_a in context.phones:
            for phone_b in context.phones:
                for speaker in context.speakers:
                    a, b = (phone_a, speaker), (phone_b, speaker)
                    if phone_a == phone_b or a not in context.groups or b not in context.groups:
                        continue
                    for x in _partners(context, a, across_speakers, speaker_limit, rng):
                        error, size = _cell_error(context.distances(x, a), context.distances(x, b), same=x == a)
                        cells[phone_a, phone_b][speaker].append(error)
                        triples += size
    if not cells:
        who = "by one speaker, and the first also by another" if across_speakers else "by one speaker, the first twice"
        raise InputError(f"ABX finds no triple: it needs two phones between the same neighbours {who}.")
    pairs = {pair: _mean([_mean(errors) for errors in speakers.values()]) for pair, speakers in cells.items()}
    return AbxResult(_mean(list(pairs.values())), triples, pairs)


def _partners(
    context: _Context, a: tuple[str, str], across: bool, limit: int | None, rng: np.random.Generator
) -> Sequence[tuple[str, str]]:
    """The groups that x is taken from."""
    if not across:
        return [a] if len(context.groups[a]) > 1 else []
    phone, speaker = a
    others = [(phone, other) for other in context.speakers if other != speaker and (phone, other) in context.groups]
    if limit is not None and len(others) > limit:
        others = [others[place] for place in np.sort(rng.choice(len(others), limit, replace=False))]
    return others


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))

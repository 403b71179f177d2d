"""KLD: how differently a tagger hears two clips (MusicGen, Copet et al. 2023, section 4.1; as audiocraft counts it)."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from evaluation.clips import Clip
from evaluation.errors import InputError

Tagger = Callable[[Clip], Sequence[np.ndarray]]
"""Distributions over the classes of one or several independent questions, each `[K]` and of sum 1."""

_FLOOR = 1e-6  # added to the probabilities of the second distribution, as audiocraft does


def kl_divergence(first: ArrayLike, second: ArrayLike) -> float:
    """KL(first || second) = sum of p log(p / q), in nats, of two distributions `[K]`; q counts as q + 1e-6.

    The floor costs at most K millionths, so that a value can lie that little below 0.
    """
    p, q = np.asarray(first, dtype=float), np.asarray(second, dtype=float) + _FLOOR
    heard = p > 0
    return float((p[heard] * np.log(p[heard] / q[heard])).sum())


def _summed(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    return sum(kl_divergence(p, q) for p, q in zip(first, second, strict=True))


def kld(reference: Clip, degraded: Clip, tagger: Tagger) -> float:
    """KL(reference || degraded) in nats: what the judged clip lacks of its reference costs most. MusicGen's direction.

    Over several independent questions it is that of their joint distribution, which is the sum.
    """
    return _summed(tagger(reference), tagger(degraded))


def kld_reverse(reference: Clip, degraded: Clip, tagger: Tagger) -> float:
    """KL(degraded || reference) in nats: what the judged clip has and its reference lacks costs most."""
    return _summed(tagger(degraded), tagger(reference))


def find_tagger(name: str, attributes: Path | None = None, device: str = "cpu") -> Tagger:
    """The tagger of a name, loaded.

    Args:
        name: `attributes` for a classifier of attributes, or `pann:WEIGHTS` (see `weights.find_weights`).
        attributes: The classifier's file; the bundled one when None.
        device: Where its network runs.

    Raises:
        InputError: There is none of that name, or a package or file of it is missing.
    """
    if name != "attributes":
        return _load(name, None, device)
    from evaluation.metrics.attributes import classifier_path

    return _load(name, classifier_path(attributes), device)


@lru_cache(maxsize=2)
def _load(name: str, attributes: Path | None, device: str) -> Tagger:
    kind, _, source = name.partition(":")
    if attributes is not None:
        from evaluation.metrics.attributes import find_classifier

        return lru_cache(maxsize=8)(find_classifier(attributes, device).distributions)
    if kind == "pann" and source:
        from evaluation.metrics.panns import Cnn14

        return lru_cache(maxsize=8)(Cnn14(source, device))
    raise InputError(f"There is no tagger {name!r}; choose attributes or pann:FILE.safetensors.")

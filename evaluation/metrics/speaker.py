"""Whether clips are the same voice: resemblyzer's GE2E speaker encoder (Wan et al. 2018) on the CPU, or WavLM."""

import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.optional import require

Encoder = Callable[[Clip], np.ndarray]


@lru_cache(maxsize=1)
def _resemblyzer() -> tuple[Any, Any]:
    """Its encoder, and the function that cuts long silences."""
    with warnings.catch_warnings():  # of its dependencies about theirs: nothing that a user could mend
        warnings.simplefilter("ignore")
        package = require("resemblyzer", "The speaker model resemblyzer", "resemblyzer==0.1.4", "setuptools==80.9.0")
    return package.VoiceEncoder("cpu", verbose=False), package.preprocess_wav


def embedding(clip: Clip) -> np.ndarray:
    """The speaker embedding of a clip: float32 `[256]` of length 1. Long silences are cut first.

    Raises:
        InputError: Nothing but silence.
    """
    encoder, preprocess = _resemblyzer()
    samples = clip.at(16_000).astype(np.float32)
    spoken = preprocess(samples) if np.abs(samples).max() > 0 else samples[:0]
    if len(spoken) < 1600:
        raise InputError(f"No voice was found in {clip.item}; speaker similarity needs at least 0.1 s of speech.")
    return np.asarray(encoder.embed_utterance(spoken))


@lru_cache(maxsize=2)
def find_encoder(name: str, device: str = "cpu") -> Encoder:
    """The speaker encoder of a name, loaded: a clip in, an embedding `[D]` of length 1 out.

    Args:
        name: `resemblyzer`, or `wavlm:MODEL` with a folder or a model of the Hub.
        device: Where WavLM runs.

    Raises:
        InputError: There is none of that name, or a package or file of it is missing.
    """
    kind, _, source = name.partition(":")
    if name == "resemblyzer":
        _resemblyzer()
        return embedding
    if kind == "wavlm" and source:
        from evaluation.metrics.wavlm import WavLM

        return lru_cache(maxsize=8)(WavLM(source, device).embedding)
    raise InputError(f"There is no speaker model {name!r}; choose resemblyzer or wavlm:MODEL.")


def speaker_similarity(reference: Clip, degraded: Clip, encoder: Encoder = embedding) -> float:
    """Cosine of the two speakers' embeddings."""
    return float(encoder(reference) @ encoder(degraded))


def speaker_diversity(clips: Iterable[Clip], encoder: Encoder = embedding) -> float:
    """Mean cosine over all pairs of clips (CALM, appendix C and figure 2): the lower, the more varied the voices.

    Raises:
        InputError: Fewer than two clips, or a clip without a voice.
    """
    return mean_pair_cosine(np.array([encoder(clip) for clip in clips]))


def mean_pair_cosine(embeddings: np.ndarray) -> float:
    """Mean cosine of two different clips, of embeddings `[N, D]` of length 1.

    Raises:
        InputError: Fewer than two clips.
    """
    if len(embeddings) < 2:
        raise InputError(f"Speaker diversity compares pairs of clips; {len(embeddings)} given, at least 2 are needed.")
    return float(_weighted_cosines(embeddings, np.ones((1, len(embeddings))))[0])


def _weighted_cosines(embeddings: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean cosine where clip n counts `counts[r, n]` times and never meets itself, `[R]` for counts `[R, N]`."""
    vectors = embeddings.astype(float)
    sums = counts @ vectors
    own = counts**2
    together = (sums**2).sum(axis=1) - own @ (vectors**2).sum(axis=1)
    return together / (counts.sum(axis=1) ** 2 - own.sum(axis=1))


def diversity_interval(
    embeddings: np.ndarray, rng: np.random.Generator, level: float = 0.95, draws: int = 2000
) -> tuple[float, float]:
    """Percentile bootstrap interval of `mean_pair_cosine`: clips are drawn with replacement, not pairs.

    Args:
        embeddings: `[N, D]`, each of length 1.
        rng: Source of the draws.
        level: Coverage.
        draws: Number of resamples.

    Raises:
        InputError: Fewer than two clips.
    """
    mean_pair_cosine(embeddings)  # raises where there are too few
    drawn = rng.multinomial(len(embeddings), np.full(len(embeddings), 1 / len(embeddings)), size=draws)
    means = _weighted_cosines(embeddings, drawn[(drawn > 0).sum(axis=1) > 1].astype(float))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


class SpeakerDiversity:
    """Speaker diversity of clips that are handed over one by one."""

    def __init__(self, encoder: Encoder = embedding, seed: int = 0):
        self._encoder, self._seed = encoder, seed
        self._embeddings: list[np.ndarray] = []

    def add(self, clip: Clip) -> None:
        """Take a clip in; see the encoder for what is raised."""
        self._embeddings.append(self._encoder(clip))

    def rows(self) -> list[tuple[str, str, float]]:
        """Mean and 95 % interval as `(item, metric, value)`.

        Raises:
            InputError: Fewer than two clips.
        """
        vectors = np.array(self._embeddings)
        low, high = diversity_interval(vectors, np.random.default_rng(self._seed))
        figures = {"mean": mean_pair_cosine(vectors), "ci_low": low, "ci_high": high}
        return [(item, "speaker_diversity", value) for item, value in figures.items()]

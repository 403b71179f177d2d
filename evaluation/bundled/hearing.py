"""How music is heard: windows of embeddings for the Frechet distance, a direction for captions, tags for the KLD."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.clips import Clip
from evaluation.metrics.attributes import AttributeClassifier, find_classifier
from evaluation.metrics.embedders import TextEmbedder, find_embedder, mean_direction
from evaluation.metrics.tagging import find_tagger, kld

WINDOW_SHARE, HOP_SHARE = 1 / 4, 1 / 16
"""Windows of a CLAP for the Frechet distance, as shares of what it hears at once: 2.5 s every 0.625 s at 10 s. A clip
of 10 s is one window to it, and sets of clips would have fewer embeddings than those have dimensions."""
_HISS = 1e-5  # -100 dB, in place of digital silence, which a model may well make and CLAP refuses


class Ear:
    """An embedder and a tagger, loaded.

    Args:
        embedder: See `embedders.find_embedder`.
        tagger: See `tagging.find_tagger`; None to do without.
        attributes: File of the classifier of attributes; None to do without.
        device: Torch device.

    Raises:
        InputError: One of them cannot be had.
    """

    def __init__(self, embedder: str, tagger: str | None, attributes: Path | None, device: str = "cpu"):
        self._embedder = find_embedder(embedder, device)
        self._tagger = None if tagger is None else find_tagger(tagger, attributes, device)
        self.classifier: AttributeClassifier | None = None
        if attributes is not None:
            self.classifier = find_classifier(attributes, device)
            self._hears = find_embedder(self.classifier.embedder, device)

    def windows(self, clip: Clip) -> np.ndarray:
        """Embeddings `[W, E]` for the Frechet distance; see `WINDOW_SHARE`. Embedders with frames keep those."""
        clip = _audible(clip)
        whole = getattr(self._embedder, "window_seconds", None)
        if whole is None:
            return self._embedder(clip)
        size, hop = (round(share * whole * clip.sample_rate) for share in (WINDOW_SHARE, HOP_SHARE))
        begins = range(0, max(1, len(clip.samples) - size + 1), hop)
        parts = [Clip(clip.item, clip.samples[at : at + size], clip.sample_rate) for at in begins]
        return np.concatenate([self._embedder(_audible(part)) for part in parts])

    def direction(self, clip: Clip) -> np.ndarray | None:
        """The clip `[E]` of length 1 in the space of captions; None for an embedder that reads none."""
        return mean_direction(self._embedder(_audible(clip))) if isinstance(self._embedder, TextEmbedder) else None

    def read(self, captions: Sequence[str]) -> np.ndarray:
        """Captions `[N, E]` of length 1; only for embedders that read them."""
        assert isinstance(self._embedder, TextEmbedder)
        return self._embedder.embed_text(list(captions))

    def divergence(self, reference: Clip, clip: Clip) -> float | None:
        """KL(reference || clip) of tags, in nats; None without a tagger."""
        return None if self._tagger is None else kld(_audible(reference), _audible(clip), self._tagger)

    def vector(self, clip: Clip) -> np.ndarray | None:
        """The clip `[E]` as the classifier of attributes takes it; None without one."""
        return None if self.classifier is None else self._hears(_audible(clip)).mean(axis=0)


def _audible(clip: Clip) -> Clip:
    if clip.samples.any():
        return clip
    hiss = _HISS * np.random.default_rng(0).standard_normal(len(clip.samples))
    return Clip(clip.item, hiss, clip.sample_rate, clip.transcript)

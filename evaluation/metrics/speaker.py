"""Whether two clips are the same voice: resemblyzer's GE2E speaker encoder (Wan et al. 2018), on the CPU."""

import warnings
from functools import lru_cache

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError

with warnings.catch_warnings():  # of its dependencies about theirs: nothing that a user could mend
    warnings.simplefilter("ignore")
    from resemblyzer import VoiceEncoder, preprocess_wav


@lru_cache(maxsize=1)
def _encoder() -> VoiceEncoder:
    return VoiceEncoder("cpu", verbose=False)


def embedding(clip: Clip) -> np.ndarray:
    """The speaker embedding of a clip: float32 `[256]` of length 1. Long silences are cut first.

    Raises:
        InputError: Nothing but silence.
    """
    samples = clip.at(16_000).astype(np.float32)
    spoken = preprocess_wav(samples) if np.abs(samples).max() > 0 else samples[:0]
    if len(spoken) < 1600:
        raise InputError(f"No voice was found in {clip.item}; speaker similarity needs at least 0.1 s of speech.")
    return np.asarray(_encoder().embed_utterance(spoken))


def speaker_similarity(reference: Clip, degraded: Clip) -> float:
    """Cosine of the two speakers' embeddings."""
    return float(embedding(reference) @ embedding(degraded))

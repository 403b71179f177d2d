"""Long sounds as overlapping windows, whose embeddings are averaged."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

HOP_SECONDS = 5.0
# What is left behind the last window and shorter than this makes no window of its own.
_REST_SECONDS = 0.5


def window_count(seconds: float, window: float, hop: float = HOP_SECONDS) -> int:
    """How many windows a sound has: window w covers [w hop, w hop + window) seconds, a short sound has one.

    Args:
        seconds: of the sound.
        window: length of a window in seconds.
        hop: seconds from one window to the next.
    """
    return 1 + max(0, math.ceil((seconds - window - _REST_SECONDS) / hop))


def mean_direction(embeddings: Tensor) -> Tensor:
    """The normalised mean [E] of normalised embeddings [W, E]."""
    return F.normalize(embeddings.float().mean(0), dim=-1)

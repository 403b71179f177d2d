"""Long sounds as overlapping windows, whose embeddings are averaged."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

# What is left behind the last window and shorter than this share of a window makes no window of its own.
_REST = 0.05


def window_count(seconds: float, window: float) -> int:
    """How many windows a sound has. A window begins every half window; a short sound has one.

    Windows of 10 s: w covers seconds [5 w, 5 w + 10), the last one maybe less.

    Args:
        seconds: of the sound.
        window: length of a window in seconds.
    """
    return 1 + max(0, math.ceil((seconds / window - 1 - _REST) * 2))


def mean_direction(embeddings: Tensor) -> Tensor:
    """The normalised mean [E] of normalised embeddings [W, E]."""
    return F.normalize(embeddings.float().mean(0), dim=-1)

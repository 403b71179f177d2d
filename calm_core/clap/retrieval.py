"""How well captions find their sounds, and sounds their captions. Shapes: Q queries, G items of the gallery."""

from __future__ import annotations

import math

import torch
from torch import Tensor

AT = (1, 5, 10)


def wrong_ahead(cosines: Tensor, right: Tensor) -> Tensor:
    """How many wrong items [Q] a query ranks no lower than its best right one; 0 is a hit at 1.

    Args:
        cosines: [Q, G].
        right: boolean [Q, G], true where an item answers a query; each query has at least one.
    """
    best = cosines.masked_fill(~right, float("-inf")).amax(1, keepdim=True)
    return ((cosines >= best) & ~right).sum(1)


def chance(right: Tensor, at: int) -> float:
    """Mean probability that a random order of the gallery has a right item among the first `at`; right as above."""
    items = right.shape[1]

    def miss(count: int) -> float:
        return math.comb(items - count, at) / math.comb(items, at) if at <= items else 0.0

    return 1 - sum(miss(count) for count in right.sum(1).tolist()) / len(right)


def same_texts(texts: list[str]) -> Tensor:
    """Boolean [G, G], true where two sounds have the same caption."""
    number = {text: index for index, text in enumerate(dict.fromkeys(texts))}
    ids = torch.tensor([number[text] for text in texts])
    return ids[:, None] == ids

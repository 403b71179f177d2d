"""The head of MusicGen (Copet et al. 2023): all levels at once, each one frame later than the level before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from calm_core.heads.discrete import DiscreteHead, choose


def delay_codes(codes: Tensor, delays: Sequence[int], fill: int) -> Tensor:
    """Move level k of codes [B, T, K] back by delays[k] frames, to [B, T + max(delays), K].

    delays (0, 1, 2)    level 0    a b c              a b c . .
                        level 1    d e f      ->      . d e f .
                        level 2    g h i              . . g h i        `fill` where the dots are
    """
    rows, count, levels = codes.shape
    assert len(delays) == levels
    late = codes.new_full((rows, count + max(delays), levels), fill)
    for level, delay in enumerate(delays):
        late[:, delay : delay + count, level] = codes[:, :, level]
    return late


def undelay_codes(codes: Tensor, delays: Sequence[int]) -> Tensor:
    """The inverse of `delay_codes`: the frames of codes [B, S, K] that are complete, [B, S - max(delays), K]."""
    count = codes.shape[1] - max(delays)
    assert count >= 0 and len(delays) == codes.shape[2]
    return torch.stack([codes[:, delay : delay + count, level] for level, delay in enumerate(delays)], dim=-1)


class DelayHead(DiscreteHead):
    """One linear map a level. Levels drawn at one step are independent given z.

    What depends on an earlier level of the same frame is learned all the same: by the step that draws it, the backbone
    has heard that level. The price is K - 1 frames of latency.
    """

    kind: ClassVar[str] = "delay"

    def __init__(self, cond_dim: int, levels: int, codebook_size: int):
        super().__init__(cond_dim, levels, codebook_size)
        self.delays = tuple(range(levels))
        self.out = nn.Linear(
            cond_dim, levels * codebook_size, bias=False
        )  # the maps of all levels, one below the other

    def logits(self, z: Tensor, codes: Tensor) -> Tensor:
        """See the base; the codes are not looked at."""
        return self.out(z).unflatten(-1, (self.levels, self.codebook_size))

    def sample_from(self, z: Tensor, uniforms: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
        """See the base; the codes of level k belong to the frame delays[k] before."""
        logits = self.out(z).view(-1, self.codebook_size)
        return choose(logits, uniforms.flatten(), temperature, top_k).view_as(uniforms)

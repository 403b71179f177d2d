"""The short-context Transformer: what the last few frames were, without noise (CALM section 4.2).

    z_short of a position = T_short(its input and the K - 1 inputs before it)

A window of K inputs at every layer would let L layers see L (K - 1) + 1 of them, so the windows are shared out: layer
by layer they add up to exactly K, and the whole still streams with a cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from calm_core.config import ShortContextConfig
from calm_core.nn.transformer import Transformer
from calm_core.state import State, child


def windows(frames: int, layers: int) -> list[int]:
    """Window of each layer, so that together they reach `frames` inputs: [4, 3, 3, 3] for 10 frames, 4 layers."""
    share, rest = divmod(frames - 1, layers)
    return [1 + share + (index < rest) for index in range(layers)]


class ShortContext(nn.Module):
    """Clean frames in, z_short out.

    Args:
        config: sizes and the number of frames K.
        d_model: M, the backbone's width.
        z_dim: width of the condition that z_short is added to.
    """

    def __init__(self, config: ShortContextConfig, d_model: int, z_dim: int):
        super().__init__()
        self.layers = nn.ModuleList(
            Transformer(d_model, config.num_heads, 1, config.dim_feedforward, context=window)
            for window in windows(config.frames, config.num_layers)
        )
        self.out_norm = nn.LayerNorm(d_model, eps=1e-5)
        self.out = None if z_dim == d_model else nn.Linear(d_model, z_dim, bias=False)

    def init_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """The state before the first frame."""
        return {
            str(index): cast(Transformer, layer).init_state(batch_size, device=device)
            for index, layer in enumerate(self.layers)
        }

    def repeat(self, state: State, times: int) -> State:
        """A copy of `state` in which each row stands `times` times in succession."""
        return {
            str(index): cast(Transformer, layer).repeat(state[str(index)], times)
            for index, layer in enumerate(self.layers)
        }

    def forward(self, x: Tensor, state: State | Sequence[State] | None = None) -> Tensor:
        """z_short [B, S, Z] of embedded clean inputs x [B, S, M]."""
        for index, layer in enumerate(self.layers):
            x = layer(x, child(state, str(index)))
        x = self.out_norm(x)
        return x if self.out is None else self.out(x)

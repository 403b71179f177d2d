"""Causal self-attention with grouped heads; keys and values live in the caller's cache.

Shapes: B rows, T new steps, S steps visible, H query heads, G key/value heads, D head width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.nn.rope import Rotation, rotate

KeysValues = tuple[Tensor, Tensor]


def causal_mask(queries: int, keys: int, context: int | None, device: torch.device | None = None) -> Tensor:
    """Boolean [queries, keys], true where a query may look; the last key is the last query.

    causal_mask(2, 4, context=3)    keys 0 1 2 3
                          query 0 =      1 1 1 .
                          query 1 =      . 1 1 1
    """
    query = torch.arange(keys - queries, keys, device=device)[:, None]
    distance = query - torch.arange(keys, device=device)
    mask = distance >= 0
    return mask if context is None else mask & (distance < context)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Softmax attention of q [B, H, T, D] over k, v [B, G, S, D] -> [B, H, T, D].

    For one step without a mask, the query heads that share a key head are laid along time: the
    keys are then read once and never repeated.
    """
    heads, groups, steps = q.shape[1], k.shape[1], q.shape[2]
    if heads != groups:
        if steps == 1 and mask is None:
            stacked = q.reshape(q.shape[0], groups, heads // groups, q.shape[3])
            return F.scaled_dot_product_attention(stacked, k, v).reshape(q.shape)
        k = k.repeat_interleave(heads // groups, dim=1)
        v = v.repeat_interleave(heads // groups, dim=1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)


class Attention(nn.Module):
    """Fused query-key-value projection without biases, rotary positions, grouped heads.

    Args:
        d_model: width of input and output.
        num_heads: query heads H.
        num_kv_heads: key/value heads G, a divisor of H; H when None.
        attn_dim: width of all queries together; d_model when None.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        num_kv_heads: int | None = None,
        attn_dim: int | None = None,
    ):
        super().__init__()
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads or num_heads
        self.attn_dim = attn_dim or d_model
        assert self.attn_dim % num_heads == 0 and num_heads % self.num_kv_heads == 0
        self.head_dim = self.attn_dim // num_heads
        self.in_proj = nn.Linear(d_model, self.attn_dim + 2 * self.num_kv_heads * self.head_dim, bias=False)
        self.out_proj = nn.Linear(self.attn_dim, d_model, bias=False)

    def project(self, x: Tensor, turn: Rotation | None) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated q [B, T, H, D], rotated k [B, T, G, D] and v [B, T, G, D] of x [B, T, M]; None turns nothing."""
        heads = self.in_proj(x).unflatten(-1, (-1, self.head_dim))
        turned_heads = self.num_heads + self.num_kv_heads
        turned = heads[:, :, :turned_heads]
        if turn is not None:
            turned = rotate(turned, turn)
        return turned[:, :, : self.num_heads], turned[:, :, self.num_heads :], heads[:, :, turned_heads:]

    def forward(self, x: Tensor, turn: Rotation | None, mask: Tensor | None = None, causal: bool = True) -> Tensor:
        """Attention of x [B, T, M] over itself, without history."""
        q, k, v = (h.transpose(1, 2) for h in self.project(x, turn))
        y = attend(q, k, v, mask, causal)
        return self.out_proj(y.transpose(1, 2).flatten(-2))

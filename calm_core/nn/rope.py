"""Rotary position embedding over interleaved pairs (Su et al. 2021, RoFormer, eq. 34).

Channels 2i and 2i+1 of a head form a complex number that turns by position * period^(-2i/dim).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Rotation = tuple[Tensor, Tensor]


def rotation(start: int, length: int, dim: int, max_period: float, device: torch.device | None = None) -> Rotation:
    """Cosines and sines for positions start .. start + length - 1.

    Args:
        start: first position, in steps.
        length: number of positions T.
        dim: channels of a head, even.
        max_period: period of the slowest pair.
        device: where to make the tables.

    Returns:
        Two float32 tensors [T, 1, dim / 2].
    """
    pairs = torch.arange(dim // 2, device=device, dtype=torch.float32)
    frequencies = torch.exp(pairs * (-math.log(max_period) * 2 / dim))
    positions = torch.arange(start, start + length, device=device, dtype=torch.float32)
    angles = frequencies * positions.view(-1, 1, 1)
    return torch.cos(angles), torch.sin(angles)


def rotate(x: Tensor, turn: Rotation) -> Tensor:
    """Turn the pairs of x [B, T, H, dim]; computed in float32, returned in x's type."""
    cos, sin = turn
    real, imaginary = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack([real * cos - imaginary * sin, real * sin + imaginary * cos], dim=-1)
    return turned.flatten(-2).to(x.dtype)

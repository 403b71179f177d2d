"""Loss weights that are learned beside the network (Karras et al. 2024; Boffi et al. 2025)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AdaptiveWeight(nn.Module):
    """w(s, t): a small MLP whose last layer starts at zero, so all weights start equal."""

    def __init__(self, channels: int = 64):
        super().__init__()
        last = nn.Linear(channels, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.mlp = nn.Sequential(nn.Linear(4, channels), nn.SiLU(), last)

    def forward(self, s: Tensor, t: Tensor) -> Tensor:
        """Log weights [N, 1] of times s and t [N, 1]."""
        return self.mlp(torch.cat([s, t, t - s, s * t], dim=-1))

"""Conditional flow matching along straight lines (Lipman et al. 2023), Euler integration."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from calm_core.heads.base import Head
from calm_core.nn.draws import normal
from calm_core.types import Losses


class FlowMatchingHead(Head):
    """One time; needs sixteen Euler steps or more for clean audio."""

    kind: ClassVar[str] = "flow_matching"
    num_times: ClassVar[int] = 1
    default_steps: ClassVar[int] = 16

    def sample_from(self, z: Tensor, noise: Tensor, steps: int | None = None) -> Tensor:
        """Integrate dx/dt = F(t, x) from 0 to 1 in equal Euler steps."""
        count = steps or self.default_steps
        x = noise
        for flow in self.net.evaluations(z, [(i / count,) for i in range(count)]):
            x = x + flow(x) / count
        return x

    def _loss(self, z: Tensor, target: Tensor, generator: torch.Generator | None) -> Losses:
        noise = normal(tuple(target.shape), target, generator)
        t = torch.sigmoid(normal((target.shape[0], 1), target, generator))
        x_t = (1 - t) * noise + t * target
        flow = (self.net(z, (t,), x_t) - (target - noise)).square().mean()
        return Losses(flow, {"flow": flow.detach()})

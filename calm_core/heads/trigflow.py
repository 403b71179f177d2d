"""TrigFlow: flow matching on a circle (Lu and Song 2025), the N-step sampler of CALM's table 9.

Time convention of this file, in radians: x_t = cos(t) data + sin(t) noise, so t = 0 is data and t = pi / 2 is noise.
Latents have unit variance, so that every x_t has it too.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from calm_core.heads.base import Head
from calm_core.nn.draws import normal
from calm_core.types import Losses

NOISE = math.pi / 2


class TrigFlowHead(Head):
    """F(t, x) is the velocity dx/dt along the circle; clean audio takes tens of steps."""

    kind: ClassVar[str] = "trigflow"
    num_times: ClassVar[int] = 1
    default_steps: ClassVar[int] = 100
    # tan(t) is log-normal: most draws lie where the data is half hidden.
    time_mean: ClassVar[float] = -0.3
    time_std: ClassVar[float] = 1.5

    def sample_from(self, z: Tensor, noise: Tensor, steps: int | None = None) -> Tensor:
        """Turn back from noise to data in equal angles, x <- cos(a) x - sin(a) F(t, x)."""
        count = steps or self.default_steps
        angle = NOISE / count
        x = noise
        for velocity in self.net.evaluations(z, [(NOISE - i * angle,) for i in range(count)]):
            x = math.cos(angle) * x - math.sin(angle) * velocity(x)
        return x

    def _noised(self, target: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """Draw times t [N, 1]; the points x_t [N, D] and the velocities cos(t) noise - sin(t) data [N, D]."""
        tau = self.time_mean + self.time_std * normal((target.shape[0], 1), target, generator)
        t = torch.atan(torch.exp(tau))
        noise = normal(tuple(target.shape), target, generator)
        return t, torch.cos(t) * target + torch.sin(t) * noise, torch.cos(t) * noise - torch.sin(t) * target

    def _loss(self, z: Tensor, target: Tensor, generator: torch.Generator | None) -> Losses:
        t, x_t, velocity = self._noised(target, generator)
        flow = (self.net(z, (t,), x_t) - velocity).square().mean()
        return Losses(flow, {"flow": flow.detach()})

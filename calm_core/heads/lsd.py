"""Lagrangian self-distillation: a flow map that jumps from time s to time t in one evaluation.

Boffi et al. 2025; equations 4-6 in appendix A of CALM, here with noise at time 0 and data at 1:
X(s, t, x) = x + (t - s) F(s, t, x).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from calm_core.heads.base import Head
from calm_core.heads.weighting import AdaptiveWeight
from calm_core.nn.draws import normal, uniform
from calm_core.types import Losses


class LSDHead(Head):
    """Two times (from, to); one step is enough, more steps refine."""

    kind: ClassVar[str] = "lsd"
    num_times: ClassVar[int] = 2
    # Logit-normal times: with uniform ones the one-step jump never becomes sharp (Kyutai).
    time_mean: ClassVar[float] = 0.4
    time_std: ClassVar[float] = 1.0
    diagonal_weight: ClassVar[float] = 0.75
    off_diagonal_weight: ClassVar[float] = 0.25
    # The tangent term costs several evaluations, so it is computed on this share of the calls.
    off_diagonal_probability: ClassVar[float] = 0.25

    def __init__(self, latent_dim: int, cond_dim: int, channels: int, depth: int):
        super().__init__(latent_dim, cond_dim, channels, depth)
        self.weight = AdaptiveWeight()

    def drop_training_parts(self) -> None:
        """Forget the loss weighting."""
        del self.weight

    def sample_from(self, z: Tensor, noise: Tensor, steps: int | None = None) -> Tensor:
        """Jump from 0 to 1 in equal steps, x <- X(i / n, (i + 1) / n, x)."""
        count = steps or self.default_steps
        x = noise
        for flow in self.net.evaluations(z, [(i / count, (i + 1) / count) for i in range(count)]):
            x = x + flow(x) / count
        return x

    def _times(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        gaussian = normal((like.shape[0], 1), like, generator)
        return torch.sigmoid(self.time_mean + self.time_std * gaussian)

    def _weighted(self, squared: Tensor, s: Tensor, t: Tensor) -> Tensor:
        w = self.weight(s, t).squeeze(-1)
        return (torch.exp(w) * squared - w).mean()

    def _loss(self, z: Tensor, target: Tensor, generator: torch.Generator | None) -> Losses:
        noise = normal(tuple(target.shape), target, generator)
        t = self._times(target, generator)
        x_t = (1 - t) * noise + t * target
        diagonal = (self.net(z, (t, t), x_t) - (target - noise)).square().mean(-1)  # eq. 5
        total = self.diagonal_weight * self._weighted(diagonal, t, t)
        parts = {"flow": diagonal.mean().detach()}
        if float(uniform((1,), target.cpu(), generator)) < self.off_diagonal_probability:
            # Autocast would also truncate the tangents, silently.
            with torch.autocast(target.device.type, enabled=False):
                off, s, t = self._off_diagonal(z, target, noise, generator)
            total = total + self.off_diagonal_weight * self._weighted(off, s, t)
            parts["lsd"] = off.mean().detach()
        return Losses(total, parts)

    def _off_diagonal(
        self, z: Tensor, target: Tensor, noise: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Equation 6: d/dt X(s, t, x_s) must equal the flow at the point that X reaches."""
        first, second = self._times(target, generator), self._times(target, generator)
        s, t = torch.minimum(first, second), torch.maximum(first, second)
        x_s = (1 - s) * noise + s * target
        # The condition and the first time are constant along the tangent. `forward`: a compiled call takes no tangents.
        tangent = torch.func.jvp(lambda to: self.net.forward(z, (s, to), x_s), (t,), (torch.ones_like(t),))
        value, slope = tangent[0], tangent[1]
        with torch.no_grad():
            reached = x_s + (t - s) * value
            flow = self.net.forward(z, (t, t), reached)
        residual = value + (t - s) * slope - flow
        return residual.square().mean(-1), s, t

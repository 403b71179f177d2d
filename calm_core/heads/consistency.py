"""Continuous-time consistency: one evaluation from any point of the circle to the data.

CALM equations 1 and 3, after Lu and Song (2025): f(x, t) = cos(t) x - sin(t) F(t, x), which leaves data alone,
f(x, 0) = x. Times as in `trigflow`.
"""

from __future__ import annotations

import copy
import math
from typing import ClassVar

import torch
from torch import Tensor

from calm_core.heads.trigflow import NOISE, TrigFlowHead
from calm_core.heads.weighting import AdaptiveWeight
from calm_core.nn.adaln_mlp import AdaLNMLP
from calm_core.types import Losses


class ConsistencyHead(TrigFlowHead):
    """One step is enough; more steps hide the answer again under fresh noise and answer anew."""

    kind: ClassVar[str] = "consistency"
    default_steps: ClassVar[int] = 1
    fresh_noise: ClassVar[bool] = True
    # Keeps a vanishing tangent from being blown up to length 1.
    tangent_floor: ClassVar[float] = 0.1
    # The consistency term comes in over this many steps, or the first half of a shorter training.
    warmup_steps: ClassVar[int] = 10_000

    def __init__(self, latent_dim: int, cond_dim: int, channels: int, depth: int):
        super().__init__(latent_dim, cond_dim, channels, depth)
        self.weight = AdaptiveWeight()
        self.share = 1.0
        self._teacher: list[AdaLNMLP] = []  # in a list, since its weights are none of this head's

    def drop_training_parts(self) -> None:
        """Forget the loss weighting and the teacher."""
        del self.weight
        self._teacher = []

    def learn_from_itself(self) -> None:
        """Keep the network as it is, TrigFlow's, as the teacher of all that follows (consistency distillation).

        Paths then have the velocities that it foresees instead of those of single draws, which vary far more.
        """
        self._teacher = [copy.deepcopy(self.net).requires_grad_(False).eval()]

    def at_step(self, step: int, steps: int) -> None:
        """Bring in the consistency term linearly; at first the loss is TrigFlow's velocity matching."""
        self.share = min(1.0, step / max(1, min(self.warmup_steps, steps // 2)))

    def answer(self, z: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """f(x, t): the data [N, D] that x [N, D] at times t [N, 1] belongs to."""
        return self._answer(x, t, self.net(z, (t,), x))

    @staticmethod
    def _answer(x: Tensor, t: Tensor, value: Tensor) -> Tensor:
        return torch.cos(t) * x - torch.sin(t) * value

    def sample_from(self, z: Tensor, noise: Tensor, steps: int | None = None) -> Tensor:
        """Answer from pure noise; then, at angles that fall in equal parts, hide the answer again and answer anew."""
        count = steps or self.default_steps
        fresh = noise.split(self.latent_dim, dim=-1)
        x = fresh[0]
        angles = [NOISE * (1 - i / count) for i in range(count)]
        for i, evaluate in enumerate(self.net.evaluations(z, [(t,) for t in angles])):
            t = angles[i]
            if i > 0:
                x = math.cos(t) * x + math.sin(t) * fresh[i]
            x = self._answer(x, x.new_full((1, 1), t), evaluate(x))
        return x

    def tangent(self, z: Tensor, x_t: Tensor, t: Tensor, velocity: Tensor, share: float = 1.0) -> Tensor:
        """cos(t) df/dt [N, D] along the path through x_t with the given velocity; no gradient passes.

        Args:
            z: [N, C].
            x_t: [N, D].
            t: [N, 1], radians.
            velocity: dx/dt [N, D].
            share: of the part that makes it consistency; 0 leaves velocity matching.
        """
        scale = torch.cos(t) * torch.sin(t)
        with torch.no_grad():
            # Scaled before it is pushed through, so that nothing grows near either end.
            # `forward`: a compiled call takes no tangents.
            pushed = torch.func.jvp(lambda x, at: self.net.forward(z, (at,), x), (x_t, t), (scale * velocity, scale))
            value, slope = pushed[0], pushed[1]
            return -(torch.cos(t) ** 2) * (value - velocity) - share * (scale * x_t + slope)

    def _loss(self, z: Tensor, target: Tensor, generator: torch.Generator | None) -> Losses:
        t, x_t, velocity = self._noised(target, generator)
        # Autocast would truncate the tangents, silently.
        with torch.autocast(target.device.type, enabled=False):
            if self._teacher:
                with torch.no_grad():
                    velocity = self._teacher[0].to(z.device)(z, (t,), x_t)
            tangent = self.tangent(z, x_t, t, velocity, self.share)
        length = tangent.square().mean(-1, keepdim=True).sqrt()
        tangent = tangent / (length + self.tangent_floor)
        value = self.net(z, (t,), x_t)
        squared = (value - value.detach() - tangent).square().mean(-1)
        w = self.weight(t, t).squeeze(-1)
        flow = (value.detach() - velocity).square().mean()
        total = (torch.exp(w) * squared - w).mean()
        return Losses(total, {"tangent": length.mean().detach(), "flow": flow})

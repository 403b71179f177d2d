"""The diffusion head of MAR (Li et al. 2024): CALM's closest ancestor and the last row of its ablation (table 5).

Denoising diffusion in 1,000 steps of the cosine schedule with learned variances (Nichol and Dhariwal 2021), sampled on
fewer steps of the same schedule. Step 0 is nearly data, step 999 nearly noise.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from calm_core.heads.base import Head
from calm_core.nn.draws import normal, uniform
from calm_core.types import Losses

_FARTHEST = 5.0  # deviations; no latent of unit variance lies farther out


class Schedule:
    """What follows from the share of data left, abar [T], after each of T steps.

    Attributes:
        abar: Product of 1 - beta up to a step, eq. 17 of Nichol and Dhariwal.
        beta: Variance that a step adds.
        floor: Log of the variance of the step before, given the data as well (eq. 10), finite at step 0.
        keep: Weight of the noisy point in the mean of the step before (eq. 11).
        draw: Weight of the data in it.
    """

    def __init__(self, abar: Tensor):
        before = torch.cat([abar.new_ones(1), abar[:-1]])
        self.abar = abar
        self.beta = 1 - abar / before
        posterior = self.beta * (1 - before) / (1 - abar)
        posterior[0] = posterior[1] if len(abar) > 1 else self.beta[0]
        self.floor = posterior.clamp(min=1e-20).log()
        self.keep = (1 - self.beta).sqrt() * (1 - before) / (1 - abar)
        self.draw = before.sqrt() * self.beta / (1 - abar)

    @classmethod
    def cosine(cls, steps: int, offset: float = 0.008) -> Schedule:
        """The cosine schedule, no step adding more than 0.999."""
        ends = torch.cos((torch.arange(steps + 1, dtype=torch.float64) / steps + offset) / (1 + offset) * math.pi / 2)
        share = ends.square() / ends[0].square()
        beta = (1 - share[1:] / share[:-1]).clamp(max=0.999)
        return cls(torch.cumprod(1 - beta, 0))

    def mean(self, x0: Tensor, x: Tensor, at: Tensor | int) -> Tensor:
        """Mean of the step before `at`, of points x [N, D] that come from data x0 [N, D]."""
        return self.draw[at].to(x) * x0 + self.keep[at].to(x) * x

    def log_variance(self, share: Tensor, at: Tensor | int) -> Tensor:
        """Between its bounds by share [N, D] in [0, 1], eq. 15."""
        return share * self.beta[at].log().to(share) + (1 - share) * self.floor[at].to(share)


class DiffusionHead(Head):
    """Predicts the noise and, for each number, where its variance lies between the bounds."""

    kind: ClassVar[str] = "diffusion"
    num_times: ClassVar[int] = 1
    outputs: ClassVar[int] = 2
    default_steps: ClassVar[int] = 100
    fresh_noise: ClassVar[bool] = True
    training_steps: ClassVar[int] = 1000
    schedule: ClassVar[Schedule] = Schedule.cosine(training_steps)

    def sample_from(self, z: Tensor, noise: Tensor, steps: int | None = None) -> Tensor:
        """Remove the noise in `steps` of the schedule's steps, evenly spaced, each with noise of its own."""
        count = steps or self.default_steps
        last = self.training_steps - 1
        used = torch.linspace(0, last, count).round().long() if count > 1 else torch.tensor([last])
        schedule = Schedule(self.schedule.abar[used])
        fresh = noise.split(self.latent_dim, dim=-1)
        x = fresh[0]
        at = [(float(step) / self.training_steps,) for step in used.flip(0)]
        for i, evaluate in zip(reversed(range(count)), self.net.evaluations(z, at), strict=True):
            estimate, share = self._split(evaluate(x))
            x = schedule.mean(_data(x, estimate, schedule.abar[i]), x, i)
            if i > 0:
                x = x + torch.exp(0.5 * schedule.log_variance(share, i)) * fresh[count - i]
        return x

    @staticmethod
    def _split(answer: Tensor) -> tuple[Tensor, Tensor]:
        estimate, share = answer.chunk(2, dim=-1)
        return estimate, (share + 1) / 2

    def _loss(self, z: Tensor, target: Tensor, generator: torch.Generator | None) -> Losses:
        rows = target.shape[0]
        at = (uniform((rows, 1), target, generator) * self.training_steps).long().clamp(max=self.training_steps - 1)
        noise = normal(tuple(target.shape), target, generator)
        at = at.cpu()
        abar = self.schedule.abar[at].to(target)
        x = abar.sqrt() * target + (1 - abar).sqrt() * noise
        estimate, share = self._split(self.net(z, ((at / self.training_steps).to(target),), x))
        flow = (estimate - noise).square().mean()
        # The variances learn from the bound; the estimate does not, it would be noisier for it (their section 3.1).
        believed = self.schedule.mean(_data(x, estimate.detach(), abar), x, at)
        true = self.schedule.mean(target, x, at)
        log_variance = self.schedule.log_variance(share, at)
        floor = self.schedule.floor[at].to(target)
        apart = (true - believed).square() * torch.exp(-log_variance)
        bound = 0.5 * (log_variance - floor + torch.exp(floor - log_variance) + apart - 1)
        first = 0.5 * (math.log(2 * math.pi) + log_variance + (target - believed).square() * torch.exp(-log_variance))
        bound = torch.where(at.to(target.device) == 0, first, bound).mean()
        return Losses(flow + bound, {"flow": flow.detach(), "bound": bound.detach()})


def _data(x: Tensor, noise: Tensor, abar: Tensor) -> Tensor:
    """The data behind points x [N, D] whose noise is known."""
    abar = abar.to(x)
    # where hardly any data is left, the least error of the noise would be thousandfold
    return ((x - (1 - abar).sqrt() * noise) / abar.sqrt()).clamp(-_FARTHEST, _FARTHEST)

"""One-step generators without time: `drifting` and `pointwise`.

Both are trained by kernel drift: for every frame the head draws several samples, each draw feels a
mean-shift pull towards the data and a push away from the other draws, and regresses to the place
where that drift would carry it. At equilibrium draws and data have the same distribution.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from calm_core.heads.base import Head
from calm_core.nn.draws import normal
from calm_core.types import Losses


def drift(draws: Tensor, data: Tensor, bandwidths: tuple[float, ...]) -> Tensor:
    """Kernel drift of draws [N, K, D] towards data [N, 1, D], averaged over bandwidths.

    Softmax of -distance / bandwidth over the one data point and the K - 1 other draws; the
    attraction weights the displacement to the data, the repulsion that to the other draws, and each
    is scaled by the other's mass, so that the field vanishes when both sides balance.
    """
    count, dim = draws.shape[1], draws.shape[2]
    to_data = torch.cdist(draws, data) / dim**0.5
    to_draws = torch.cdist(draws, draws) / dim**0.5
    itself = torch.eye(count, dtype=torch.bool, device=draws.device)
    total = torch.zeros_like(draws)
    for bandwidth in bandwidths:
        logits = torch.cat([-to_data / bandwidth, (-to_draws / bandwidth).masked_fill(itself, float("-inf"))], -1)
        # Balanced mass: the one data point counts as much as all other draws together.
        logits[..., 0] = logits[..., 0] + torch.log(logits.new_tensor(float(count - 1)))
        weights = logits.softmax(-1)
        pull, push = weights[..., :1], weights[..., 1:]
        attraction = pull * (data - draws)
        repulsion = push @ draws - push.sum(-1, keepdim=True) * draws
        total = total + push.sum(-1, keepdim=True) * attraction - pull * repulsion
    return total / len(bandwidths)


class DriftingHead(Head):
    """The sample is the network's answer to the noise itself, F(e)."""

    kind: ClassVar[str] = "drifting"
    num_times: ClassVar[int] = 0
    draws: ClassVar[int] = 64
    bandwidths: ClassVar[tuple[float, ...]] = (0.1, 0.3, 1.0)

    def sample_from(self, z: Tensor, noise: Tensor, steps: int | None = None) -> Tensor:
        """F(noise); `steps` has no meaning here and is ignored."""
        return self.net(z, (), noise)

    def _loss(self, z: Tensor, target: Tensor, generator: torch.Generator | None) -> Losses:
        rows, dim = target.shape
        noise = normal((rows * self.draws, dim), target, generator)
        draws = self.sample_from(z.repeat_interleave(self.draws, 0), noise)
        draws = draws.view(rows, self.draws, dim)
        with torch.no_grad():
            goal = draws + drift(draws, target[:, None], self.bandwidths)
            distance = torch.cdist(draws, target[:, None]).mean() / dim**0.5
        loss = (draws - goal).square().mean()
        return Losses(loss, {"drift": loss.detach(), "distance": distance})

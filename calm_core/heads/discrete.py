"""What the heads of discrete baselines offer: codes of K residual codebooks instead of a latent.

Shapes: N frames, C condition width, K levels (codebooks of one frame), V codes of a codebook.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.heads.base import Generators, draw_uniforms
from calm_core.types import Losses


def choose(logits: Tensor, uniforms: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    """Codes [N] drawn by inverse CDF, so that a row draws the same alone and in any batch.

    Args:
        logits: [N, V].
        uniforms: [N] in [0, 1).
        temperature: divides the logits; 0 takes the likeliest code.
        top_k: only the so many likeliest codes can be drawn; None for all.
    """
    if temperature == 0:
        return logits.argmax(-1)
    logits = logits.float()
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    # In float64 a uniform below 1 stays below the sum, and a code without mass is never met.
    reached = torch.softmax(logits / temperature, -1).double().cumsum(-1)
    return torch.searchsorted(reached, uniforms.double()[:, None] * reached[:, -1:], right=True).squeeze(-1)


class DiscreteHead(nn.Module):
    """Base of the discrete heads: `loss` trains, `sample` draws the codes of a frame.

    Args:
        cond_dim: C.
        levels: K.
        codebook_size: V.

    Attributes:
        delays: frames by which each level's code comes late (see `delay.delay_codes`).
    """

    kind: ClassVar[str]
    discrete: ClassVar[bool] = True

    def __init__(self, cond_dim: int, levels: int, codebook_size: int):
        super().__init__()
        self.cond_dim = cond_dim
        self.levels = levels
        self.codebook_size = codebook_size
        self.delays: tuple[int, ...] = (0,) * levels

    def loss(self, z: Tensor, target: Tensor, generator: torch.Generator | None = None) -> Losses:
        """Cross-entropy of the codes, in nats; the levels count equally, however many of their codes are judged.

        Args:
            z: conditions [N, C].
            target: codes [N, K]; an entry of -1 is not judged.
            generator: not asked; continuous heads draw noise here.

        Returns:
            The mean over levels; `code`, the same, and `accuracy`, the share of judged codes that are the likeliest.
        """
        logits = self.logits(z.float(), target).float()
        judged = target >= 0
        each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-1, reduction="none").view_as(
            judged
        )
        counts = judged.sum(0)
        total = (each.sum(0) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)
        right = (logits.detach().argmax(-1) == target).sum() / counts.sum().clamp(min=1)
        return Losses(total, {"code": total.detach(), "accuracy": right})

    def logits(self, z: Tensor, codes: Tensor) -> Tensor:
        """Logits [N, K, V] under conditions z [N, C], those of a level behind the true codes [N, K] of earlier ones."""
        raise NotImplementedError

    def drop_training_parts(self) -> None:
        """Forget what only `loss` needs: nothing."""

    def at_step(self, step: int, steps: int) -> None:
        """Told before each step of how many; nothing changes here."""

    def noise_width(self, steps: int | None = None) -> int:
        """How many uniform numbers one sample takes: K."""
        return self.levels

    def sample(
        self, z: Tensor, generator: Generators = None, temperature: float = 1.0, top_k: int | None = None
    ) -> Tensor:
        """Draw codes [N, K] for conditions z [N, C]; see `choose`."""
        uniforms = draw_uniforms(z.shape[0], self.noise_width(), generator, z.device)
        return self.sample_from(z, uniforms, temperature, top_k)

    def sample_from(self, z: Tensor, uniforms: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
        """Codes [N, K] that the uniforms [N, K] lead to under conditions z [N, C]; see `choose`."""
        raise NotImplementedError

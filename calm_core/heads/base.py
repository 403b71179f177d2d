"""What every sampler head offers, and the noise it starts from.

Time convention of this package: t = 0 is noise, t = 1 is data, x_t = (1 - t) noise + t data.
Shapes: N frames (rows times time times the caller's head batch multiplier), C condition width,
D latent width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from calm_core.nn.adaln_mlp import AdaLNMLP
from calm_core.types import Losses

Generators = torch.Generator | Sequence[torch.Generator] | None


def draw_noise(
    rows: int,
    dim: int,
    generator: Generators,
    temperature: float = 1.0,
    clamp: float | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Gaussian noise [rows, dim] of variance `temperature`, truncated to [-clamp, clamp].

    With one generator per row, a row draws the same numbers alone and in any batch.
    """
    if isinstance(generator, Sequence):
        assert len(generator) == rows
        each = [draw_noise(1, dim, g, temperature, clamp) for g in generator]
        return torch.cat(each).to(device)
    where = generator.device if generator is not None else None
    noise = torch.empty(rows, dim, device=where)
    deviation = temperature**0.5
    if clamp is None:
        noise.normal_(0.0, deviation, generator=generator)
    elif deviation == 0:
        noise.zero_()
    else:
        nn.init.trunc_normal_(noise, 0.0, deviation, -clamp, clamp, generator=generator)
    return noise.to(device)


def draw_uniforms(rows: int, width: int, generator: Generators, device: torch.device | None = None) -> Tensor:
    """Uniform numbers [rows, width] in [0, 1), float32; generators as for `draw_noise`."""
    if isinstance(generator, Sequence):
        assert len(generator) == rows
        return torch.cat([draw_uniforms(1, width, g) for g in generator]).to(device)
    where = generator.device if generator is not None else None
    return torch.rand(rows, width, generator=generator, device=where).to(device)


class Head(nn.Module):
    """Base of all heads: `loss` trains the network, `sample` turns noise into a latent.

    Args:
        latent_dim: D.
        cond_dim: C.
        channels: width of the residual blocks.
        depth: number of residual blocks.
    """

    kind: ClassVar[str]
    discrete: ClassVar[bool] = False  # whether it draws codes instead of latents
    num_times: ClassVar[int]
    outputs: ClassVar[int] = 1  # numbers that the network gives for each of the latent's
    default_steps: ClassVar[int] = 1
    fresh_noise: ClassVar[bool] = False  # whether every step of `sample_from` takes noise of its own

    def __init__(self, latent_dim: int, cond_dim: int, channels: int, depth: int):
        super().__init__()
        self.latent_dim = latent_dim
        self.cond_dim = cond_dim
        self.net = AdaLNMLP(latent_dim, channels, cond_dim, depth, self.num_times, self.outputs * latent_dim)

    def loss(self, z: Tensor, target: Tensor, generator: torch.Generator | None = None) -> Losses:
        """Training loss of conditions z [N, C] against normalised latents target [N, D].

        The caller repeats both for a head batch multiplier. Inside autocast the matrix products of
        plain evaluations are reduced; embeddings of times and tangents stay in float32.
        """
        return self._loss(z.float(), target.float(), generator)

    def drop_training_parts(self) -> None:
        """Forget what only `loss` needs."""

    def at_step(self, step: int, steps: int) -> None:
        """Told before each step of how many; heads whose loss changes during training listen."""

    def noise_width(self, steps: int | None = None) -> int:
        """How many Gaussian numbers one sample takes: D, or D for every step."""
        return self.latent_dim * ((steps or self.default_steps) if self.fresh_noise else 1)

    def sample(
        self,
        z: Tensor,
        generator: Generators = None,
        temperature: float = 1.0,
        steps: int | None = None,
        noise_clamp: float | None = None,
    ) -> Tensor:
        """Draw latents [N, D] for conditions z [N, C]."""
        noise = draw_noise(z.shape[0], self.noise_width(steps), generator, temperature, noise_clamp, z.device)
        return self.sample_from(z, noise, steps)

    def sample_from(self, z: Tensor, noise: Tensor, steps: int | None = None) -> Tensor:
        """Latents [N, D] that the noise [N, `noise_width(steps)`] leads to under conditions z [N, C]."""
        raise NotImplementedError

    def _loss(self, z: Tensor, target: Tensor, generator: torch.Generator | None) -> Losses:
        raise NotImplementedError

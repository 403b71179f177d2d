"""The sampler network: residual MLP blocks modulated by a condition and by flow times.

Layer by layer as in the released Pocket TTS heads; the design comes from the diffusion loss of
MAR (Li et al. 2024) and DiT (Peebles and Xie 2023). Only elementwise operations and matrix products
appear, so `torch.func.jvp` can push tangents through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from calm_core.nn.packed import MAX_ROWS


class VarianceNorm(nn.Module):
    """Divides by the unbiased, centred deviation without centring the output itself.

    Released checkpoints call it RMSNorm; a true root mean square would not reproduce them.
    """

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of x."""
        return x * (self.alpha * torch.rsqrt(self.eps + x.var(dim=-1, keepdim=True)))


class TimeEmbedding(nn.Module):
    """Cosines, then sines, of raw times in [0, 1], through a two-layer MLP and `VarianceNorm`."""

    freqs: Tensor

    def __init__(self, channels: int, features: int = 256, max_period: float = 10_000.0):
        super().__init__()
        half = features // 2
        self.register_buffer("freqs", torch.exp(-math.log(max_period) * torch.arange(half) / half))
        self.mlp = nn.Sequential(
            nn.Linear(features, channels),
            nn.SiLU(),
            nn.Linear(channels, channels),
            VarianceNorm(channels),
        )

    def forward(self, t: Tensor) -> Tensor:
        """Embed times t [N, 1] -> [N, channels]."""
        with torch.autocast(t.device.type, enabled=False):  # half precision cannot tell near times
            angles = t.to(torch.promote_types(t.dtype, torch.float32)) * self.freqs
            return self.mlp(torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1))


class AdaLNBlock(nn.Module):
    """x + gate * MLP(LayerNorm(x) * (1 + scale) + shift); the three come from the condition."""

    def __init__(self, channels: int):
        super().__init__()
        self.in_ln = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, channels))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(channels, 3 * channels))

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Update x [N, C] under `adaLN_modulation` [N, 3 C] of a condition."""
        shift, scale, gate = modulation.chunk(3, dim=-1)
        return x + gate * self.mlp(self.in_ln(x) * (1 + scale) + shift)


class AdaLNOutput(nn.Module):
    """Modulated, non-affine LayerNorm and the output projection."""

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.norm_final = nn.LayerNorm(channels, eps=1e-6, elementwise_affine=False)
        self.linear = nn.Linear(channels, out_channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(channels, 2 * channels))

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Project x [N, C] under `adaLN_modulation` [N, 2 C] of a condition -> [N, out_channels]."""
        shift, scale = modulation.chunk(2, dim=-1)
        return self.linear(self.norm_final(x) * (1 + scale) + shift)


class AdaLNMLP(nn.Module):
    """F(times..., x | z).

    Args:
        latent_dim: width D of x and of the output.
        channels: width C of the residual blocks.
        cond_dim: width of the condition z.
        depth: number of blocks.
        num_times: how many time arguments (two for LSD, one for flow matching, else none).
        out_dim: width of the output; D when None.
    """

    def __init__(
        self, latent_dim: int, channels: int, cond_dim: int, depth: int, num_times: int, out_dim: int | None = None
    ):
        super().__init__()
        self.num_times = num_times
        self.time_embed = nn.ModuleList(TimeEmbedding(channels) for _ in range(num_times))
        self.cond_embed = nn.Linear(cond_dim, channels)
        self.input_proj = nn.Linear(latent_dim, channels)
        self.res_blocks = nn.ModuleList(AdaLNBlock(channels) for _ in range(depth))
        self.final_layer = AdaLNOutput(channels, out_dim or latent_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier everywhere; time linears N(0, 0.02); modulation and output start at zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for embedding in self.time_embed:
            for layer in embedding.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.normal_(layer.weight, std=0.02)
        for block in [*self.res_blocks, self.final_layer]:
            nn.init.zeros_(block.adaLN_modulation[-1].weight)
            nn.init.zeros_(block.adaLN_modulation[-1].bias)
        nn.init.zeros_(self.final_layer.linear.weight)

    def forward(self, z: Tensor, times: Sequence[Tensor], x: Tensor) -> Tensor:
        """Evaluate at x [N, D] for times [N, 1] and condition z [N, M] -> [N, out_dim]."""
        y = self.cond_embed(z)
        if times:
            y = y + self._embedded(times)
        return self._evaluate(self._modulations(y), x)

    def evaluations(self, z: Tensor, times: Sequence[Sequence[float]]) -> Iterator[Callable[[Tensor], Tensor]]:
        """F under the condition z [N, M] at one time after the other, each as a function of x [N, D].

        For samplers, which know their times before they walk: three of five weights of a block only modulate, without
        looking at x, so several steps share one reading of them. Their rows together are at most `MAX_ROWS`, so that
        a row's bits do not depend on those beside it.
        """
        rows, condition = z.shape[0], self.cond_embed(z)
        at_once = max(1, MAX_ROWS // rows)
        for first in range(0, len(times), at_once):
            some = torch.tensor(times[first : first + at_once], dtype=z.dtype, device=z.device)
            y = condition + self._embedded(some[..., None].unbind(1))[:, None]  # [steps, N, C]
            shared = [each.unflatten(0, (-1, rows)) for each in self._modulations(y.flatten(0, 1))]
            for modulations in zip(*shared, strict=True):
                yield partial(self._evaluate, modulations)

    def _embedded(self, times: Sequence[Tensor]) -> Tensor:
        """The mean [N, C] of the embedded times [N, 1]."""
        assert len(times) == self.num_times
        total, *others = [e(t) for e, t in zip(self.time_embed, times, strict=True)]
        for other in others:
            total = total + other
        return total / self.num_times

    def _modulations(self, y: Tensor) -> list[Tensor]:
        layers = cast(list[AdaLNBlock | AdaLNOutput], [*self.res_blocks, self.final_layer])
        return [layer.adaLN_modulation(y) for layer in layers]

    def _evaluate(self, modulations: Sequence[Tensor], x: Tensor) -> Tensor:
        x = self.input_proj(x)
        for block, modulation in zip(self.res_blocks, modulations, strict=False):
            x = block(x, modulation)
        answer = self.final_layer(x, modulations[-1])
        return answer.to(torch.promote_types(answer.dtype, torch.float32))  # autocast hands out half precision

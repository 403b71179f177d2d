"""The sampler network: residual MLP blocks modulated by a condition and by flow times.

Layer by layer as in the released Pocket TTS heads; the design comes from the diffusion loss of
MAR (Li et al. 2024) and DiT (Peebles and Xie 2023). Only elementwise operations and matrix products
appear, so `torch.func.jvp` can push tangents through it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


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

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Update x [N, C] under the condition y [N, C]."""
        shift, scale, gate = self.adaLN_modulation(y).chunk(3, dim=-1)
        return x + gate * self.mlp(self.in_ln(x) * (1 + scale) + shift)


class AdaLNOutput(nn.Module):
    """Modulated, non-affine LayerNorm and the output projection."""

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.norm_final = nn.LayerNorm(channels, eps=1e-6, elementwise_affine=False)
        self.linear = nn.Linear(channels, out_channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(channels, 2 * channels))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Project x [N, C] under the condition y [N, C] -> [N, out_channels]."""
        shift, scale = self.adaLN_modulation(y).chunk(2, dim=-1)
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

    def condition(self, z: Tensor, times: Sequence[Tensor]) -> Tensor:
        """Sum of the embedded condition z [N, M] and the mean of the embedded times [N, 1]."""
        assert len(times) == self.num_times
        y = self.cond_embed(z)
        if times:
            embedded = [e(t) for e, t in zip(self.time_embed, times, strict=True)]
            y = y + sum(embedded[1:], embedded[0]) / self.num_times
        return y

    def forward(self, z: Tensor, times: Sequence[Tensor], x: Tensor) -> Tensor:
        """Evaluate at x [N, D] for times [N, 1] and condition z [N, M] -> [N, out_dim]."""
        y = self.condition(z, times)
        x = self.input_proj(x)
        for block in self.res_blocks:
            x = block(x, y)
        answer = self.final_layer(x, y)
        return answer.to(torch.promote_types(answer.dtype, torch.float32))  # autocast hands out half precision

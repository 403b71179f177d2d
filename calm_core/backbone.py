"""The causal Transformer over latent frames, its input and output maps and the end-of-speech logit.

    row = [voice prefix | text prefix | start, x_0, x_1, ...]    position of x_t predicts x_{t+1}

Shapes: B rows, S positions, D latent width, M model width, Z condition width of the head.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from calm_core.config import BackboneConfig
from calm_core.nn.transformer import Transformer, build_norm
from calm_core.state import State


def guide(z: Tensor, z_null: Tensor, cfg: float | Tensor) -> Tensor:
    """Latent guidance Z0 + a (Zc - Z0) of conditions [..., Z] (CALM section 4.6); a = 1 leaves z as it is."""
    return z_null + cfg * (z - z_null)


class Backbone(nn.Module):
    """Latents in, conditions z and end logits out (CALM section 3.2, long-context Transformer).

    Args:
        config: sizes.
        latent_dim: D; None for a caller that embeds what is heard by itself.
        ends: whether there is an end-of-speech logit.
    """

    def __init__(self, config: BackboneConfig, latent_dim: int | None, ends: bool = True):
        super().__init__()
        width = config.d_model
        self.config = config
        self.d_model = width
        self.z_dim = config.z_dim or width
        if latent_dim is not None:
            self.bos_emb = nn.Parameter(torch.randn(latent_dim))
            self.input_linear = nn.Linear(latent_dim, width, bias=False)
        self.transformer = Transformer(
            width,
            config.num_heads,
            config.num_layers,
            config.dim_feedforward,
            max_period=config.max_period,
            attn_dim=config.attn_dim,
            num_kv_heads=config.num_kv_heads,
            norm=config.norm,
            gating=config.gating,
            norm_eps=config.norm_eps,
        )
        self.out_norm = build_norm(config.norm, width, config.norm_eps)
        self.z_proj = None if config.z_dim is None else nn.Linear(width, self.z_dim, bias=False)
        if ends:
            self.out_eos = nn.Linear(self.z_dim, 1)

    def start(self, rows: int) -> Tensor:
        """The learned latent [rows, D] that stands before the first frame."""
        return self.bos_emb.expand(rows, -1)

    def shift(self, latents: Tensor) -> Tensor:
        """What the positions hear: latents [B, T, D] one place later, behind `start`."""
        return torch.cat([self.start(latents.shape[0])[:, None], latents[:, :-1]], dim=1)

    def embed(self, heard: Tensor, frames: Tensor | None = None) -> Tensor:
        """Inputs [..., M] of normalised latents [..., D] plus the conditions of their frames.

        Args:
            heard: what each position hears; position 0 is `start`.
            frames: [..., M], condition of the frame that each position predicts, or None.
        """
        x = self.input_linear(heard)
        return x if frames is None else x + frames

    def forward(self, heard: Tensor, frames: Tensor | None = None) -> Tensor:
        """Conditions z [B, T, Z] for whole rows without prefix; arguments as for `embed`."""
        return self.condition(self.features(self.embed(heard, frames)))

    def features(self, x: Tensor, state: State | Sequence[State] | None = None) -> Tensor:
        """Features [B, S, M] after the final norm for inputs x [B, S, M]."""
        return self.out_norm(self.transformer(x, state))

    def prompt(self, x: Tensor, state: State | Sequence[State]) -> None:
        """Let the state hear a prefix x [B, P, M] whose outputs nobody needs."""
        if x.shape[1]:
            self.transformer(x, state)

    def condition(self, features: Tensor) -> Tensor:
        """Conditions z [..., Z] in float32 of features [..., M]."""
        return (features if self.z_proj is None else self.z_proj(features)).float()

    def end_logits(self, z: Tensor) -> Tensor:
        """End-of-speech logits [...] of conditions z [..., Z]."""
        return self.out_eos(z).squeeze(-1)

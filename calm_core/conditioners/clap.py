"""CLAP: one embedding of a text or a sound before the first frame (CALM section 5.4; Elizalde et al. 2023).

Shapes: B rows, E width of the embedding, M backbone width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.audio import Audio
from calm_core.config import ClapPrefixConfig


class ClapEmbedder(Protocol):
    """What a loaded CLAP model offers.

    Attributes:
        width: E.
    """

    width: int

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Embeddings [B, E] of length 1."""
        ...

    def embed_audio(self, audio: Audio | Sequence[Audio]) -> Tensor:
        """Embeddings [B, E] of length 1, of sounds of any length and rate."""
        ...

    def notices(self, texts: Sequence[str]) -> list[str]:
        """What a user should know about texts that are embedded all the same: one sentence each, or nothing."""
        ...


class ClapPrefix(nn.Module):
    """Embeddings in, the step of the backbone that stands before all others out.

    Args:
        config: width of the embedding.
        d_model: M.
    """

    def __init__(self, config: ClapPrefixConfig, d_model: int):
        super().__init__()
        self.width = config.width
        self.linear = nn.Linear(config.width, d_model, bias=False)
        # What rows hear of which nothing is known; as large as an embedding that was mapped.
        self.null = nn.Parameter(torch.randn(d_model) / 3**0.5)

    def forward(self, embedding: Tensor | None, known: Tensor | None = None, rows: int = 1) -> Tensor:
        """The prefix [B, M].

        Args:
            embedding: [B, E] of length 1; None for rows of which nothing is known.
            known: booleans [B], false where the null vector stands in for the embedding; None where all are known.
            rows: B, where there is no embedding.
        """
        if embedding is None:
            return self.null.expand(rows, -1)
        # Numbers of unit size, as those of latents: of length 1 they would drown beside them.
        mapped = self.linear(embedding.float() * self.width**0.5)
        return mapped if known is None else torch.where(known[:, None].to(mapped.device), mapped, self.null)


def mix(first: Tensor, second: Tensor, weight: float) -> Tensor:
    """The direction [..., E] between two embeddings of length 1, `weight` being the first one's share."""
    return F.normalize(weight * first + (1 - weight) * second, dim=-1)

"""Random draws of training: on the generator's device, moved to where they are needed."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform draws on the generator's device, moved beside `like`, in float32."""
    where = generator.device if generator is not None else like.device
    return torch.rand(shape, generator=generator, device=where).to(like.device)


def normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal draws on the generator's device, moved beside `like`, in float32."""
    where = generator.device if generator is not None else like.device
    return torch.randn(shape, generator=generator, device=where).to(like.device)

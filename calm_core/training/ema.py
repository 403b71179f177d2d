"""Exponential moving average of a module's parameters."""

import copy

import torch
from torch import Tensor, nn

from calm_core.training.checkpoint import whole


class EMA:
    """Keeps `average`, a copy of a module whose parameters follow the original's slowly.

    Every process holds the whole average. Parameters that FSDP has cut over processes are gathered one at a time, so
    `update` is then a call that all processes must make.

    Args:
        module: The module that trains, before a distributed wrapper cuts it.
        decay: Weight of the past at each update; the first updates use less, so the start is forgotten
            (`min(decay, (1 + step) / (10 + step))`).
    """

    def __init__(self, module: nn.Module, decay: float):
        self.average = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move the average towards the module's current parameters; buffers are copied."""
        decay = min(self.decay, (1 + step) / (10 + step))
        ours: list[Tensor] = list(self.average.parameters())
        theirs = [parameter.detach() for parameter in module.parameters()]
        if any(hasattr(parameter, "full_tensor") for parameter in theirs):
            for mine, other in zip(ours, theirs, strict=True):
                mine.lerp_(whole(other), 1 - decay)
        else:
            torch._foreach_lerp_(ours, theirs, 1 - decay)
        for mine, other in zip(self.average.buffers(), module.buffers(), strict=True):
            mine.copy_(other)

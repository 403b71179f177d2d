"""Muon (Jordan et al. 2024): momentum whose singular values are brought to about one, for matrices.

torch has one too, which always multiplies in bfloat16 and matrix by matrix. Here matrices of one shape are a batch, and
a processor that would have to emulate bfloat16 works in float32: for the 50 matrices of `music_calm.yaml`, a step of
torch's took 8.7 s there, on two cores that others used too, and a step of this one 0.6 s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

# Of the odd polynomial a x + b x^3 + c x^5 that is applied to the singular values; Jordan et al. chose them for the
# steepest slope at zero that keeps five rounds near one.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_LEAST = 1e-7  # of the norm that a matrix is divided by


def working_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies in it, float32 where it would emulate."""
    native = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def orthogonalise(matrices: Tensor) -> Tensor:
    """Matrices [N, R, C] with the same singular vectors and singular values between about 0.7 and 1.2.

    Singular values far below the largest of their matrix stay below that. By Newton-Schulz iteration, in the dtype of
    the matrices; a matrix of zeros stays one.
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_LEAST)
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Steps of lr 0.2 sqrt(max(R, C)) in orthogonalised Nesterov momentum, with decoupled weight decay.

    With that factor the root mean square of a step is AdamW's (Liu et al. 2025). The state is that of
    `torch.optim.Muon`.

    Args:
        params: matrices [R, C], or groups of them.
        lr: learning rate, of groups that have none.
        momentum: share of the past.
        weight_decay: share of a weight that is lost at lr 1, of groups that have none.

    Raises:
        ValueError: A parameter is not a matrix.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.ndim != 2:
                    raise ValueError(f"Muon steps in matrices; a parameter has the shape {tuple(matrix.shape)}.")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step in every matrix that has a gradient; what `closure` returned, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[tuple[torch.Size, torch.device], list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape, matrix.device].append(matrix)
            for matrices in alike.values():
                self._step_alike(matrices, group)
        return loss

    def _step_alike(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        """The step in matrices of one shape."""
        momentum, lr = group["momentum"], group["lr"]
        moves = []
        for matrix in matrices:
            state = self.state[matrix]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(matrix)
            gradient: Tensor = matrix.grad  # pyright: ignore[reportAssignmentType]
            past = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
            moves.append(gradient.lerp(past, momentum))
        moves = orthogonalise(torch.stack(moves).to(working_dtype(matrices[0].device)))
        length = lr * 0.2 * max(matrices[0].shape) ** 0.5
        for matrix, move in zip(matrices, moves, strict=True):
            matrix.mul_(1 - lr * group["weight_decay"]).add_(move.to(matrix.dtype), alpha=-length)

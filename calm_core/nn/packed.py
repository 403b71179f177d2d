"""Matrix products with weights in the layout that the CPU's kernels read.

A plain `nn.Linear` keeps its weight row by row and its kernel rearranges it in every call, which for
one frame costs as much as the product. `pack` rearranges once and lets go of the original, so the
weights still exist once. Results differ from the plain layer in the order of additions only.

Kernels add in another order for one row than for several. A seed must give the same bits alone and in
company, so a single row is computed twice over: reading the weights, which is most of the work, is done once for both.
From 2 rows (4 in the plain kernel) to `MAX_ROWS` every row has the same bits at any number of rows, where
layers are a multiple of 32 wide (activation functions treat what is left of a vector differently); a test looks
at that on the machine it runs on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Rows that the layout is made for: a few streams at once. Any number of rows works.
_ROWS = 8
# A row's bits do not depend on how many there are up to here.
MAX_ROWS = 12
# Below this many weights the plain kernel is as fast.
_SMALLEST = 4096


def available() -> bool:
    """Whether this build of torch has the kernels."""
    mkldnn = getattr(torch.ops, "mkldnn", None)
    return torch.backends.mkldnn.is_available() and hasattr(mkldnn, "_linear_pointwise")


class PackedLinear(nn.Module):
    """x W^T + b with W [out, in] in the kernel's own layout; for inference on the CPU.

    Args:
        weight: [out, in].
        bias: [out] or None.
        dtype: of the weight and of the product; bfloat16 halves what has to be read from memory and
            rounds to three digits. Inputs and outputs are float32 in both cases.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self._dtype = dtype
        # A copy: where the layout happens to be the plain one, the kernel keeps the memory that it is given,
        # and with it the whole file that the weight was read from.
        plain = weight.detach().to(dtype, memory_format=torch.contiguous_format, copy=True)
        # Not a buffer: the opaque layout can be neither saved nor moved.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(plain, _ROWS)
        self.register_buffer("bias", None if bias is None else bias.detach().clone(), persistent=False)

    @property
    def weight_bytes(self) -> int:
        """Memory of the packed weight."""
        return self.out_features * self.in_features * self._dtype.itemsize

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., in] to [..., out]."""
        if x.numel() == self.in_features:
            return self(torch.cat([x.view(1, -1)] * 2))[0].view(*x.shape[:-1], -1)
        if self._dtype == torch.float32:
            return torch.ops.mkldnn._linear_pointwise(x, self._weight, self.bias, "none", [], "")
        y = torch.ops.mkldnn._linear_pointwise(x.to(self._dtype), self._weight, None, "none", [], "").float()
        return y if self.bias is None else y.add_(self.bias)


def linear(weight: Tensor, bias: Tensor | None = None, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A packed layer where that pays, else a plain one, for W [out, in]."""
    fits = weight.device.type == "cpu" and weight.dtype == torch.float32 and available()
    if fits and weight.numel() >= _SMALLEST:
        return PackedLinear(weight, bias, dtype)
    return FixedLinear(weight, bias)


class FixedLinear(nn.Module):
    """x W^T + b with weights that are given and stay."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None):
        super().__init__()
        self.register_buffer("weight", weight.detach().clone(), persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach().clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., in] to [..., out]."""
        rows = x.numel() // x.shape[-1]
        if rows >= 4:
            return F.linear(x, self.weight, self.bias)
        padded = F.pad(x.reshape(rows, -1), (0, 0, 0, 4 - rows))
        return F.linear(padded, self.weight, self.bias)[:rows].view(*x.shape[:-1], -1)


def pack(module: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Replace every `nn.Linear` inside `module`; afterwards it can neither train nor be saved.

    Args:
        module: on the CPU, in float32.
        dtype: see `PackedLinear`.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, linear(child.weight, child.bias, dtype))
        else:
            pack(child, dtype)


def own_memory(module: nn.Module) -> None:
    """Copy what is left of the weights, so that the file they were read from is no longer mapped."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            setattr(part, name, nn.Parameter(parameter.detach().clone(), requires_grad=False))
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, buffer.clone())


def packed_bytes(module: nn.Module) -> int:
    """Memory of all packed weights inside `module`."""
    return sum(m.weight_bytes for m in module.modules() if isinstance(m, PackedLinear))

"""Matrix products with weights in the layout that the CPU's kernels read.

A plain `nn.Linear` keeps its weight row by row and its kernel rearranges it in every call, which for
one frame costs as much as the product. `pack` rearranges once and lets go of the original, so the
weights still exist once. Results differ from the plain layer in the order of additions only.

One frame takes as long as its weights take to come from memory. Released weights have 16 bits, so they are kept in 16
bits and widened inside the product (`HalfLinear`): half the memory, more than twice the speed, and nothing is lost.
Weights that need 32 bits keep them (`PackedLinear`).

A seed must give the same bits alone and in company, so up to `MAX_ROWS` a row's bits may not depend on how many there
are. Kernels add in another order for a row or two than for several, and which do depends on the processor, so it is
measured once (`steady_rows`) and rows are added that nobody reads: reading the weights, which is most of the work, is
done once for all. This holds for layers that are a multiple of 32 wide (activation functions treat what is left of a
vector differently); a test looks at it on the machine it runs on.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Rows that the layout is made for: a few streams at once. Any number of rows works.
_ROWS = 8
# A row's bits do not depend on how many there are up to here.
MAX_ROWS = 12
# Width of the layers whose bits `steady_rows` looks at.
_PROBED = 128
# Below this many weights the plain kernel is as fast.
_SMALLEST = 4096
# No weight is brought above this, which is near the end of float16; the smallest ones then keep their digits.
_LARGEST = 2.0**15
# What a weight may change by, as a share of the largest one: less than float32 loses in one addition.
_LOSS = 2.0**-32


def available() -> bool:
    """Whether this build of torch has the kernels."""
    mkldnn = getattr(torch.ops, "mkldnn", None)
    return torch.backends.mkldnn.is_available() and hasattr(mkldnn, "_linear_pointwise")


def half_available() -> bool:
    """Whether this machine has products of float32 with 16-bit weights (x86 with AVX2)."""
    return torch.backends.quantized.engine in ("x86", "fbgemm")


def half_scale(weight: Tensor) -> float:
    """The power of two that brings W where float16 keeps most."""
    largest = weight.abs().max().item()
    if not 2.0**-100 < largest < 2.0**100:
        return 1.0
    return 2.0 ** math.floor(math.log2(_LARGEST / largest))


def fits_half(weight: Tensor) -> bool:
    """Whether W can be kept in float16 without loss, as weights can that come from 16 bits of either kind."""
    scale = half_scale(weight)
    change = (weight * scale).half().float().div_(scale).sub_(weight).abs_().max()
    return bool(change <= _LOSS * weight.abs().max())


class HalfLinear(nn.Module):
    """x W^T + b with W [out, in] kept in float16 and widened inside the product; for inference on the CPU.

    Products and sums are float32. Up to `MAX_ROWS` a row has the same bits whatever the number of rows and threads.

    Args:
        weight: [out, in], float32; rounded where it does not fit (`fits_half`).
        bias: [out] or None.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None):
        super().__init__()
        self.out_features, self.in_features = weight.shape
        scale = half_scale(weight)
        self._unscale = 1.0 / scale
        # Not a buffer: the opaque layout can be neither saved nor moved.
        self._weight = torch.ops.quantized.linear_prepack_fp16((weight * scale).half().float(), None)
        self.register_buffer("bias", None if bias is None else bias.detach().clone(), persistent=False)

    @property
    def weight_bytes(self) -> int:
        """Memory of the packed weight."""
        return self.out_features * self.in_features * 2

    def product(self, x: Tensor) -> Tensor:
        """The kernel's x W^T, scaled, of x [rows, in]."""
        return torch.ops.quantized.linear_dynamic_fp16(x, self._weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, ..., in] to [B, ..., out]."""
        y = _in_company(self, x)
        return y.mul_(self._unscale) if self.bias is None else torch.add(self.bias, y, alpha=self._unscale)


class PackedLinear(nn.Module):
    """x W^T + b with W [out, in] in the kernel's own layout; for inference on the CPU.

    Args:
        weight: [out, in], float32.
        bias: [out] or None.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None):
        super().__init__()
        self.out_features, self.in_features = weight.shape
        # A copy: where the layout happens to be the plain one, the kernel keeps the memory that it is given,
        # and with it the whole file that the weight was read from.
        plain = weight.detach().clone(memory_format=torch.contiguous_format)
        # Not a buffer: the opaque layout can be neither saved nor moved.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(plain, _ROWS)
        self.register_buffer("bias", None if bias is None else bias.detach().clone(), persistent=False)

    @property
    def weight_bytes(self) -> int:
        """Memory of the packed weight."""
        return self.out_features * self.in_features * 4

    def product(self, x: Tensor) -> Tensor:
        """The kernel's x W^T + b of x [rows, in]."""
        return torch.ops.mkldnn._linear_pointwise(x, self._weight, self.bias, "none", [], "")

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, ..., in] to [B, ..., out]."""
        return _in_company(self, x)


def _in_company(layer: HalfLinear | PackedLinear, x: Tensor) -> Tensor:
    """The layer's product of x [B, ..., in], among as many rows as make its bits steady."""
    rows = x.numel() // layer.in_features
    if not 0 < rows <= MAX_ROWS or (least := steady_rows(type(layer))[rows]) == rows:
        return layer.product(x)
    together = F.pad(x.reshape(rows, -1), (0, 0, 0, least - rows))
    return layer.product(together)[:rows].view(*x.shape[:-1], -1)


@functools.cache
def steady_rows(kind: type[HalfLinear] | type[PackedLinear]) -> tuple[int, ...]:
    """For 0 to `MAX_ROWS` rows, how many this processor has to multiply for each to have its bits among `MAX_ROWS`.

    At least two for a single `PackedLinear` row. Seen on a processor with AVX2 alone: at least three, or four of
    `PackedLinear`, and up to three more from seven on, where a few would be left over for a kernel of their own.
    """
    drawn = torch.Generator().manual_seed(0)
    layer = kind(torch.randn(_PROBED, _PROBED, generator=drawn))
    x = torch.randn(MAX_ROWS, _PROBED, generator=drawn)
    reference = layer.product(x)
    same = [torch.equal(layer.product(x[:rows]), reference[:rows]) for rows in range(1, MAX_ROWS + 1)]
    if kind is PackedLinear:
        same[0] = False  # of some processors by the layer's size, which a probe of one size does not tell
    return (0, *(rows + same[rows - 1 :].index(True) for rows in range(1, MAX_ROWS + 1)))


def linear(weight: Tensor, bias: Tensor | None = None, rounded: bool = False) -> nn.Module:
    """A packed layer where that pays, else a plain one, for W [out, in].

    Args:
        weight: [out, in].
        bias: [out] or None.
        rounded: keep 16 bits of weights that have more.
    """
    fits = weight.device.type == "cpu" and weight.dtype == torch.float32 and available()
    if not fits or weight.numel() < _SMALLEST:
        return FixedLinear(weight, bias)
    if half_available() and (rounded or fits_half(weight)):
        return HalfLinear(weight, bias)
    return PackedLinear(weight, bias)


class FixedLinear(nn.Module):
    """x W^T + b with weights that are given and stay."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None):
        super().__init__()
        self.register_buffer("weight", weight.detach().clone(), persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach().clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, ..., in] to [B, ..., out]."""
        rows = x.numel() // x.shape[-1]
        if rows >= 4:
            return F.linear(x, self.weight, self.bias)
        padded = F.pad(x.reshape(rows, -1), (0, 0, 0, 4 - rows))
        return F.linear(padded, self.weight, self.bias)[:rows].view(*x.shape[:-1], -1)


def pack(module: nn.Module, rounded: bool = False) -> None:
    """Replace every `nn.Linear` inside `module`; afterwards it can neither train nor be saved.

    Args:
        module: on the CPU, in float32.
        rounded: see `linear`.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, linear(child.weight, child.bias, rounded))
        else:
            pack(child, rounded)


def own_memory(module: nn.Module) -> None:
    """Copy what is left of the weights, so that the file they were read from is no longer mapped."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            setattr(part, name, nn.Parameter(parameter.detach().clone(), requires_grad=False))
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, buffer.clone())


def packed_bytes(module: nn.Module) -> int:
    """Memory of all packed weights inside `module`."""
    return sum(m.weight_bytes for m in module.modules() if isinstance(m, HalfLinear | PackedLinear))

"""The SEANet decoder for inference: every convolution is one matrix product over rows of time.

Features lie as [B, T, C]. A causal convolution of k taps sees k consecutive rows, which lie side by
side in memory, as one long row; a transposed convolution of twice its stride makes two blocks of
output rows for each input row, of which the second is added to the first of the next. Built from a
`SEANetDecoder`, it gives the same samples; the weights are shared out into packed layouts.

        rows    a b c d          kernel 3:  [0 0 a] [0 a b] [a b c] [b c d]  @ W
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.nn.conv import CausalConv1d, CausalConvTranspose1d, States
from calm_core.nn.packed import linear
from calm_core.nn.seanet import ResidualUnit, SEANetDecoder
from calm_core.state import State, child, read, write


class RowConv(nn.Module):
    """`CausalConv1d` of stride 1 and zero edges over rows [B, T, C]."""

    def __init__(self, conv: CausalConv1d, rounded: bool):
        super().__init__()
        weight = conv.conv.weight  # [out, C, k]
        self.taps, self.dilation = weight.shape[2], conv.conv.dilation[0]
        self.left, self.channels = conv.left, weight.shape[1]
        self.linear = linear(weight.transpose(1, 2).flatten(1), conv.conv.bias, rounded)

    def init_state(self, batch_size: int, device: torch.device | None) -> State:
        """The rows before the first: zeros."""
        if self.left == 0:
            return {}
        return {"previous": torch.zeros(batch_size, self.left, self.channels, device=device)}

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """Map x [B, T, C] to [B, T, out]."""
        if self.left == 0:
            return self.linear(x)
        steps = x.shape[1]
        if state is None:
            x = F.pad(x, (0, 0, self.left, 0))
        else:
            x = torch.cat([read(state, "previous"), x], dim=1)
            write(state, "previous", x[:, -self.left :].clone())
        if self.dilation == 1:
            batch, rows, width = x.shape
            windows = x.as_strided((batch, steps, self.taps * width), (rows * width, width, 1), x.storage_offset())
        else:
            starts = range(0, self.left + 1, self.dilation)
            windows = torch.cat([x[:, i : i + steps] for i in starts], dim=2)
        return self.linear(windows.contiguous())


class RowConvTranspose(nn.Module):
    """`CausalConvTranspose1d` whose kernel is twice its stride, over rows [B, T, C]."""

    def __init__(self, conv: CausalConvTranspose1d, rounded: bool):
        super().__init__()
        weight = conv.convtr.weight  # [C, out, 2 r]
        self.stride, self.out_channels = conv.tail, weight.shape[1]
        self.linear = linear(weight.permute(2, 1, 0).flatten(0, 1), None, rounded)
        bias = conv.convtr.bias
        self.register_buffer("bias", None if bias is None else bias.detach().clone(), persistent=False)

    @staticmethod
    def fits(conv: CausalConvTranspose1d) -> bool:
        """Whether the layer has the form that this one computes."""
        return conv.convtr.kernel_size[0] == 2 * conv.convtr.stride[0] and conv.convtr.groups == 1

    def init_state(self, batch_size: int, device: torch.device | None) -> State:
        """The second block of the row before the first: zeros."""
        return {"partial": torch.zeros(batch_size, self.stride, self.out_channels, device=device)}

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """Map x [B, T, C] to [B, T * stride, out]."""
        y = self.linear(x).unflatten(2, (2, self.stride, self.out_channels))
        now = y[:, :, 0]
        if self.bias is not None:
            now = now + self.bias
        if state is None:
            before = x.new_zeros(x.shape[0], self.stride, self.out_channels)
        else:
            before = read(state, "partial")
            write(state, "partial", y[:, -1, 1].clone())
        now[:, 0] += before
        now[:, 1:] += y[:, :-1, 1]
        return now.flatten(1, 2)


class RowUpsample(nn.Module):
    """A depthwise `CausalConvTranspose1d` without bias, kernel twice its stride, over rows [B, T, C]."""

    now: Tensor
    later: Tensor

    def __init__(self, conv: CausalConvTranspose1d):
        super().__init__()
        self.stride = conv.tail
        weight = conv.convtr.weight.detach()[:, 0].t()  # [2 r, C]
        self.register_buffer("now", weight[: self.stride].clone(), persistent=False)
        self.register_buffer("later", weight[self.stride :].clone(), persistent=False)

    @staticmethod
    def fits(conv: CausalConvTranspose1d) -> bool:
        """Whether the layer has the form that this one computes."""
        inner = conv.convtr
        depthwise = inner.groups == inner.in_channels == inner.out_channels
        return depthwise and inner.bias is None and inner.kernel_size[0] == 2 * inner.stride[0]

    def init_state(self, batch_size: int, device: torch.device | None) -> State:
        """The row before the first: zeros."""
        return {"previous": torch.zeros(batch_size, 1, self.now.shape[1], device=device)}

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """Map x [B, T, C] to [B, T * stride, C]."""
        if state is None:
            before = torch.zeros_like(x[:, :1])
        else:
            before = read(state, "previous")
            write(state, "previous", x[:, -1:].clone())
        shifted = torch.cat([before, x[:, :-1]], dim=1)
        return (x[:, :, None] * self.now + shifted[:, :, None] * self.later).flatten(1, 2)


class RowResidual(nn.Module):
    """`ResidualUnit` over rows [B, T, C]."""

    def __init__(self, unit: ResidualUnit, rounded: bool):
        super().__init__()
        self.wide = RowConv(unit.block[1], rounded)  # type: ignore[arg-type]
        self.narrow = RowConv(unit.block[3], rounded)  # type: ignore[arg-type]

    def init_state(self, batch_size: int, device: torch.device | None) -> State:
        """The rows that the first convolution looks back to."""
        return self.wide.init_state(batch_size, device)

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """Map x [B, T, C] to the same shape."""
        return self.narrow(F.elu_(self.wide(F.elu(x), state))).add_(x)


class RowDecoder(nn.Module):
    """A `SEANetDecoder` over rows.

    Args:
        decoder: with its weights; zero edges, kernels twice the strides (`fits`).
        rounded: see `nn.packed.linear`.
    """

    def __init__(self, decoder: SEANetDecoder, rounded: bool = False):
        super().__init__()
        self.layers = nn.ModuleList()
        for layer in decoder.model:
            if isinstance(layer, CausalConv1d):
                self.layers.append(RowConv(layer, rounded))
            elif isinstance(layer, CausalConvTranspose1d):
                self.layers.append(RowConvTranspose(layer, rounded))
            elif isinstance(layer, ResidualUnit):
                self.layers.append(RowResidual(layer, rounded))
            else:
                self.layers.append(nn.ELU(inplace=True))

    @staticmethod
    def fits(decoder: SEANetDecoder) -> bool:
        """Whether every layer has the form that rows can compute."""
        convs = [m for m in decoder.modules() if isinstance(m, CausalConv1d)]
        ups = [m for m in decoder.modules() if isinstance(m, CausalConvTranspose1d)]
        plain = all(c.stride == 1 and not c.replicate for c in convs)
        return plain and all(RowConvTranspose.fits(u) for u in ups)

    def init_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """States of the layers that look back, by their position."""
        return {
            str(i): layer.init_state(batch_size, device)  # type: ignore[operator]
            for i, layer in enumerate(self.layers)
            if not isinstance(layer, nn.ELU)
        }

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """Map features [B, T, C] to samples [B, T * product of ratios, channels]."""
        for i, layer in enumerate(self.layers):
            x = layer(x) if isinstance(layer, nn.ELU) else layer(x, child(state, str(i)))
        return x

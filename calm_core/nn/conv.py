"""Causal 1-d convolutions that stream: whole input and pieces give the same output.

Shapes: B rows, C channels, T steps. A strided convolution wants T to be a multiple of its stride.

        input     a b c d e f      kernel 3: output t sees t - 2 .. t; the left edge is zeros, or
        output    . . 0 1 2 3      the first sample repeated; pieces carry the last two inputs over
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.state import State, read, write

States = State | Sequence[State] | None


class CausalConv1d(nn.Module):
    """Convolution padded on the left by its effective kernel minus its stride.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: taps.
        stride: input steps for each output step.
        dilation: spacing of the taps.
        bias: whether the output has a learned offset.
        replicate: fill the left edge with the first sample instead of zeros.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = True,
        replicate: bool = False,
    ):
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel_size, stride, dilation=dilation, bias=bias)
        self.stride = stride
        self.left = (kernel_size - 1) * dilation + 1 - stride
        self.replicate = replicate

    def init_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """Zeros for the samples before the first; `fresh` marks a replicated edge not yet set."""
        if self.left == 0:
            return {}
        previous = torch.zeros(batch_size, self.conv.in_channels, self.left, device=device)
        if not self.replicate:
            return {"previous": previous}
        return {"previous": previous, "fresh": torch.ones(batch_size, dtype=torch.bool)}

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """Map x [B, C, T] to [B, out, T / stride]; updates the state in place."""
        assert x.shape[-1] % self.stride == 0, "steps must be a multiple of the stride"
        if self.left == 0:
            return self.conv(x)
        if state is None:
            if self.replicate:
                return self.conv(F.pad(x, (self.left, 0), mode="replicate"))
            return self.conv(F.pad(x, (self.left, 0)))
        previous = read(state, "previous")
        if self.replicate:
            fresh = read(state, "fresh")
            previous = torch.where(fresh.to(x.device)[:, None, None], x[..., :1], previous)
            write(state, "fresh", torch.zeros_like(fresh))
        x = torch.cat([previous, x], dim=-1)
        write(state, "previous", x[..., -self.left :].clone())
        return self.conv(x)


class CausalConvTranspose1d(nn.Module):
    """Transposed convolution whose tail overlaps into the next piece (overlap-add).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: taps, at least `stride`.
        stride: output steps for each input step.
        groups: channel groups (equal to the channels for a depthwise one).
        bias: whether the output has a learned offset.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        groups: int = 1,
        bias: bool = True,
    ):
        super().__init__()
        self.convtr = nn.ConvTranspose1d(in_channels, out_channels, kernel_size, stride, groups=groups, bias=bias)
        self.tail = kernel_size - stride

    def init_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """The tail of the silence before the first step."""
        if self.tail == 0:
            return {}
        shape = (batch_size, self.convtr.out_channels, self.tail)
        return {"partial": torch.zeros(shape, device=device)}

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """Map x [B, C, T] to [B, out, T * stride]; updates the state in place."""
        y = self.convtr(x)
        if self.tail == 0:
            return y
        if state is not None:
            y[..., : self.tail] += read(state, "partial")
            partial = y[..., -self.tail :]
            # The offset belongs to each output once: the next piece adds it again.
            bias = self.convtr.bias
            write(state, "partial", partial.clone() if bias is None else partial - bias[:, None])
        return y[..., : -self.tail]

"""SEANet encoder and decoder (Tagliasacchi et al. 2020) in the causal form of Mimi.

Module positions inside `model` follow the released checkpoints: activations have a place of their
own, so a first level block counts 0 conv, then per stage (residual unit, ELU, resampling).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from calm_core.nn.conv import CausalConv1d, CausalConvTranspose1d, States
from calm_core.state import State, child

Streaming = (CausalConv1d, CausalConvTranspose1d)


class Chain(nn.Module):
    """Runs `model` one layer after the other; streaming layers get their part of the state."""

    def __init__(self, layers: Sequence[nn.Module]):
        super().__init__()
        self.model = nn.ModuleList(layers)

    def init_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """States of the streaming layers by their position."""
        return _init(self.model, batch_size, device)

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """Run all layers on x [B, C, T]."""
        return _run(self.model, x, state)


class ResidualUnit(nn.Module):
    """x + conv1x1(ELU(conv(ELU(x)))) with a narrower middle."""

    def __init__(self, channels: int, kernel_size: int, dilation: int, compress: int, replicate: bool):
        super().__init__()
        hidden = channels // compress
        wide = CausalConv1d(channels, hidden, kernel_size, dilation=dilation, replicate=replicate)
        self.block = nn.ModuleList([nn.ELU(), wide, nn.ELU(), CausalConv1d(hidden, channels, 1)])

    def init_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """States of the two convolutions by their position."""
        return _init(self.block, batch_size, device)

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """Map x [B, C, T] to the same shape."""
        return x + _run(self.block, x, state)


def _init(layers: nn.ModuleList, batch_size: int, device: torch.device | None) -> State:
    return {
        str(i): layer.init_state(batch_size, device)
        for i, layer in enumerate(layers)
        if isinstance(layer, (*Streaming, ResidualUnit))
    }


def _run(layers: nn.ModuleList, x: Tensor, state: States) -> Tensor:
    for i, layer in enumerate(layers):
        if isinstance(layer, (*Streaming, ResidualUnit)):
            x = layer(x, child(state, str(i)))
        else:
            x = layer(x)
    return x


class SEANetEncoder(Chain):
    """Wave [B, channels, N] to features [B, dimension, N / product of ratios].

    Args:
        channels: audio channels.
        dimension: width of the features.
        n_filters: width of the first stage; doubles at each stage.
        n_residual_layers: residual units before each resampling.
        ratios: resampling factors in the decoder's order; the encoder goes through them backwards.
        kernel_size: taps of the first convolution.
        last_kernel_size: taps of the last one.
        residual_kernel_size: taps of the residual units.
        dilation_base: dilation of residual unit j is dilation_base ** j.
        compress: narrowing inside residual units.
        pad_mode: left edge of a stream, "constant" (zeros) or "replicate" (the first sample).
    """

    def __init__(
        self,
        channels: int,
        dimension: int,
        n_filters: int,
        n_residual_layers: int,
        ratios: Sequence[int],
        kernel_size: int,
        last_kernel_size: int,
        residual_kernel_size: int,
        dilation_base: int,
        compress: int,
        pad_mode: str = "constant",
    ):
        edge = pad_mode == "replicate"
        width = n_filters
        layers: list[nn.Module] = [CausalConv1d(channels, width, kernel_size, replicate=edge)]
        for ratio in reversed(ratios):
            for j in range(n_residual_layers):
                dilation = dilation_base**j
                layers.append(ResidualUnit(width, residual_kernel_size, dilation, compress, edge))
            down = CausalConv1d(width, 2 * width, 2 * ratio, stride=ratio, replicate=edge)
            layers += [nn.ELU(), down]
            width *= 2
        last = CausalConv1d(width, dimension, last_kernel_size, replicate=edge)
        super().__init__([*layers, nn.ELU(), last])


class SEANetDecoder(Chain):
    """Features [B, dimension, T] to wave [B, channels, T * product of ratios].

    Arguments as for `SEANetEncoder`; `n_filters` is the width of the last stage.
    """

    def __init__(
        self,
        channels: int,
        dimension: int,
        n_filters: int,
        n_residual_layers: int,
        ratios: Sequence[int],
        kernel_size: int,
        last_kernel_size: int,
        residual_kernel_size: int,
        dilation_base: int,
        compress: int,
        pad_mode: str = "constant",
    ):
        edge = pad_mode == "replicate"
        width = n_filters * 2 ** len(ratios)
        layers: list[nn.Module] = [CausalConv1d(dimension, width, kernel_size, replicate=edge)]
        for ratio in ratios:
            half = width // 2
            layers += [nn.ELU(), CausalConvTranspose1d(width, half, 2 * ratio, stride=ratio)]
            width = half
            for j in range(n_residual_layers):
                dilation = dilation_base**j
                layers.append(ResidualUnit(width, residual_kernel_size, dilation, compress, edge))
        last = CausalConv1d(width, channels, last_kernel_size, replicate=edge)
        super().__init__([*layers, nn.ELU(), last])

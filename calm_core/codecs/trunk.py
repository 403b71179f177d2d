"""Causal trunks of codecs that work on spectrogram frames: from frames to a posterior, from latents back to frames.

    frames -> ConvNeXt -> /strides[0] -> ConvNeXt -> /strides[1] -> Transformer -> mean, log-variance
    latents -> Transformer -> x strides[1] -> ConvNeXt -> x strides[0] -> ConvNeXt -> features of every frame

ConvNeXt blocks: Liu et al. 2022, made causal.

Timing. Analysis frame t ends with sample (t + 1) hop and so does synthesis frame t. A synthesised sample is complete
when every frame that covers it is known, so the decoder's output comes `delay = n_fft - hop` samples late:

    latent i has heard samples up to frame_size (i + 1)
    decode(latents[: i + 1]) ends with sample frame_size (i + 1) - delay

Shapes: B rows, S samples, F frames, T latent frames, D latent dimensions; inside, features are [B, time, channels].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.codecs.base import Codec
from calm_core.config import SinusoidalConfig, SpectralConfig, WaveformConfig
from calm_core.nn.transformer import Transformer
from calm_core.state import State, child, read, write

States = State | Sequence[State] | None
Config = SpectralConfig | WaveformConfig | SinusoidalConfig


def causal_window(x: Tensor, length: int, state: States, name: str) -> Tensor:
    """`x [B, T, C]` with `length` steps of its past in front: zeros, or what the state kept under `name`."""
    if state is None:
        return F.pad(x, (0, 0, length, 0))
    whole = torch.cat([read(state, name), x], dim=1)
    write(state, name, whole[:, -length:].clone())
    return whole


class CausalDepthwise(nn.Module):
    """Depthwise causal convolution over time, `[B, T, C] -> [B, T, C]`."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.empty(kernel, channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.trunc_normal_(self.weight, std=0.1)

    def init_state(self, batch_size: int, device: torch.device | None = None) -> Tensor:
        """The silence before the first step."""
        return torch.zeros(batch_size, self.kernel - 1, self.bias.numel(), device=device)

    def forward(self, x: Tensor, state: States, name: str) -> Tensor:
        """Convolve; `state` carries the last `kernel - 1` steps under `name`."""
        steps = x.shape[1]
        past = causal_window(x, self.kernel - 1, state, name)
        out = torch.addcmul(self.bias, past[:, :steps], self.weight[0])
        for k in range(1, self.kernel):  # a handful of multiply-adds beats the generic grouped kernel on a CPU
            out = torch.addcmul(out, past[:, k : k + steps], self.weight[k])
        return out


class ConvNeXtBlock(nn.Module):
    """Depthwise causal convolution, LayerNorm, two-layer GELU MLP, per-channel gain, residual."""

    def __init__(self, channels: int, expansion: int, kernel: int):
        super().__init__()
        self.depthwise = CausalDepthwise(channels, kernel)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, expansion * channels)
        self.contract = nn.Linear(expansion * channels, channels)
        self.gain = nn.Parameter(torch.full((channels,), 0.2))

    def forward(self, x: Tensor, state: States, name: str) -> Tensor:
        """`[B, T, C] -> [B, T, C]`."""
        hidden = self.expand(self.norm(self.depthwise(x, state, name)))
        return x + self.gain * self.contract(F.gelu(hidden, approximate="tanh"))


class Stack(nn.Module):
    """ConvNeXt blocks at one frame rate."""

    def __init__(self, channels: int, depth: int, expansion: int, kernel: int):
        super().__init__()
        self.blocks = nn.ModuleList(ConvNeXtBlock(channels, expansion, kernel) for _ in range(depth))

    def init_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """The past of every block, numbered."""
        return {
            str(i): cast(ConvNeXtBlock, block).depthwise.init_state(batch_size, device)
            for i, block in enumerate(self.blocks)
        }

    def forward(self, x: Tensor, state: States = None) -> Tensor:
        """`[B, T, C] -> [B, T, C]`."""
        for index, block in enumerate(self.blocks):
            x = block(x, state, str(index))
        return x


class EncoderTrunk(nn.Module):
    """Frames to the posterior of the latents. See the module's drawing.

    Args:
        config: Sizes of all parts.
        features: Numbers that `features` makes of a frame.
    """

    def __init__(self, config: Config, features: int):
        super().__init__()
        self.n_fft, self.hop, self.strides = config.n_fft, config.hop, config.strides
        widths, depths = config.encoder_widths, config.encoder_depths
        block = (config.expansion, config.kernel)
        self.input = nn.Linear(features, widths[0])
        self.fine = Stack(widths[0], depths[0], *block)
        self.down_fine = nn.Linear(self.strides[0] * widths[0], widths[1])
        self.middle = Stack(widths[1], depths[1], *block)
        self.down_middle = nn.Linear(self.strides[1] * widths[1], widths[2])
        self.transformer = Transformer(
            widths[2], config.heads, depths[2], config.feedforward, context=config.context, layer_scale=0.1
        )
        self.norm = nn.LayerNorm(widths[2])
        self.output = nn.Linear(widths[2], 2 * config.latent_dim)

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` streams before their first sample."""
        return {
            "wave": torch.zeros(batch_size, self.n_fft - self.hop, 1, device=device),
            "fine": self.fine.init_state(batch_size, device),
            "middle": self.middle.init_state(batch_size, device),
            "transformer": self.transformer.init_state(batch_size, device=device),
        }

    def features(self, wave: Tensor, state: States) -> Tensor:
        """`wave [B, N]` to frames `[B, N / hop, features]` of about unit size."""
        raise NotImplementedError

    def forward(self, wave: Tensor, state: States = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each `[B, T, D]`, of `wave [B, N]` with whole frames."""
        return self.posterior(self.features(wave, state), state)

    def posterior(self, features: Tensor, state: States = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each `[B, T, D]`, of frames."""
        x = self.fine(self.input(features), child(state, "fine"))
        x = self.down_fine(x.unflatten(1, (-1, self.strides[0])).flatten(2))
        x = self.middle(x, child(state, "middle"))
        x = self.down_middle(x.unflatten(1, (-1, self.strides[1])).flatten(2))
        x = self.transformer(x, child(state, "transformer"))
        mean, log_variance = self.output(self.norm(x)).float().chunk(2, dim=-1)
        return mean, log_variance.clamp(-10.0, 4.0)


class DecoderTrunk(nn.Module):
    """Latents to the features of every frame. See the module's drawing.

    Args:
        config: Sizes of all parts.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.n_fft, self.hop, self.strides = config.n_fft, config.hop, config.strides
        widths, depths = config.decoder_widths, config.decoder_depths
        block = (config.expansion, config.kernel)
        self.input = nn.Linear(config.latent_dim, widths[2])
        self.transformer = Transformer(
            widths[2], config.heads, depths[2], config.feedforward, context=config.context, layer_scale=0.1
        )
        self.up_middle = nn.Linear(widths[2], self.strides[1] * widths[1])
        self.middle = Stack(widths[1], depths[1], *block)
        self.up_fine = nn.Linear(widths[1], self.strides[0] * widths[0])
        self.fine = Stack(widths[0], depths[0], *block)
        self.norm = nn.LayerNorm(widths[0])

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` streams before their first latent."""
        return {
            "transformer": self.transformer.init_state(batch_size, device=device),
            "middle": self.middle.init_state(batch_size, device),
            "fine": self.fine.init_state(batch_size, device),
            "tail": torch.zeros(batch_size, self.n_fft // self.hop - 1, self.hop, device=device),
        }

    def trunk(self, latents: Tensor, state: States = None) -> Tensor:
        """Normalised features `[B, F, widths[0]]` of `latents [B, T, D]`."""
        x = self.transformer(self.input(latents), child(state, "transformer"))
        x = self.middle(self.up_middle(x).unflatten(-1, (self.strides[1], -1)).flatten(1, 2), child(state, "middle"))
        x = self.fine(self.up_fine(x).unflatten(-1, (self.strides[0], -1)).flatten(1, 2), child(state, "fine"))
        return self.norm(x)

    def overlap_add(self, frames: Tensor, state: States) -> Tensor:
        """The sum of `frames [B, F, n_fft]`, one a hop: `[B, F hop]`, beginning where the first frame begins.

        The `n_fft - hop` samples after that, to which later frames will still add, go to the state.
        """
        batch, count, _ = frames.shape
        overlap = self.n_fft // self.hop
        parts = frames.unflatten(-1, (overlap, self.hop))  # [B, F, overlap, hop]: part k of frame t lands on hop t + k
        total = frames.new_zeros(batch, count + overlap - 1, self.hop)
        for k in range(overlap):
            total[:, k : k + count] += parts[:, :, k]
        if state is not None:
            total[:, : overlap - 1] += read(state, "tail")
            write(state, "tail", total[:, count:].clone())
        return total[:, :count].flatten(1)


class FrameCodec(Codec):
    """A codec of an `EncoderTrunk` and a `DecoderTrunk`.

    Args:
        config: Sizes of all parts.
    """

    encoder: EncoderTrunk
    decoder: DecoderTrunk

    def __init__(self, config: Config):
        assert config.n_fft % config.hop == 0
        frame_size = config.hop * config.strides[0] * config.strides[1]
        assert round(config.sample_rate / config.frame_rate) == frame_size, "hop and strides must give the frame rate"
        super().__init__(config.sample_rate, config.frame_rate, config.latent_dim, config.latent_dim)
        self.delay = config.n_fft - config.hop

    def encode(self, wave: Tensor) -> Tensor:
        """Mean latents `[B, T, D]` of `wave [B, 1, N]`."""
        return self.posterior(wave)[0]

    def posterior(self, wave: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each `[B, T, D]`, of `wave [B, 1, N]`."""
        return self.encoder(self.pad(wave)[:, 0])

    def decode(self, latents: Tensor, state: States = None) -> Tensor:
        """Waves `[B, 1, T frame_size]` of `latents [B, T, D]`, `delay` samples late."""
        return self.decoder(latents, state)[:, None]

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` decoder streams before their first frame."""
        return self.decoder.init_state(batch_size, device)

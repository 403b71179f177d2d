"""A causal, streaming VAE codec that works on spectrogram frames instead of samples.

    wave -> log STFT power (100 Hz) -> ConvNeXt -> /2 -> ConvNeXt -> /4 -> Transformer -> mean, log-variance (12.5 Hz)
    latents (12.5 Hz) -> Transformer -> x4 -> ConvNeXt -> x2 -> ConvNeXt -> pitch and two filters (100 Hz)
    pitch -> pulses, noise (codecs.excitation) -> STFT x filters -> iSTFT -> wave

The Mimi VAE of CALM convolves at the sample rate; a spectral front and an inverse-STFT head do the work of its outer
layers with a matrix product, which trains several times faster without a GPU. The head does not invent its phases as
Vocos (Siuzdak 2023) does: it filters pulses and noise, which fits speech alone, and speech is what this codec is for.
ConvNeXt blocks: Liu et al. 2022, made causal.

Timing. Analysis frame t ends with sample (t + 1) hop and so does synthesis frame t. A synthesised sample is complete
when every frame that covers it is known, so the decoder's output comes `delay = n_fft - hop` samples late:

    latent i has heard samples up to 1920 (i + 1);  decode(latents[: i + 1]) ends with sample 1920 (i + 1) - delay.

Shapes: B rows, S samples, T latent frames, D latent dimensions; inside, features are [B, time, channels].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.codecs.base import Codec
from calm_core.codecs.excitation import Excitation, windows
from calm_core.config import SpectralConfig
from calm_core.nn.transformer import Transformer
from calm_core.state import State, child, read, write

States = State | Sequence[State] | None

# Points at which the filters are predicted; between them they are straight lines in decibels.
PULSE_POINTS, NOISE_POINTS = 161, 81
LOWEST_PITCH, HIGHEST_PITCH = 50.0, 550.0  # Hz


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


class SpectralEncoder(nn.Module):
    """STFT frames to the posterior of the latents. See the module's drawing."""

    def __init__(self, config: SpectralConfig):
        super().__init__()
        self.n_fft, self.hop, self.strides = config.n_fft, config.hop, config.strides
        widths, depths = config.encoder_widths, config.encoder_depths
        block = (config.expansion, config.kernel)
        self.input = nn.Linear(self.n_fft // 2 + 1, widths[0])
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
        """`wave [B, N]` to log-power frames `[B, N / hop, bins]` of about unit size.

        Without phases: a network finds an envelope in real and imaginary parts only after very long training, and the
        decoder makes its own phases.
        """
        with torch.autocast(wave.device.type, enabled=False):
            past = causal_window(wave.float().unsqueeze(-1), self.n_fft - self.hop, state, "wave").squeeze(-1)
            window = torch.hann_window(self.n_fft, device=wave.device)
            spectrum = windows(past, self.n_fft, self.hop, window)
            power = spectrum.real.square() + spectrum.imag.square()
            return (torch.log(power + 1e-5) + 3) / 5

    def forward(self, wave: Tensor, state: States = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each `[B, T, D]`, of `wave [B, N]` with whole frames."""
        x = self.fine(self.input(self.features(wave, state)), child(state, "fine"))
        x = self.down_fine(x.unflatten(1, (-1, self.strides[0])).flatten(2))
        x = self.middle(x, child(state, "middle"))
        x = self.down_middle(x.unflatten(1, (-1, self.strides[1])).flatten(2))
        x = self.transformer(x, child(state, "transformer"))
        mean, log_variance = self.output(self.norm(x)).float().chunk(2, dim=-1)
        return mean, log_variance.clamp(-10.0, 4.0)


class SpectralDecoder(nn.Module):
    """Latents to waveform through an inverse STFT. See the module's drawing."""

    def __init__(self, config: SpectralConfig):
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
        self.pitch = nn.Linear(widths[0], 1)
        self.filters = nn.Linear(widths[0], 3 * PULSE_POINTS + NOISE_POINTS)
        nn.init.constant_(self.pitch.bias, math.log(140.0))
        # Quiet at first, pulses in phase, noise softer than pulses.
        start = torch.tensor([-3.5, 1.0, 0.0]).repeat_interleave(PULSE_POINTS)
        self.filters.bias.data.copy_(torch.cat([start, torch.full((NOISE_POINTS,), -5.0)]))
        self.excitation = Excitation(config.sample_rate, self.hop, self.n_fft - self.hop)

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` streams before their first latent."""
        return {
            "transformer": self.transformer.init_state(batch_size, device=device),
            "middle": self.middle.init_state(batch_size, device),
            "fine": self.fine.init_state(batch_size, device),
            "excitation": self.excitation.init_state(batch_size, device),
            "tail": torch.zeros(batch_size, self.n_fft // self.hop - 1, self.hop, device=device),
        }

    def forward(self, latents: Tensor, state: States = None, pitch: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Sound of `latents [B, T, D]`.

        Args:
            latents: The next T frames.
            state: Updated in place; None decodes from the beginning.
            pitch: `[B, F]` in Hz, one value a hop, to be used instead of the predicted one (training).

        Returns:
            `[B, frame_size T]` samples, `n_fft - hop` samples late, and the predicted natural-log pitch `[B, F]`.
        """
        x = self.transformer(self.input(latents), child(state, "transformer"))
        x = self.middle(self.up_middle(x).unflatten(-1, (self.strides[1], -1)).flatten(1, 2), child(state, "middle"))
        x = self.fine(self.up_fine(x).unflatten(-1, (self.strides[0], -1)).flatten(1, 2), child(state, "fine"))
        x = self.norm(x)
        with torch.autocast(x.device.type, enabled=False):
            log_pitch: Tensor = self.pitch(x.float()).squeeze(-1)
        filters = self.filters(x)
        with torch.autocast(x.device.type, enabled=False):
            if pitch is None:
                pitch = log_pitch.detach().exp().clamp(LOWEST_PITCH, HIGHEST_PITCH)
            pulses, noise = self.excitation(pitch, child(state, "excitation"))
            window = torch.hann_window(self.n_fft, device=x.device)
            pulse_filter, noise_filter = self._responses(filters.float())
            spectrum = windows(pulses, self.n_fft, self.hop, window) * pulse_filter
            spectrum = spectrum + windows(noise, self.n_fft, self.hop, window) * noise_filter
            frames = torch.fft.irfft(spectrum) * (window * (self.hop / window.square().sum()))
            return self.overlap_add(frames, state), log_pitch

    def _responses(self, filters: Tensor) -> tuple[Tensor, Tensor]:
        """Complex response for the pulses and real response for the noise, each `[B, F, bins]`."""
        bins = self.n_fft // 2 + 1
        pulse, noise = filters.split([3 * PULSE_POINTS, NOISE_POINTS], dim=-1)
        pulse = F.interpolate(pulse.unflatten(-1, (3, -1)).flatten(0, 1), bins, mode="linear", align_corners=True)
        level, real, imaginary = pulse.unflatten(0, filters.shape[:2]).unbind(2)
        magnitude = torch.exp(level.clamp(max=6.0)) * torch.rsqrt(real.square() + imaginary.square() + 1e-6)
        loudness = F.interpolate(noise, bins, mode="linear", align_corners=True).clamp(max=6.0).exp()
        return torch.complex(magnitude * real, magnitude * imaginary), loudness

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


class SpectralCodec(Codec):
    """The bundled speech codec.

    Args:
        config: Sizes of all parts.
    """

    kind: ClassVar[str] = "spectral"

    def __init__(self, config: SpectralConfig):
        assert config.n_fft % config.hop == 0
        frame_size = config.hop * config.strides[0] * config.strides[1]
        assert round(config.sample_rate / config.frame_rate) == frame_size, "hop and strides must give the frame rate"
        super().__init__(config.sample_rate, config.frame_rate, config.latent_dim, config.latent_dim)
        self.delay = config.n_fft - config.hop
        self.encoder = SpectralEncoder(config)
        self.decoder = SpectralDecoder(config)

    def encode(self, wave: Tensor) -> Tensor:
        """Mean latents `[B, T, D]` of `wave [B, 1, N]`."""
        return self.posterior(wave)[0]

    def posterior(self, wave: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each `[B, T, D]`, of `wave [B, 1, N]`."""
        return self.encoder(self.pad(wave)[:, 0])

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` decoder streams before their first frame."""
        return self.decoder.init_state(batch_size, device)

    def decode(self, latents: Tensor, state: States = None) -> Tensor:
        """Waves `[B, 1, T frame_size]` of `latents [B, T, D]`, `delay` samples late."""
        return self.decoder(latents, state)[0][:, None]

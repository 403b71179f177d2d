"""A causal, streaming VAE codec for any sound, music above all: it keeps the wave, not only what is heard of it.

    wave -> STFT (100 Hz): log power, compressed complex values of the low bins -> trunk -> mean, log-variance (25 Hz)
    latents (25 Hz) -> trunk -> complex STFT frames (100 Hz) -> iSTFT -> wave

With 128 numbers for 40 ms, CALM's codec of music has room for the wave of what lies below some 1.6 kHz (its SI-SNR is
10 dB, table 7), and envelopes for the rest. So the encoder sees phases and the decoder makes complex values of its own,
with a linear path beside the network on both sides: through it, the wave of the low bins passes from the first step on.

Frames overlap by half under a sine window, whose square adds up to one. Shapes and timing: see `codecs.trunk`; P low
bins.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from calm_core.codecs.excitation import windows
from calm_core.codecs.trunk import DecoderTrunk, EncoderTrunk, FrameCodec, States, causal_window
from calm_core.config import WaveformConfig


def sine_window(n_fft: int, device: torch.device | None = None) -> Tensor:
    """The window whose square, at half overlap, adds up to one: `[n_fft]`."""
    return torch.sin(torch.pi * (torch.arange(n_fft, device=device) + 0.5) / n_fft)


class WaveformEncoder(EncoderTrunk):
    """Log power and phases to the posterior of the latents."""

    def __init__(self, config: WaveformConfig):
        bins = config.n_fft // 2 + 1
        super().__init__(config, bins + 2 * config.phase_bins)
        self.low = config.phase_bins
        self.direct = nn.Linear(self.strides[0] * self.strides[1] * 2 * self.low, config.latent_dim, bias=False)

    def features(self, wave: Tensor, state: States) -> Tensor:
        """`wave [B, N]` to frames `[B, N / hop, bins + 2 P]` of about unit size.

        The square root of a magnitude, with its phase, is both of moderate size and nearly the wave.
        """
        with torch.autocast(wave.device.type, enabled=False):
            past = causal_window(wave.float().unsqueeze(-1), self.n_fft - self.hop, state, "wave").squeeze(-1)
            spectrum = windows(past, self.n_fft, self.hop, sine_window(self.n_fft, wave.device))
            power = spectrum.real.square() + spectrum.imag.square()
            low = spectrum[..., : self.low] * (power[..., : self.low] + 1e-4).pow(-0.25)
            return torch.cat([(torch.log(power + 1e-5) + 3) / 5, low.real, low.imag], dim=-1)

    def forward(self, wave: Tensor, state: States = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each `[B, T, D]`, of `wave [B, N]` with whole frames."""
        features = self.features(wave, state)
        mean, log_variance = self.posterior(features, state)
        low = features[..., -2 * self.low :].unflatten(1, (-1, self.strides[0] * self.strides[1])).flatten(2)
        return mean + self.direct(low).float(), log_variance


class WaveformDecoder(DecoderTrunk):
    """Latents to complex frames, and to the wave."""

    def __init__(self, config: WaveformConfig):
        super().__init__(config)
        self.bins, self.low = config.n_fft // 2 + 1, config.phase_bins
        self.spectrum = nn.Linear(config.decoder_widths[0], 3 * self.bins)
        self.direct = nn.Linear(config.latent_dim, self.strides[0] * self.strides[1] * 2 * self.low, bias=False)
        nn.init.zeros_(self.spectrum.bias)

    def forward(self, latents: Tensor, state: States = None) -> Tensor:
        """`[B, frame_size T]` samples of `latents [B, T, D]`, `n_fft - hop` samples late; see `SpectralDecoder`."""
        x = self.spectrum(self.trunk(latents, state))
        direct = self.direct(latents)
        with torch.autocast(x.device.type, enabled=False):
            level, real, imaginary = x.float().unflatten(-1, (3, self.bins)).unbind(-2)
            low = direct.float().unflatten(-1, (-1, 2, self.low)).flatten(1, 2)
            pad = self.bins - self.low
            low = nn.functional.pad(low, (0, pad))
            gain = torch.exp(level.clamp(max=5.0))
            spectrum = torch.complex(gain * (real + low[..., 0, :]), gain * (imaginary + low[..., 1, :]))
            frames = torch.fft.irfft(spectrum) * sine_window(self.n_fft, x.device)
            return self.overlap_add(frames, state)


class WaveformCodec(FrameCodec):
    """The codec of music.

    Args:
        config: Sizes of all parts.
    """

    kind: ClassVar[str] = "waveform"
    encoder: WaveformEncoder
    decoder: WaveformDecoder

    def __init__(self, config: WaveformConfig):
        super().__init__(config)
        self.encoder = WaveformEncoder(config)
        self.decoder = WaveformDecoder(config)

"""A causal, streaming VAE codec for speech that works on spectrogram frames instead of samples.

    wave -> log STFT power (100 Hz) -> trunk -> mean, log-variance (12.5 Hz)
    latents (12.5 Hz) -> trunk -> pitch and two filters (100 Hz)
    pitch -> pulses, noise (codecs.excitation) -> STFT x filters -> iSTFT -> wave

The Mimi VAE of CALM convolves at the sample rate; a spectral front and an inverse-STFT head do the work of its outer
layers with a matrix product, which trains several times faster without a GPU. The head does not invent its phases as
Vocos (Siuzdak 2023) does: it filters pulses and noise, which fits speech alone, and speech is what this codec is for.

Shapes and timing: see `codecs.trunk`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.codecs.excitation import Excitation, windows
from calm_core.codecs.trunk import DecoderTrunk, EncoderTrunk, FrameCodec, States, causal_window
from calm_core.config import SpectralConfig
from calm_core.state import State, child

# Points at which the filters are predicted; between them they are straight lines in decibels.
PULSE_POINTS, NOISE_POINTS = 161, 81
LOWEST_PITCH, HIGHEST_PITCH = 50.0, 550.0  # Hz


class SpectralEncoder(EncoderTrunk):
    """Log-power frames to the posterior of the latents."""

    def __init__(self, config: SpectralConfig):
        super().__init__(config, config.n_fft // 2 + 1)

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


class SpectralDecoder(DecoderTrunk):
    """Latents to waveform through an inverse STFT. See the module's drawing."""

    def __init__(self, config: SpectralConfig):
        super().__init__(config)
        width = config.decoder_widths[0]
        self.pitch = nn.Linear(width, 1)
        self.filters = nn.Linear(width, 3 * PULSE_POINTS + NOISE_POINTS)
        nn.init.constant_(self.pitch.bias, math.log(140.0))
        # Quiet at first, pulses in phase, noise softer than pulses.
        start = torch.tensor([-3.5, 1.0, 0.0]).repeat_interleave(PULSE_POINTS)
        self.filters.bias.data.copy_(torch.cat([start, torch.full((NOISE_POINTS,), -5.0)]))
        self.excitation = Excitation(config.sample_rate, self.hop, self.n_fft - self.hop)

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` streams before their first latent."""
        return {
            **super().init_state(batch_size, device),
            "excitation": self.excitation.init_state(batch_size, device),
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
        x = self.trunk(latents, state)
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


class SpectralCodec(FrameCodec):
    """The bundled speech codec.

    Args:
        config: Sizes of all parts.
    """

    kind: ClassVar[str] = "spectral"
    encoder: SpectralEncoder
    decoder: SpectralDecoder

    def __init__(self, config: SpectralConfig):
        super().__init__(config)
        self.encoder = SpectralEncoder(config)
        self.decoder = SpectralDecoder(config)

    def decode(self, latents: Tensor, state: States = None) -> Tensor:
        """Waves `[B, 1, T frame_size]` of `latents [B, T, D]`, `delay` samples late."""
        return self.decoder(latents, state)[0][:, None]

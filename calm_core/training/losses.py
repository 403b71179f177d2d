"""Losses of the codec: multi-scale log-mel distance and the KL divergence of the bottleneck."""

import torch
from torch import Tensor, nn

from calm_core.nn.mel import mel_filters, tone_filters


def log_bands(wave: Tensor, window: Tensor, filters: Tensor, floor: float) -> Tensor:
    """Natural-log magnitudes `[B, frames, bands]` of `wave [B, S]` under a window, in bands (hop: a quarter window)."""
    spectrum = torch.stft(wave, len(window), len(window) // 4, window=window, return_complex=True)
    magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-10).sqrt() * (2 / window.sum())
    return torch.log(magnitude.transpose(1, 2) @ filters + floor)


class MultiScaleMel(nn.Module):
    """Mean absolute difference of log-mel spectrograms at several STFT resolutions (hop: a quarter window).

    Args:
        sample_rate: Samples a second.
        scales: `(n_fft, mels)` of each resolution.
        floor: Magnitude below which differences do not count, 80 dB below full scale: without it, noise that nobody
            hears and nothing can predict takes a large share of the loss.
    """

    def __init__(
        self,
        sample_rate: int,
        scales: tuple[tuple[int, int], ...] = ((256, 20), (512, 40), (1024, 80), (2048, 128)),
        floor: float = 1e-4,
    ):
        super().__init__()
        self.scales, self.floor = scales, floor
        for n_fft, mels in scales:
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)
            self.register_buffer(f"filters_{n_fft}", mel_filters(n_fft, mels, sample_rate), persistent=False)

    def log_mel(self, wave: Tensor, n_fft: int) -> Tensor:
        """Natural-log mel magnitudes `[B, frames, mels]` of `wave [B, S]`."""
        return log_bands(wave, getattr(self, f"window_{n_fft}"), getattr(self, f"filters_{n_fft}"), self.floor)

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Scalar distance of two waveforms `[B, S]`."""
        with torch.autocast(predicted.device.type, enabled=False):
            terms = [
                (self.log_mel(predicted.float(), n_fft) - self.log_mel(target.float(), n_fft)).abs().mean()
                for n_fft, _ in self.scales
            ]
        return torch.stack(terms).mean()


class ToneDistance(nn.Module):
    """Mean absolute difference of log magnitudes in bands one tone wide, which mel bands of low notes are not.

    Args:
        frequencies: Of the tones `[tones]`, rising, Hz.
        sample_rate: Samples a second.
        n_fft: Samples in a window (hop: a quarter); low tones need long ones.
        floor: As of `MultiScaleMel`.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, frequencies: Tensor, sample_rate: int, n_fft: int = 8192, floor: float = 1e-4):
        super().__init__()
        self.floor = floor
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.register_buffer("filters", tone_filters(n_fft, frequencies, sample_rate), persistent=False)

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Scalar distance of two waveforms `[B, S]`, each at least half a window long."""
        with torch.autocast(predicted.device.type, enabled=False):
            made, wanted = (
                log_bands(wave.float(), self.window, self.filters, self.floor) for wave in (predicted, target)
            )
            return (made - wanted).abs().mean()


def relative_error(predicted: Tensor, target: Tensor, floor: float = 1e-3) -> Tensor:
    """Amplitude of the error over that of the target, both of waves `[B, S]`, averaged over rows.

    1 is what silence gets, 0.32 is an error 10 dB below the target. Quieter than `floor`, rows count less.
    """
    error = (predicted.float() - target.float()).square().mean(1)
    return torch.sqrt((error + 1e-10) / (target.float().square().mean(1) + floor**2)).mean()


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, averaged over every latent value."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()

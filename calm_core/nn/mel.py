"""Mel spectrograms. Shapes: B rows, N samples, T frames, F bands."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FLOOR = 1e-4
"""Magnitude that `LogMel` adds before the logarithm, 80 dB below full scale."""


def mel_filters(n_fft: int, mels: int, sample_rate: int) -> Tensor:
    """Triangular filters `[bins, mels]` on the HTK mel scale, each summing to one."""
    hz = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    top = 2595 * torch.log10(torch.tensor(1 + sample_rate / 1400, dtype=torch.float64))
    edges = 700 * (10 ** (torch.linspace(0, 1, mels + 2, dtype=torch.float64) * top / 2595) - 1)
    rising = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0)
    return (filters / filters.sum(0).clamp(min=1e-3)).float()


def tone_frequencies(lowest: float, per_octave: int, tones: int) -> Tensor:
    """Hz, `[tones]`, double: equal steps, `per_octave` of them an octave."""
    return lowest * 2 ** (torch.arange(tones, dtype=torch.float64) / per_octave)


def tone_filters(n_fft: int, frequencies: Tensor, sample_rate: int) -> Tensor:
    """Triangular filters `[bins, tones]`, each summing to one, around rising `frequencies [tones]` in Hz.

    They reach to the neighbours, or one bin of the STFT where tones lie closer than that.
    """
    hz = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    ratio = frequencies[1] / frequencies[0]
    reach = torch.maximum(frequencies * (1 - 1 / ratio), torch.tensor(sample_rate / n_fft))
    filters = (1 - (hz[:, None] - frequencies).abs() / reach).clamp(min=0)
    return (filters / filters.sum(0)).float()


class LogMel(nn.Module):
    """Natural-log mel magnitudes of whole frames: frame t is centred on sample (t + 1/2) hop.

    Args:
        sample_rate: Hz.
        n_fft: samples in a window (Hann).
        hop: samples between frames.
        mels: bands F.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, sample_rate: int, n_fft: int, hop: int, mels: int):
        super().__init__()
        assert n_fft >= hop, "the window must be as long as the hop"
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.register_buffer("filters", mel_filters(n_fft, mels, sample_rate), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """Bands [B, T, F] of wave [B, N], with T = ceil(N / hop); the last frame is filled up with silence."""
        frames = -(-wave.shape[-1] // self.hop)
        left = (self.n_fft - self.hop) // 2
        right = (frames - 1) * self.hop + self.n_fft - left - wave.shape[-1]
        padded = nn.functional.pad(wave, (left, right))
        spectrum = torch.stft(padded, self.n_fft, self.hop, window=self.window, center=False, return_complex=True)
        magnitude = spectrum.abs() * (2 / self.window.sum())
        return torch.log(magnitude.transpose(1, 2) @ self.filters + FLOOR)

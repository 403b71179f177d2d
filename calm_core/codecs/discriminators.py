"""Light multi-resolution spectrogram discriminators for the codec's adversarial loss.

Each judges one STFT resolution with convolutions over time in which all frequencies are channels: two matrix products
a frame instead of hundreds of 2-D positions, which keeps adversarial training affordable on a CPU. A 2-D discriminator
as in EnCodec (Defossez et al. 2022) made each step five times slower here for the same codec.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SpectrogramDiscriminator(nn.Module):
    """Judge a waveform at one STFT resolution.

    Args:
        n_fft: Window in samples; the hop is a quarter of it.
        channels: Channels of the hidden layers.
    """

    window: Tensor

    def __init__(self, n_fft: int, channels: int):
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        norm = nn.utils.parametrizations.weight_norm
        bins = n_fft // 2 + 1
        self.layers = nn.ModuleList(
            [
                norm(nn.Conv1d(2 * bins, channels, 3, padding=1)),
                norm(nn.Conv1d(channels, channels, 5, padding=2, groups=4)),
                norm(nn.Conv1d(channels, channels, 5, padding=4, dilation=2, groups=4)),
                norm(nn.Conv1d(channels, channels, 5, padding=8, dilation=4, groups=4)),
            ]
        )
        self.output = norm(nn.Conv1d(channels, 1, 3, padding=1))

    def forward(self, wave: Tensor) -> tuple[Tensor, list[Tensor]]:
        """`wave [B, S]` to scores `[B, 1, frames]` and the features of every layer."""
        with torch.autocast(wave.device.type, enabled=False):
            spectrum = torch.stft(
                wave.float(), self.n_fft, self.n_fft // 4, window=self.window, return_complex=True, normalized=True
            )
            shrink = (spectrum.real.square() + spectrum.imag.square() + 1e-6).pow(-0.35)
            x = torch.cat([spectrum.real * shrink, spectrum.imag * shrink], dim=1)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.output(x), features


class Discriminators(nn.Module):
    """Several `SpectrogramDiscriminator`s side by side."""

    def __init__(self, n_ffts: tuple[int, ...] = (256, 512, 1024, 2048), channels: int = 128):
        super().__init__()
        self.resolutions = nn.ModuleList(SpectrogramDiscriminator(n_fft, channels) for n_fft in n_ffts)

    def forward(self, wave: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Scores and features of `wave [B, S]` at every resolution."""
        return [judge(wave) for judge in self.resolutions]


Judgement = list[tuple[Tensor, list[Tensor]]]


def discriminator_loss(real: Judgement, fake: Judgement) -> Tensor:
    """Hinge loss of the discriminators, averaged over resolutions."""
    terms = [
        F.relu(1 - r.float()).mean() + F.relu(1 + f.float()).mean() for (r, _), (f, _) in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()


def generator_losses(real: Judgement, fake: Judgement) -> tuple[Tensor, Tensor]:
    """Hinge adversarial loss and relative L1 feature matching of the codec, averaged over resolutions and layers."""
    adversarial = torch.stack([-score.float().mean() for score, _ in fake]).mean()
    distances = [
        (f.float() - r.detach().float()).abs().mean() / r.detach().float().abs().mean().clamp(min=1e-3)
        for (_, real_features), (_, fake_features) in zip(real, fake, strict=True)
        for r, f in zip(real_features, fake_features, strict=True)
    ]
    return adversarial, torch.stack(distances).mean()

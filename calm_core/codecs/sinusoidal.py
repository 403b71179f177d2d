"""A causal, streaming VAE codec for music whose latents can be foreseen: it keeps what is heard, and no phases.

    wave -> STFT (100 Hz): log power, log magnitudes in bands one tone wide -> trunk -> mean, log-variance (25 Hz)
    latents (25 Hz) -> trunk -> amplitude of every tone, spectrum of noise (100 Hz) -> tones + noise -> wave

A latent that carries the wave (`codecs.waveform`) turns with every partial: most of its variance looks like chance to
a small model of latents, however steady the note. So the decoder has phases of its own: a bank of sinusoids at fixed
frequencies, equal steps of the tempered scale, and noise through a filter (spectral modelling synthesis, Serra and
Smith 1990; differentiable form: Engel et al. 2020, DDSP). A tone stands still for as long as its amplitude does.

Beside the network there is a linear path from the bands to the amplitudes through the latents, which training begins at
the principal components of the bands (`SinusoidalCodec.start`): sixty-four of them hold all but 2.5 % of the variance
of synthetic music. Without it the network had learnt loudness and colour after 600 steps, and no notes.

What it gives up: the wave itself (there is no SI-SNR to speak of), and pitches between two tones, which become the
nearer tone or the beating of both.

Synthesis frames are two hops long and fade into each other. Shapes and timing: see `codecs.trunk`; K tones.
"""

from __future__ import annotations

import functools
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.codecs.excitation import noise_from, windows
from calm_core.codecs.trunk import DecoderTrunk, EncoderTrunk, FrameCodec, States, causal_window
from calm_core.codecs.waveform import sine_window
from calm_core.config import SinusoidalConfig
from calm_core.nn.mel import FLOOR, tone_filters, tone_frequencies
from calm_core.state import State, read, write

# Points at which the noise is predicted; between them its spectrum is a straight line in decibels.
NOISE_POINTS = 81
# Of the natural-log magnitudes of tones, about.
TONE_MEAN, TONE_SCALE = -7.0, 2.0
# Long windows that are transformed at once.
WINDOWS = 512


def frequencies(config: SinusoidalConfig) -> Tensor:
    """Of the tones, `[K]`, Hz, double."""
    return tone_frequencies(config.lowest, config.per_octave, config.tones)


# Constants are made when they are first used, and are no buffers: a model that is loaded begins without storage.


class _Ear:
    """The analysis of `tone_window` samples: a Hann window `[W]` and filters `[bins, K]`."""

    def __init__(self, config: SinusoidalConfig):
        self.window = torch.hann_window(config.tone_window)
        self.filters = tone_filters(config.tone_window, frequencies(config), config.sample_rate)

    def log_tones(self, frames: Tensor) -> Tensor:
        """Log magnitudes `[..., K]` in the bands of `frames [..., W]`."""
        window = self.window.to(frames.device)
        spectrum = torch.fft.rfft(frames * window)
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-10).sqrt() * (2 / self.window.sum())
        return torch.log(magnitude @ self.filters.to(frames.device) + FLOOR)

    def response(self, hertz: Tensor, sample_rate: int) -> Tensor:
        """Magnitude in its own band of a tone of amplitude one, for each of `hertz [K]`: `[K]`."""
        time = torch.arange(len(self.window)) / sample_rate
        tones = torch.cos(2 * torch.pi * hertz[:, None] * time).float() * self.window
        magnitude = torch.fft.rfft(tones).abs() * (2 / self.window.sum())
        return (magnitude * self.filters.T).sum(-1)


class _Bank:
    """Of every tone, the turns in a hop `[K]`, double, and two faded waves of a frame's length: `[2 K, n_fft]`."""

    def __init__(self, config: SinusoidalConfig):
        hertz = frequencies(config)
        generator = torch.Generator().manual_seed(20261129)
        turn = torch.rand(config.tones, generator=generator, dtype=torch.float64)
        within = hertz[:, None] * torch.arange(config.n_fft) / config.sample_rate + turn[:, None]
        both = torch.stack([torch.cos(2 * torch.pi * within), -torch.sin(2 * torch.pi * within)])
        self.turns = hertz * config.hop / config.sample_rate
        self.waves = (both * sine_window(config.n_fft).square()).flatten(0, 1).float()


@functools.cache
def _ear(config: str) -> _Ear:
    with torch.inference_mode(False):  # what inference made first, training could not use
        return _Ear(SinusoidalConfig.model_validate_json(config))


@functools.cache
def _bank(config: str) -> _Bank:
    with torch.inference_mode(False):
        return _Bank(SinusoidalConfig.model_validate_json(config))


class SinusoidalEncoder(EncoderTrunk):
    """Log power and log tones to the posterior of the latents."""

    def __init__(self, config: SinusoidalConfig):
        super().__init__(config, config.n_fft // 2 + 1 + config.tones)
        self.config = config.model_dump_json()
        self.tone_window, self.count = config.tone_window, config.tones
        self.direct = nn.Linear(self.strides[0] * self.strides[1] * self.count, config.latent_dim)
        # The network begins as a small correction, and certain.
        self.output.weight.data.mul_(0.1)
        self.output.bias.data[config.latent_dim :].fill_(-3.0)

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` streams before their first sample."""
        past = torch.zeros(batch_size, self.tone_window - self.hop, 1, device=device)
        return {**super().init_state(batch_size, device), "wave": past}

    def features(self, wave: Tensor, state: States) -> Tensor:
        """`wave [B, N]` to frames `[B, N / hop, bins + K]` of about unit size; both windows end with the hop."""
        with torch.autocast(wave.device.type, enabled=False):
            past = causal_window(wave.float().unsqueeze(-1), self.tone_window - self.hop, state, "wave").squeeze(-1)
            recent = past[:, self.tone_window - self.n_fft :]
            short = windows(recent, self.n_fft, self.hop, sine_window(self.n_fft, wave.device))
            power = short.real.square() + short.imag.square()
            long = past.unfold(1, self.tone_window, self.hop)
            # Piece by piece, since all windows of half a minute at once would take a hundred times its memory.
            pieces = long.split(max(1, WINDOWS // len(wave)), dim=1)
            tones = torch.cat([_ear(self.config).log_tones(piece) for piece in pieces], dim=1)
            return torch.cat([(torch.log(power + 1e-5) + 3) / 5, (tones - TONE_MEAN) / TONE_SCALE], dim=-1)

    def forward(self, wave: Tensor, state: States = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each `[B, T, D]`, of `wave [B, N]` with whole frames."""
        features = self.features(wave, state)
        mean, log_variance = self.posterior(features, state)
        return mean + self.direct(self.bands(features)).float(), log_variance

    def bands(self, features: Tensor) -> Tensor:
        """The tones `[B, T, 4 K]` of each latent's frames in `features [B, F, bins + K]`."""
        return features[..., -self.count :].unflatten(1, (-1, self.strides[0] * self.strides[1])).flatten(2)


class SinusoidalDecoder(DecoderTrunk):
    """Latents to amplitudes, and to sound."""

    def __init__(self, config: SinusoidalConfig):
        assert config.n_fft == 2 * config.hop, "frames of two hops fade into each other"
        super().__init__(config)
        self.count, self.config = config.tones, config.model_dump_json()
        self.levels = nn.Linear(config.decoder_widths[0], self.count + NOISE_POINTS)
        self.levels.weight.data.mul_(0.1)
        self.direct = nn.Linear(config.latent_dim, self.strides[0] * self.strides[1] * self.count, bias=False)
        # Quiet at first: a tone of amplitude 0.002, and noise far below it.
        start = torch.tensor([-6.0]).repeat(self.count), torch.tensor([-7.0]).repeat(NOISE_POINTS)
        self.levels.bias.data.copy_(torch.cat(start))

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` streams before their first latent."""
        return {
            **super().init_state(batch_size, device),
            "frames": torch.zeros(batch_size, dtype=torch.long, device=device),
            "place": torch.zeros(batch_size, dtype=torch.long, device=device),
            "noise": torch.zeros(batch_size, self.hop, device=device),
        }

    def forward(self, latents: Tensor, state: States = None) -> Tensor:
        """`[B, frame_size T]` samples of `latents [B, T, D]`, `n_fft - hop` samples late."""
        levels = self.levels(self.trunk(latents, state))
        direct = self.direct(latents)
        with torch.autocast(levels.device.type, enabled=False):
            tones, noise = levels.float().split([self.count, NOISE_POINTS], dim=-1)
            tones = tones + direct.float().unflatten(-1, (-1, self.count)).flatten(1, 2)
            past = self.init_state(len(latents), latents.device) if state is None else state
            frames = self._tones(tones.clamp(max=1.0).exp(), read(past, "frames"))
            newest, place = noise_from(read(past, "place"), noise.shape[1] * self.hop)
            heard = torch.cat([read(past, "noise"), newest], dim=1)
            frames = frames + self._noise(noise.clamp(max=1.0), heard)
            if state is not None:
                write(state, "frames", read(past, "frames") + noise.shape[1])
                write(state, "place", place)
                write(state, "noise", heard[:, -self.hop :].clone())
            return self.overlap_add(frames, state)

    def _tones(self, amplitudes: Tensor, before: Tensor) -> Tensor:
        """Frames `[B, F, n_fft]` of `amplitudes [B, F, K]`; each row has had `before [B]` frames.

        Double precision: hours into a stream, the phase is the small rest of many turns.
        """
        frame = before[:, None] + torch.arange(amplitudes.shape[1], device=amplitudes.device)
        bank = _bank(self.config)
        angle = (2 * torch.pi * (frame[..., None] * bank.turns.to(frame.device)).remainder(1.0)).float()
        waves = bank.waves.to(frame.device)
        return torch.cat([amplitudes * angle.cos(), amplitudes * angle.sin()], dim=-1) @ waves

    def _noise(self, levels: Tensor, noise: Tensor) -> Tensor:
        """Frames `[B, F, n_fft]` of `noise [B, hop + F hop]` under log amplitudes `[B, F, NOISE_POINTS]`."""
        window = sine_window(self.n_fft, noise.device)
        gains = F.interpolate(levels, self.n_fft // 2 + 1, mode="linear", align_corners=True).exp()
        return torch.fft.irfft(windows(noise, self.n_fft, self.hop, window) * gains) * window


class SinusoidalCodec(FrameCodec):
    """The codec under the bundled models of music.

    Args:
        config: Sizes of all parts.
    """

    kind: ClassVar[str] = "sinusoidal"
    encoder: SinusoidalEncoder
    decoder: SinusoidalDecoder

    def __init__(self, config: SinusoidalConfig):
        super().__init__(config)
        self.config = config
        self.encoder = SinusoidalEncoder(config)
        self.decoder = SinusoidalDecoder(config)

    @property
    def frequencies(self) -> Tensor:
        """Of the tones, `[K]`, Hz, double."""
        return frequencies(self.config)

    def audible(self) -> Tensor:
        """The linear path to the tones of a frame, `[4 K, D]`."""
        return self.decoder.direct.weight

    @torch.no_grad()
    def start(self, wave: Tensor) -> None:
        """Set the linear path to the principal components of the tones of `wave [B, N]`: a start for training.

        Latents begin with unit variance. B rows of whole frames should have many more frames than there are tones.
        """
        encoder, decoder = self.encoder, self.decoder
        tones = encoder.bands(encoder.features(wave, None)).flatten(0, 1)
        mean = tones.mean(0)
        variance, directions = torch.linalg.eigh((tones - mean).T @ (tones - mean) / len(tones))
        deviation = variance[-self.latent_dim :].clamp(min=1e-8).sqrt()
        into = directions[:, -self.latent_dim :].T / deviation[:, None]
        encoder.direct.weight.copy_(into)
        encoder.direct.bias.copy_(-into @ mean)
        decoder.direct.weight.copy_(TONE_SCALE * directions[:, -self.latent_dim :] * deviation)
        level = TONE_SCALE * mean.unflatten(0, (-1, encoder.count)).mean(0) + TONE_MEAN
        response = _ear(encoder.config).response(self.frequencies, self.sample_rate)
        decoder.levels.bias[: encoder.count] = level - response.log().to(level.device)

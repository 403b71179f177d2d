"""The raw sound that the speech decoder filters: a pulse train that follows the pitch, and noise.

A network that must invent the phases of an inverse STFT needs very long adversarial training before its harmonics
stop buzzing. Speech is pulses and noise through a slowly moving filter (Fant 1960; differentiable form: Engel et al.
2020, DDSP), so the decoder predicts the pitch and the filters, and the phases come from here.

    pitch of each hop  ->  phase (running integral)  ->  sum of all harmonics below half the sample rate

Shapes: B rows, F hops, N = F hop samples.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from calm_core.state import State, read, write

NOISE_SAMPLES = 1 << 18  # the noise repeats after eleven seconds at 24 kHz, which nobody hears


@functools.cache
def _noise_table() -> Tensor:
    return torch.randn(NOISE_SAMPLES, generator=torch.Generator().manual_seed(20260901))


def noise_from(place: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """The next `samples` of noise `[B, samples]` of unit power behind each row's `place [B]`, and the places then."""
    index = (place[:, None] + torch.arange(samples, device=place.device)) % NOISE_SAMPLES
    return _noise_table().to(place.device)[index], (place + samples) % NOISE_SAMPLES


class Excitation:
    """Makes pulses and noise hop by hop; holds no weights.

    Args:
        sample_rate: Hz.
        hop: Samples for which one pitch value counts; the pitch moves linearly to it.
        overlap: Samples of the past that every window needs besides its newest hop.
    """

    def __init__(self, sample_rate: int, hop: int, overlap: int):
        self.sample_rate, self.hop, self.overlap = sample_rate, hop, overlap

    def init_state(self, batch_size: int, device: torch.device | None = None) -> State:
        """Silence, phase zero, the beginning of the noise."""
        return {
            "phase": torch.zeros(batch_size, dtype=torch.float64, device=device),
            "pitch": torch.zeros(batch_size, device=device),
            "place": torch.zeros(batch_size, dtype=torch.long, device=device),
            "pulses": torch.zeros(batch_size, self.overlap, device=device),
            "noise": torch.zeros(batch_size, self.overlap, device=device),
        }

    def __call__(self, pitch: Tensor, state: State | Sequence[State] | None = None) -> tuple[Tensor, Tensor]:
        """Pulses and noise for `pitch [B, F]` in Hz, each `[B, overlap + N]`: the past in front.

        Both have about unit power at any pitch.
        """
        rows, hops = pitch.shape
        past = self.init_state(rows, pitch.device) if state is None else state
        before = read(past, "pitch")
        before = torch.where(before > 0, before, pitch[:, 0])  # a stream begins on its first pitch
        ramp = torch.arange(1, self.hop + 1, device=pitch.device) / self.hop
        knots = torch.cat([before[:, None], pitch], dim=1)
        moving = (knots[:, :-1, None] + (knots[:, 1:] - knots[:, :-1])[..., None] * ramp).flatten(1)
        # Double precision: the highest of a hundred harmonics multiplies any error of the phase by a hundred.
        turns = (moving.double() / self.sample_rate).cumsum(1) + read(past, "phase")[:, None]
        pulses = torch.cat([read(past, "pulses"), self._harmonics(turns.remainder(1.0), moving)], dim=1)
        newest, place = noise_from(read(past, "place"), hops * self.hop)
        noise = torch.cat([read(past, "noise"), newest], dim=1)
        if state is not None:
            write(state, "phase", turns[:, -1].remainder(1.0))
            write(state, "pitch", pitch[:, -1].clone())
            write(state, "place", place)
            write(state, "pulses", pulses[:, -self.overlap :].clone())
            write(state, "noise", noise[:, -self.overlap :].clone())
        return pulses, noise

    def _harmonics(self, turn: Tensor, pitch: Tensor) -> Tensor:
        """Sum over k of cos(2 pi k turn), k pitch below half the rate, in closed form (Dirichlet kernel)."""
        count = torch.floor(0.5 * self.sample_rate / pitch).double()
        half = math.pi * turn
        below = torch.sin(half)
        near = below.abs() < 1e-6
        total = torch.sin((2 * count + 1) * half) / (2 * torch.where(near, torch.ones_like(below), below)) - 0.5
        total = torch.where(near, count, total)
        return (total * torch.sqrt(2 / count)).float()


def windows(signal: Tensor, n_fft: int, hop: int, window: Tensor) -> Tensor:
    """Spectra `[B, F, n_fft / 2 + 1]` of `signal [B, n_fft - hop + F hop]`, one a hop."""
    return torch.fft.rfft(signal.unfold(1, n_fft, hop) * window)


def hold_unvoiced(pitch: Tensor, default: float = 120.0) -> Tensor:
    """`pitch [F]` with zeros (unvoiced) replaced by a line between their voiced neighbours, flat at the ends."""
    voiced = torch.nonzero(pitch > 0).flatten()
    if len(voiced) == 0:
        return torch.full_like(pitch, default)
    place = torch.arange(len(pitch), device=pitch.device)
    right = torch.searchsorted(voiced, place).clamp(max=len(voiced) - 1)
    left = (right - 1).clamp(min=0)
    left = torch.where(place >= voiced[-1], right, left)
    a, b = voiced[left], voiced[right]
    weight = ((place - a).float() / (b - a).clamp(min=1).float()).clamp(0, 1)
    return torch.lerp(pitch[a], pitch[b], weight)

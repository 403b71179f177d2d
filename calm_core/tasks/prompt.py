"""Recordings that a model is asked to go on from: long enough, and speech."""

from __future__ import annotations

import torch
from torch import Tensor

from calm_core.errors import InputError

MIN_SECONDS, MAX_PROMPT_SECONDS = 1.0, 60.0
# What the model hears of a longer prompt: its last seconds, about as much as it was trained to hear without a text.
MAX_HEARD_SECONDS = 6.0
_QUIET_DB = -50.0
# Speech: at least this many seconds with the pitch of a voice, in a sound that rises and falls as syllables do.
_VOICED_SECONDS = 0.25
_SWELL_DB = 3.0
_LOWEST_HZ, _HIGHEST_HZ, _PERIODIC = 60.0, 450.0, 0.6


def voiced_seconds(samples: Tensor, sample_rate: int) -> float:
    """How long `samples` [N] repeat themselves as a voice does, by normalised autocorrelation of 40 ms windows."""
    size, hop = round(0.04 * sample_rate), round(0.02 * sample_rate)
    if samples.numel() < size:
        return 0.0
    windows = samples.float().unfold(0, size, hop)
    windows = windows - windows.mean(-1, keepdim=True)
    power = windows.square().mean(-1)
    spectrum = torch.fft.rfft(windows, 2 * size)
    correlation = torch.fft.irfft(spectrum.abs().square())[:, :size]
    # of shorter overlaps less is expected
    overlap = torch.linspace(1, 1 / size, size)
    normalised = correlation / correlation[:, :1].clamp(min=1e-9) / overlap
    low, high = int(sample_rate / _HIGHEST_HZ), min(int(sample_rate / _LOWEST_HZ), size // 2)
    periodic = normalised[:, low:high].max(-1).values > _PERIODIC
    loud = power > 10 ** (_QUIET_DB / 10)
    level = 10 * torch.log10(power[loud].clamp(min=1e-12))
    if len(level) < 2 or level.std() < _SWELL_DB:  # a tone
        return 0.0
    return float((periodic & loud).sum()) * hop / sample_rate


def check_prompt(samples: Tensor, sample_rate: int) -> Tensor:
    """`samples` [N] if they can be continued.

    Raises:
        InputError: too short, too long, too quiet, or without a voice.
    """
    seconds = samples.numel() / sample_rate
    if seconds < MIN_SECONDS:
        raise InputError(
            f"The prompt lasts {seconds:.2f} s and must last at least {MIN_SECONDS:g} s; three seconds are best."
        )
    if seconds > MAX_PROMPT_SECONDS:
        raise InputError(
            f"The prompt lasts {seconds:.0f} s and may last {MAX_PROMPT_SECONDS:.0f} s; cut it to its last seconds."
        )
    heard = samples[-round(MAX_HEARD_SECONDS * sample_rate) :]
    if voiced_seconds(heard, sample_rate) < _VOICED_SECONDS:
        raise InputError(
            f"No speech was found in the last {min(seconds, MAX_HEARD_SECONDS):.0f} s of the prompt; give a recording "
            "in which one person speaks until the end."
        )
    return samples

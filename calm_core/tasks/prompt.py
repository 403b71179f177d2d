"""Recordings that a model is asked to go on from: long enough, and speech, or sound that goes on to the end."""

from __future__ import annotations

import torch
from torch import Tensor

from calm_core.audio import Audio, loudness
from calm_core.errors import InputError

MIN_SECONDS, MAX_PROMPT_SECONDS = 1.0, 60.0
# What the model hears of a longer prompt: of speech its last seconds, about as much as it was trained to hear without a
# text; of music a third of the paper's half minute.
SPEECH_HEARD_SECONDS, MUSIC_HEARD_SECONDS = 6.0, 10.0
# Of music: what is quieter is silence, and this share of samples at full scale is clipping.
_SILENT_LUFS = -60.0
_FULL_SCALE, _CLIPPED_SHARE = 0.999, 1e-3
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


def check_length(
    samples: Tensor, sample_rate: int, what: str = "prompt", advice: str = "three seconds are best"
) -> float:
    """The length of `samples` [N] in seconds, if it is 1 to 60.

    Raises:
        InputError: too short or too long.
    """
    seconds = samples.numel() / sample_rate
    if seconds < MIN_SECONDS:
        raise InputError(f"The {what} lasts {seconds:.2f} s and must last at least {MIN_SECONDS:g} s; {advice}.")
    if seconds > MAX_PROMPT_SECONDS:
        raise InputError(
            f"The {what} lasts {seconds:.0f} s and may last {MAX_PROMPT_SECONDS:.0f} s; cut it to its last seconds."
        )
    return seconds


def check_speech(samples: Tensor, sample_rate: int) -> Tensor:
    """`samples` [N] if they are speech that can be continued.

    Raises:
        InputError: too short, too long, too quiet, or without a voice.
    """
    seconds = check_length(samples, sample_rate)
    heard = samples[-round(SPEECH_HEARD_SECONDS * sample_rate) :]
    if voiced_seconds(heard, sample_rate) < _VOICED_SECONDS:
        raise InputError(
            f"No speech was found in the last {min(seconds, SPEECH_HEARD_SECONDS):.0f} s of the prompt; give a "
            "recording in which one person speaks until the end."
        )
    return samples


def check_heard(
    samples: Tensor, sample_rate: int, what: str = "prompt", heard_seconds: float = MAX_PROMPT_SECONDS
) -> None:
    """Refuse sound [N] of any kind whose end is silence.

    Args:
        samples: at `sample_rate` Hz.
        sample_rate: Hz.
        what: to call them in messages.
        heard_seconds: how much of their end is listened to.

    Raises:
        InputError: too short, too long, or silent.
    """
    seconds = check_length(samples, sample_rate, what, "ten seconds are best")
    heard = samples[-round(heard_seconds * sample_rate) :]
    if not loudness(Audio(heard, sample_rate)) > _SILENT_LUFS:
        raise InputError(
            f"Nothing can be heard in the last {min(seconds, heard_seconds):.0f} s of the {what} (quieter than "
            f"{_SILENT_LUFS:g} LUFS); give a recording that sounds until its end."
        )


def clipping(audio: Audio, what: str = "prompt") -> tuple[str, ...]:
    """A sentence about a sound as it was sent, where it is clipped; nothing where it is not."""
    share = float((audio.samples.abs() >= _FULL_SCALE).float().mean())
    if share < _CLIPPED_SHARE:
        return ()
    return (f"The {what} is clipped ({share:.1%} of its samples are at full scale); new sound may be as harsh.",)

"""Recordings that a model is asked to go on from: long enough, and speech, or sound that goes on to the end."""

from __future__ import annotations

from dataclasses import dataclass

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
_HOP_SECONDS = 0.02
# Speech: at least this many seconds with the pitch of a voice, in a sound that rises and falls as syllables do.
_VOICED_SECONDS = 0.25
_SWELL_DB = 3.0
_LOWEST_HZ, _HIGHEST_HZ, _PERIODIC = 60.0, 450.0, 0.6
# Where the pitch of one window is that of the one before within this interval, it is held or glides; a note is held.
_STEP_CENTS, _HELD_CENTS = 200.0, 12.0
# Of 40 utterances of flite's voices and 150 windows of held-out pieces, 5 s each, the first glide in 62 to 92 % of
# those steps and hiss in 6 to 30 % of their windows; 95 % of the second in less than 25 % and 1 %.
_GLIDING_SHARE, _HISSING_SHARE = 0.45, 0.01
_HISS_HZ, _NOISY = 2000.0, 0.4


@dataclass(frozen=True)
class _Windows:
    """Windows of 40 ms, 20 ms apart, by normalised autocorrelation; each [W].

    Attributes:
        level: in dB of full scale.
        loud: whether it is above -50 dB.
        repeats: the highest autocorrelation in the range of a voice's pitch.
        period: where it lies, in samples.
        rate: crossings of zero, in Hz of the sine that has as many.
    """

    level: Tensor
    loud: Tensor
    repeats: Tensor
    period: Tensor
    rate: Tensor

    @property
    def voiced(self) -> Tensor:
        return self.loud & (self.repeats > _PERIODIC)


def _windows(samples: Tensor, sample_rate: int) -> _Windows | None:
    """The windows of `samples` [N]; None where there is not even one."""
    size, hop = round(0.04 * sample_rate), round(_HOP_SECONDS * sample_rate)
    if samples.numel() < size:
        return None
    windows = samples.float().unfold(0, size, hop)
    windows = windows - windows.mean(-1, keepdim=True)
    power = windows.square().mean(-1)
    spectrum = torch.fft.rfft(windows, 2 * size)
    correlation = torch.fft.irfft(spectrum.abs().square())[:, :size]
    # of shorter overlaps less is expected
    overlap = torch.linspace(1, 1 / size, size)
    normalised = correlation / correlation[:, :1].clamp(min=1e-9) / overlap
    low, high = int(sample_rate / _HIGHEST_HZ), min(int(sample_rate / _LOWEST_HZ), size // 2)
    best = normalised[:, low:high].max(-1)
    crossings = (windows[:, 1:] * windows[:, :-1] < 0).float().mean(-1)
    return _Windows(
        level=10 * torch.log10(power.clamp(min=1e-12)),
        loud=power > 10 ** (_QUIET_DB / 10),
        repeats=best.values,
        period=best.indices + low,
        rate=crossings * sample_rate / 2,
    )


def voiced_seconds(samples: Tensor, sample_rate: int) -> float:
    """How long `samples` [N] repeat themselves as a voice does; 0 where they do not rise and fall as syllables do."""
    found = _windows(samples, sample_rate)
    if found is None or found.loud.sum() < 2 or found.level[found.loud].std() < _SWELL_DB:  # a tone
        return 0.0
    return float(found.voiced.sum()) * _HOP_SECONDS


def is_speech(samples: Tensor, sample_rate: int) -> bool:
    """Whether `samples` [N] are more like a voice that speaks than like music: a pitch that glides, hiss between."""
    found = _windows(samples, sample_rate)
    if found is None:
        return False
    cents = 1200 * found.period.log2().diff().abs()
    smooth = found.voiced[1:] & found.voiced[:-1] & (cents < _STEP_CENTS)
    gliding = float((smooth & (cents > _HELD_CENTS)).sum()) / max(1.0, float(smooth.sum()))
    hissing = float((found.loud & (found.repeats < _NOISY) & (found.rate > _HISS_HZ)).float().mean())
    return gliding > _GLIDING_SHARE and hissing > _HISSING_SHARE


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


def spoken(audio: Audio, what: str = "prompt") -> tuple[str, ...]:
    """A sentence about a sound as it was sent, where the end that a model of music hears is speech; else nothing."""
    heard = audio.mono().samples[-round(MUSIC_HEARD_SECONDS * audio.sample_rate) :]
    if not is_speech(heard, audio.sample_rate):
        return ()
    return (
        f"The {what} sounds like speech, and this model has only heard music: it will not speak. There are other "
        "models for speech that goes on.",
    )

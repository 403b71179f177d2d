"""Headphone checks, made anew for each session: antiphase tones and Huggins pitch.

Both play three sounds a trial and ask for one of them; loudspeakers mix the ears and spoil the difference.

- `woods` (Woods et al. 2017, doi:10.3758/s13414-017-1361-2): six trials of 200 Hz tones; which one is quietest? One is
  6 dB quieter; another one, as loud as the rest, is in antiphase at the ears, so that over loudspeakers it seems the
  quietest. Passed with 5 of 6.
- `huggins` (Milne et al. 2020, doi:10.3758/s13428-020-01514-0): six trials of white noise; which one hums? In one, the
  band within 6 % of 600 Hz is turned by 180 degrees at the right ear, heard as a faint tone over headphones only.
  Passed with 6 of 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from app.studies.sounds import Sound, wave_bytes

Check = Literal["woods", "huggins"]
TRIALS = 6
CHOICES = 3
NEEDED = {"woods": 5, "huggins": 6}
RATE = 44_100
SOUND_SECONDS, GAP_SECONDS = 1.0, 0.5
SECONDS = CHOICES * SOUND_SECONDS + (CHOICES - 1) * GAP_SECONDS

_TONE_HZ, _QUIETER_DB = 200.0, 6.0
_PITCH_HZ, _BAND = 600.0, 0.06
_LEVEL = {"woods": 0.25, "huggins": 0.08}  # RMS of a full sound: comfortable beside speech at -23 LUFS
_RAMP_SECONDS = {"woods": 0.1, "huggins": 0.03}


def answers(check: Check, seed: int) -> list[int]:
    """The right choice of each trial, 0 to 2; each occurs twice, in an order that the session's seed decides.

    For the server only.
    """
    order = np.random.default_rng([seed, _number(check), 0]).permutation(np.arange(TRIALS) % CHOICES)
    return [int(choice) for choice in order]


def passed(check: Check, seed: int, given: Sequence[int]) -> tuple[bool, int]:
    """Whether a listener's choices pass, and how many are right."""
    right = sum(choice == answer for choice, answer in zip(given, answers(check, seed), strict=False))
    return len(given) == TRIALS and right >= NEEDED[check], right


def trial_sound(check: Check, seed: int, trial: int) -> Sound:
    """The sound of a trial: three sounds of 1 s with gaps of 0.5 s, `[T, 2]` at 44.1 kHz.

    Args:
        check: Which one.
        seed: The session's; the same seed gives the same bits.
        trial: 0 to 5.
    """
    assert 0 <= trial < TRIALS
    rng = np.random.default_rng([seed, _number(check), 1, trial])
    target = answers(check, seed)[trial]
    # the antiphase tone never is the quieter one
    lure = (target + int(rng.integers(1, CHOICES))) % CHOICES
    gap = np.zeros((round(GAP_SECONDS * RATE), 2))
    parts: list[np.ndarray] = []
    for choice in range(CHOICES):
        if check == "woods":
            part = _tone(quieter=choice == target, antiphase=choice == lure)
        else:
            part = _noise(rng, pitch=choice == target)
        parts += [part * _ramps(len(part), _RAMP_SECONDS[check]), gap]
    return Sound(np.concatenate(parts[:-1]), RATE)


def trial_wave(check: Check, seed: int, trial: int) -> bytes:
    """The sound of a trial as a WAV file; all trials of a check have the same size."""
    sound = trial_sound(check, seed, trial)
    return wave_bytes(sound, len(sound.samples), np.random.default_rng([seed, _number(check), 2, trial]))


def volume_wave(seed: int) -> bytes:
    """A second of noise as loud as the check's sounds, to set the volume by."""
    noise = _noise(np.random.default_rng([seed, 3]), pitch=False)
    sound = Sound(noise * _ramps(len(noise), _RAMP_SECONDS["huggins"]), RATE)
    return wave_bytes(sound, len(sound.samples), np.random.default_rng([seed, 4]))


def _number(check: Check) -> int:
    return {"woods": 1, "huggins": 2}[check]


def _tone(*, quieter: bool, antiphase: bool) -> np.ndarray:
    time = np.arange(round(SOUND_SECONDS * RATE)) / RATE
    tone = np.sqrt(2) * _LEVEL["woods"] * np.sin(2 * np.pi * _TONE_HZ * time)
    if quieter:
        tone = tone * 10 ** (-_QUIETER_DB / 20)
    return np.stack([tone, -tone if antiphase else tone], axis=1)


def _noise(rng: np.random.Generator, *, pitch: bool) -> np.ndarray:
    """White noise, the same at both ears but for the turned band."""
    noise = rng.standard_normal(round(SOUND_SECONDS * RATE))
    other = noise
    if pitch:
        spectrum, frequency = np.fft.rfft(noise), np.fft.rfftfreq(len(noise), 1 / RATE)
        spectrum[np.abs(frequency / _PITCH_HZ - 1) <= _BAND] *= -1  # turned by 180 degrees
        other = np.fft.irfft(spectrum, len(noise))
    both = np.stack([noise, other], axis=1)
    return np.clip(both * _LEVEL["huggins"], -0.95, 0.95)


def _ramps(length: int, seconds: float) -> np.ndarray:
    """Raised-cosine fades at both ends, `[T, 1]`."""
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(round(seconds * RATE)) + 0.5) / round(seconds * RATE))
    shape = np.ones(length)
    shape[: len(ramp)], shape[-len(ramp) :] = ramp, ramp[::-1]
    return shape[:, None]

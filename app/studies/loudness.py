"""One loudness for all stimuli of a study, and never a clipped sample.

Loudness in LUFS (ITU-R BS.1770-4), gains in dB, peaks in dB relative to full scale between the samples (dBTP).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import soxr

from app.studies.sounds import Sound

CEILING_DBTP = -1.0  # EBU R 128: what players and converters add between the samples stays below full scale
_BLOCK_SECONDS = 0.4


def loudness(sound: Sound) -> float:
    """Integrated loudness in LUFS; minus infinity for silence. Sounds below 0.4 s are padded to it."""
    missing = max(0, math.ceil(_BLOCK_SECONDS * sound.rate) + 1 - len(sound.samples))
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("ignore")
        import pyloudnorm  # brings scipy, which is slow to load, and the server seldom needs it

        meter = pyloudnorm.Meter(sound.rate)
        return float(meter.integrated_loudness(np.pad(sound.samples, ((0, missing), (0, 0)))))


def true_peak(sound: Sound) -> float:
    """Peak in dBTP: the largest value between the samples too, at four times the rate (BS.1770-4, Annex 2)."""
    step, margin = 10 * sound.rate, sound.rate // 10  # in pieces: a long sound at four times 96 kHz is a lot of memory
    top = sound.peak
    for start in range(0, len(sound.samples), step):
        lead = min(start, margin)  # the filter's ringing where a piece was cut off does not count
        piece = sound.samples[start - lead : start + step + margin]
        four = soxr.resample(piece, sound.rate, 4 * sound.rate, quality="HQ")[4 * lead : 4 * (lead + step)]
        top = max(top, float(np.abs(four).max(initial=0.0)))
    return 20 * math.log10(top) if top > 0 else -math.inf


@dataclass(frozen=True)
class Levels:
    """What is done to the level of each stimulus.

    Attributes:
        lufs: Loudness that all stimuli get: the target, or less where one could not reach it unclipped.
        target: What was asked for; None when levels are left alone.
        limited_by: The stimulus that holds the others down, if one does.
        gains: dB for each stimulus.
    """

    lufs: float | None
    target: float | None
    limited_by: str | None
    gains: dict[str, float]


def level(measured: Mapping[str, tuple[float, float]], target: float | None) -> Levels:
    """Gains that give all stimuli one loudness without clipping any.

    A limiter would colour the very thing that is judged, so a stimulus with high peaks lowers the loudness of all
    instead: equal loudness matters more than the exact target.

    Args:
        measured: Of each stimulus its loudness (LUFS) and its highest peak (dBTP), that of an anchor made of it
            included.
        target: LUFS; None keeps every level but what would clip, which lowers all alike.
    """
    if target is None:
        over = max((peak - CEILING_DBTP for _, peak in measured.values()), default=0.0)
        loudest = max(measured, key=lambda name: measured[name][1]) if over > 0 else None
        return Levels(None, None, loudest, dict.fromkeys(measured, -max(0.0, over)))
    reachable = {name: lufs + CEILING_DBTP - peak for name, (lufs, peak) in measured.items() if math.isfinite(lufs)}
    lowest = min(reachable, key=lambda name: reachable[name], default=None)
    limited = lowest is not None and reachable[lowest] < target
    lufs = reachable[lowest] if limited and lowest is not None else target
    gains = {name: lufs - own if math.isfinite(own) else 0.0 for name, (own, _) in measured.items()}
    return Levels(lufs, target, lowest if limited else None, gains)


def amplified(sound: Sound, gain_db: float) -> Sound:
    """The sound with a gain."""
    return Sound(sound.samples * 10 ** (gain_db / 20), sound.rate)

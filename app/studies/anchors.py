"""The anchors of BS.1534-3: the reference through a low-pass filter at 3.5 kHz or 7 kHz, with no delay.

The mask for 3.5 kHz: within 0.1 dB up to 3.5 kHz, at least 25 dB down at 4 kHz and 50 dB at 4.5 kHz. The anchor at
7 kHz keeps to the same mask at twice the frequencies; where the rate has no room for it, the filter ends below half
the rate.
Frequencies and rates in Hz.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np

from app.studies.sounds import Sound

AnchorKind = Literal["low", "mid"]
CUTOFF = {"low": 3500.0, "mid": 7000.0}
RIPPLE_DB = 0.1
STOP_RATIOS = ((4.0 / 3.5, 25.0), (4.5 / 3.5, 50.0))  # times the cut-off: attenuation in dB
MIN_RATE = {"low": 8_000, "mid": 16_000}
_ATTENUATION_DB = 65.0  # of a Kaiser window; its ripple in the pass band is 0.005 dB


@cache
def anchor_filter(kind: AnchorKind, rate: int) -> np.ndarray:
    """Coefficients of the filter, an odd number, symmetric: its only delay is half its length.

    The transition band ends where the mask asks for 25 dB; a filter that falls to 50 dB no sooner than the mask asks
    would be 6 dB down in the middle of its transition, which lies just there. Near half the rate it ends earlier.

    Raises:
        ValueError: The rate is too low for the anchor.
    """
    if rate < MIN_RATE[kind]:
        raise ValueError(
            f"an anchor at {CUTOFF[kind]:g} Hz needs at least {MIN_RATE[kind]} samples a second, not {rate}"
        )
    edge = CUTOFF[kind]
    stop = min(edge * STOP_RATIOS[0][0], edge + 0.9 * (rate / 2 - edge))
    from scipy.signal import firwin, kaiserord  # slow to load, and the server seldom needs it

    taps, beta = kaiserord(_ATTENUATION_DB, (stop - edge) / (rate / 2))
    taps = int(taps) | 1
    window: Any = ("kaiser", beta)  # which firwin takes, though its signature says otherwise
    return np.asarray(firwin(taps, (edge + stop) / 2, window=window, fs=rate), dtype=np.float64)


def make_anchor(reference: Sound, kind: AnchorKind) -> Sound:
    """The anchor of a reference: as long, and aligned with it to the sample.

    Raises:
        ValueError: The reference's rate is too low for the anchor.
    """
    taps = anchor_filter(kind, reference.rate)
    half = len(taps) // 2
    from scipy.signal import fftconvolve

    whole = fftconvolve(reference.samples, taps[:, None], mode="full", axes=0)
    return Sound(whole[half : half + len(reference.samples)], reference.rate)

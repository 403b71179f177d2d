"""Wide-band PESQ by the package `pesq`, which wraps the ITU's own code."""

import pesq

from evaluation.clips import Clip
from evaluation.errors import InputError

_RATE = 16_000


def pesq_wb(reference: Clip, degraded: Clip) -> float:
    """Wide-band PESQ (ITU-T P.862.2), MOS-LQO; it aligns the clips in time itself.

    Raises:
        InputError: No speech was found, or a clip is shorter than 0.25 s.
    """
    clean, noisy = reference.at(_RATE), degraded.at(_RATE)
    if not noisy.any():  # the package divides by the peak level and then reports a nonsense score
        raise InputError(f"PESQ cannot score {degraded.item}: it is silent.")
    try:
        return float(pesq.pesq(_RATE, clean, noisy, "wb"))
    except (pesq.NoUtterancesError, pesq.BufferTooShortError) as error:
        reason = "it is too short" if isinstance(error, pesq.BufferTooShortError) else "no speech was found"
        raise InputError(f"PESQ cannot score {degraded.item} against {reference.item}: {reason}.") from error

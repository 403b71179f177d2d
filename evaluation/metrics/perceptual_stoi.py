"""Short-time objective intelligibility by the package `pystoi`."""

import warnings

from pystoi import stoi as pystoi_stoi

from evaluation.clips import Clip
from evaluation.errors import InputError

_RATE = 16_000


def _stoi(name: str, reference: Clip, degraded: Clip, extended: bool) -> float:
    clean, noisy = reference.at(_RATE), degraded.at(_RATE)
    length = min(len(clean), len(noisy))
    if not clean.any():
        raise InputError(f"{name} cannot score {degraded.item}: {reference.item} is silent.")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Not enough STFT frames")
        try:
            return float(pystoi_stoi(clean[:length], noisy[:length], _RATE, extended=extended))
        except (RuntimeWarning, ValueError) as error:  # ValueError: not even one window
            raise InputError(
                f"{name} cannot score {degraded.item}: {reference.item} needs about 0.4 s of speech."
            ) from error


def stoi(reference: Clip, degraded: Clip) -> float:
    """STOI (Taal et al. 2011), at most 1.

    Raises:
        InputError: Less than about 0.4 s of the reference is not silent.
    """
    return _stoi("STOI", reference, degraded, extended=False)


def estoi(reference: Clip, degraded: Clip) -> float:
    """Extended STOI (Jensen and Taal 2016), at most 1.

    Raises:
        InputError: Less than about 0.4 s of the reference is not silent.
    """
    return _stoi("ESTOI", reference, degraded, extended=True)

"""ViSQOL v3 in speech mode (Chinen et al. 2020) by `visqol-python`, with the lattice that C++ ViSQOL uses."""

from functools import lru_cache

from visqol import VisqolApi

from evaluation.clips import Clip
from evaluation.errors import InputError

_RATE = 16_000


@lru_cache(maxsize=1)
def _api() -> VisqolApi:
    api = VisqolApi()
    api.create(mode="speech", use_lattice_model=True)
    return api


def visqol(reference: Clip, degraded: Clip) -> float:
    """MOS-LQO, 1 to 5; it aligns the clips in time itself.

    Raises:
        InputError: A clip is too short to be cut into patches, or silent.
    """
    clean, noisy = reference.at(_RATE), degraded.at(_RATE)
    for clip, samples in ((reference, clean), (degraded, noisy)):
        if not samples.any():
            raise InputError(f"ViSQOL cannot score {degraded.item}: {clip.item} is silent.")
    try:
        return float(_api().measure_from_arrays(clean, noisy, _RATE).moslqo)
    except ValueError as error:
        raise InputError(f"ViSQOL cannot score {degraded.item}: {reference.item} needs about 1 s of speech.") from error

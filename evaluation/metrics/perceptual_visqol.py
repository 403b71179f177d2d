"""ViSQOL v3 (Chinen et al. 2020) by `visqol-python`: speech with the lattice that C++ ViSQOL uses, audio by its SVR."""

from functools import lru_cache

from visqol import VisqolApi

from evaluation.clips import Clip
from evaluation.errors import InputError

_SPEECH_RATE, _AUDIO_RATE = 16_000, 48_000


@lru_cache(maxsize=2)
def _api(mode: str) -> VisqolApi:
    api = VisqolApi()
    api.create(mode=mode, use_lattice_model=True if mode == "speech" else None)
    return api


def visqol(reference: Clip, degraded: Clip) -> float:
    """MOS-LQO of speech at 16 kHz, 1 to 5; it aligns the clips in time itself.

    Raises:
        InputError: A clip is too short to be cut into patches, or silent.
    """
    return _opinion("speech", _SPEECH_RATE, reference, degraded)


def visqol_audio(reference: Clip, degraded: Clip) -> float:
    """MOS-LQO of music and other sound at 48 kHz, 1 to about 4.73; it aligns the clips in time itself.

    A clip of a lower rate is brought to 48 kHz: the band that it lacks counts against it where the reference has it.

    Raises:
        InputError: A clip is too short to be cut into patches, or silent.
    """
    return _opinion("audio", _AUDIO_RATE, reference, degraded)


def _opinion(mode: str, rate: int, reference: Clip, degraded: Clip) -> float:
    clean, noisy = reference.at(rate), degraded.at(rate)
    for clip, samples in ((reference, clean), (degraded, noisy)):
        if not samples.any():
            raise InputError(f"ViSQOL cannot score {degraded.item}: {clip.item} is silent.")
    try:
        return float(_api(mode).measure_from_arrays(clean, noisy, rate).moslqo)
    except ValueError as error:
        raise InputError(f"ViSQOL cannot score {degraded.item}: {reference.item} needs about 1 s of sound.") from error

"""Whether music has the tempo that its caption names: onsets by librosa, autocorrelation, octave errors apart."""

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.musical_key import LIBROSA
from evaluation.metrics.optional import require

TEMPO_CLASSES = ("slow", "medium", "fast")
SLOW_BELOW_BPM, FAST_FROM_BPM = 90.0, 125.0
"""Where the classes begin, for clips whose caption has a class: slow < 90 <= medium < 120 <= fast."""
TOLERANCE = 0.04
"""Share by which a tempo may be off (Gouyon et al. 2006)."""

_RATE, _HOP = 22_050, 256
_SHORTEST_SEC = 3.0
_RANGE_BPM = (30.0, 300.0)
_PRIOR_BPM, _PRIOR_OCTAVES = 120.0, 1.0


def periodicity_tempo(onsets: np.ndarray, frame_rate: float) -> float | None:
    """The tempo (beats per minute) of an onset strength `[T]`, or None where nothing comes again.

    Peak of the autocorrelation weighted by a normal distribution over octaves around 120 beats per minute, one octave
    wide (Ellis 2007), set between lags by a parabola.
    """
    centred = onsets - onsets.mean()
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(centred))) ** 2
    correlation = np.fft.irfft(spectrum)[: len(centred)]
    first = int(np.ceil(60 * frame_rate / _RANGE_BPM[1]))
    last = min(int(60 * frame_rate / _RANGE_BPM[0]), len(centred) - 2)
    if correlation[0] <= 1e-9 or last <= first:
        return None
    lags = np.arange(first, last + 1)
    # fewer terms meet at long lags, which would draw the peak to short ones
    similar = correlation[: last + 2] / (len(centred) - np.arange(last + 2))
    prior = np.exp(-0.5 * (np.log2(60 * frame_rate / lags / _PRIOR_BPM) / _PRIOR_OCTAVES) ** 2)
    best = int(lags[np.argmax(similar[lags] * prior)])
    left, middle, right = similar[best - 1 : best + 2]
    if middle <= 0:
        return None
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(60 * frame_rate / (best + np.clip(shift, -0.5, 0.5)))


def find_tempo(clip: Clip) -> float | None:
    """The tempo of a clip in beats per minute, supposed to be steady; None where there are no onsets.

    Raises:
        InputError: librosa is missing, or the clip is shorter than 3 s.
    """
    require("librosa", "The metric tempo_agreement", LIBROSA)
    from librosa.onset import onset_strength

    if clip.seconds < _SHORTEST_SEC:
        raise InputError(f"{clip.item} lasts {clip.seconds:.2f} s; a tempo needs at least {_SHORTEST_SEC:g} s.")
    onsets = onset_strength(y=clip.at(_RATE).astype(np.float32), sr=_RATE, hop_length=_HOP)
    return periodicity_tempo(onsets, _RATE / _HOP)


def tempo_class(bpm: float) -> str:
    """`slow`, `medium` or `fast`; see `SLOW_BELOW_BPM`."""
    return TEMPO_CLASSES[int(bpm >= SLOW_BELOW_BPM) + int(bpm >= FAST_FROM_BPM)]


def class_agreement(found_bpm: float | None, true_class: str) -> tuple[float, float]:
    """Whether the tempo is of a class, and whether it, its half or its double is: 1 or 0 each."""
    if found_bpm is None:
        return 0.0, 0.0
    octaves = {tempo_class(found_bpm * factor) for factor in (0.5, 1, 2)}
    return float(tempo_class(found_bpm) == true_class), float(true_class in octaves)


def tempo_accuracy(found_bpm: float | None, true_bpm: float) -> tuple[float, float]:
    """Gouyon et al.'s accuracies 1 and 2, 1 or 0 each: within 4 %, and that of the tempo times 1/3, 1/2, 1, 2 or 3."""
    if found_bpm is None:
        return 0.0, 0.0

    def near(factor: float) -> bool:
        return abs(found_bpm - factor * true_bpm) <= TOLERANCE * factor * true_bpm

    return float(near(1)), float(any(near(factor) for factor in (1 / 3, 1 / 2, 1, 2, 3)))

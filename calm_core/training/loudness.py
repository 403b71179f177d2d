"""Loudness of what corpora hold."""

import numpy as np


def normalise_loudness(samples: np.ndarray, sample_rate: int, target_lufs: float) -> np.ndarray:
    """Scale samples `[T]` to a loudness (ITU-R BS.1770), less where a peak would pass 0.97 of full scale."""
    import pyloudnorm

    padded = np.pad(samples, (0, max(0, sample_rate // 2 - len(samples))))  # the meter needs 0.4 s
    loudness = pyloudnorm.Meter(sample_rate).integrated_loudness(padded)
    gain = 10 ** ((target_lufs - loudness) / 20) if np.isfinite(loudness) else 1.0
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * min(gain, 0.97 / max(peak, 1e-9))

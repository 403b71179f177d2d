"""Metrics that need only the signal: SI-SNR, mel distance, log-spectral distance."""

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError

_FLOOR = 1e-5  # amplitude under which a bin counts as silence (-100 dB), so that digital zero costs nothing extra


def _pair(reference: Clip, degraded: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Both clips at the reference's rate, cut to the shorter: two arrays `[T]`."""
    clean, noisy = reference.samples, degraded.at(reference.sample_rate)
    length = min(len(clean), len(noisy))
    return clean[:length], noisy[:length]


def si_snr(reference: Clip, degraded: Clip) -> float:
    """Scale-invariant signal-to-noise ratio in dB (Le Roux et al. 2019, "SDR - half-baked or well done?", equation 3).

    Both powers are floored 100 dB under the degraded clip's, so values lie between -100 and 100.

    Raises:
        InputError: A clip is silent.
    """
    clean, noisy = _pair(reference, degraded)
    clean, noisy = clean - clean.mean(), noisy - noisy.mean()
    for clip, samples in ((reference, clean), (degraded, noisy)):
        if not samples.any():
            raise InputError(f"{clip.item} is silent; SI-SNR needs two clips with sound.")
    target = (noisy @ clean) / (clean @ clean) * clean
    error = noisy - target
    tiny = 1e-10 * (noisy @ noisy)
    return float(10 * np.log10((target @ target + tiny) / (error @ error + tiny)))


def _magnitudes(samples: np.ndarray, window: int, hop: int) -> np.ndarray:
    """Hann-windowed amplitude spectra `[N, window // 2 + 1]`; a full-scale sine reads about 1."""
    padded = np.pad(samples, (0, max(0, window - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    taper = np.hanning(window)
    return np.abs(np.fft.rfft(frames * taper, axis=1)) * (2 / taper.sum())


def mel_filters(sample_rate: int, window: int, bands: int) -> np.ndarray:
    """Triangular filters `[window // 2 + 1, bands]` with equal spacing on the mel scale 2595 log10(1 + f / 700)."""
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    bins = np.linspace(0, sample_rate / 2, window // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))


def log_mel_frames(samples: np.ndarray, sample_rate: int, window: int, hop: int, bands: int) -> np.ndarray:
    """Natural logarithm of mel amplitudes `[N, bands]`; windows and hops in samples."""
    return np.log(np.maximum(_magnitudes(samples, window, hop) @ mel_filters(sample_rate, window, bands), _FLOOR))


def mel_distance(reference: Clip, degraded: Clip) -> float:
    """Mean absolute difference of log-mel amplitudes: 80 bands, 64 ms windows, 16 ms hop; natural logarithm."""
    rate = reference.sample_rate
    window, hop = round(0.064 * rate), round(0.016 * rate)
    clean, noisy = (log_mel_frames(samples, rate, window, hop, 80) for samples in _pair(reference, degraded))
    return float(np.abs(clean - noisy).mean())


def log_spectral_distance(reference: Clip, degraded: Clip) -> float:
    """Log-spectral distance in dB: root mean square over frequency, mean over 32 ms frames (Gray and Markel 1976)."""
    rate = reference.sample_rate
    window, hop = round(0.032 * rate), round(0.008 * rate)
    clean, noisy = (
        20 * np.log10(np.maximum(_magnitudes(samples, window, hop), _FLOOR)) for samples in _pair(reference, degraded)
    )
    return float(np.sqrt(((clean - noisy) ** 2).mean(axis=1)).mean())


def level_db(clip: Clip) -> float:
    """Mean power in dB of full scale; silence is -100."""
    return float(10 * np.log10(max(float(np.square(clip.samples).mean()), 1e-10)))


def spectral_centroid(clip: Clip) -> float:
    """Mean frequency of a clip's power, Hz, over 64 ms frames together: what is loud counts; 0 for silence."""
    window = round(0.064 * clip.sample_rate)
    power = np.square(_magnitudes(clip.samples, window, window // 2)).sum(axis=0)
    frequencies = np.linspace(0, clip.sample_rate / 2, len(power))
    return float(frequencies @ power / power.sum()) if power.sum() > 0 else 0.0

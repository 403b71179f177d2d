"""Whether chains agree and what they are worth (Vehtari, Gelman, Simpson, Carpenter, Burkner 2021).

Shapes: C chains, S sweeps, K parameters.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from evaluation.bradley_terry.posterior import Convergence
from evaluation.errors import InputError


class NotConverged(InputError):
    """The chains did not agree within the sweeps allowed."""


def _split(draws: np.ndarray) -> np.ndarray:
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    flat = draws.reshape(-1, draws.shape[-1])
    return ndtri((rankdata(flat, axis=0) - 0.375) / (len(flat) + 0.25)).reshape(draws.shape)


def _plain_r_hat(draws: np.ndarray) -> np.ndarray:
    within = draws.var(axis=1, ddof=1).mean(axis=0)
    between = draws.mean(axis=1).var(axis=0, ddof=1)
    sweeps = draws.shape[1]
    return np.sqrt((sweeps - 1) / sweeps + between / np.maximum(within, 1e-300))


def r_hat(draws: np.ndarray) -> np.ndarray:
    """Rank-normalised split R-hat of location and of spread, the larger of the two.

    Args:
        draws: `[C, S, K]`.

    Returns:
        `[K]`; about 1 where the chains agree.
    """
    halves = _split(draws)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.maximum(_plain_r_hat(_normal_scores(halves)), _plain_r_hat(_normal_scores(folded)))


def effective_draws(draws: np.ndarray) -> np.ndarray:
    """Effective sample size of the mean, by autocorrelations cut where their pairs turn negative (Geyer 1992).

    Args:
        draws: `[C, S, K]`.

    Returns:
        `[K]`; at most the number of draws.
    """
    x = _normal_scores(_split(draws))
    chains, sweeps, _ = x.shape
    spectrum = np.fft.rfft(x - x.mean(axis=1, keepdims=True), n=2 * sweeps, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :sweeps].mean(axis=0) / sweeps
    within = covariance[0] * sweeps / (sweeps - 1)
    total = within * (sweeps - 1) / sweeps + x.mean(axis=1).var(axis=0, ddof=1)
    correlation = 1 - (within - covariance) / np.maximum(total, 1e-300)
    correlation[0] = 1
    pairs = correlation[: sweeps // 2 * 2].reshape(sweeps // 2, 2, -1).sum(axis=1)
    kept = np.minimum.accumulate(pairs > 0, axis=0)
    time = 2 * (np.minimum.accumulate(pairs, axis=0) * kept).sum(axis=0) - 1
    return np.minimum(chains * sweeps / np.maximum(time, 1e-3), chains * sweeps)


def judge(draws: np.ndarray, names: list[str]) -> Convergence:
    """Sum up chains by their worst parameter.

    Args:
        draws: `[C, S, K]`.
        names: Of the parameters, `K`.
    """
    ratios = r_hat(draws)
    worst = int(ratios.argmax())
    return Convergence(float(ratios[worst]), float(effective_draws(draws).min()), draws.shape[1], names[worst])

"""The channels in which a model of frames sees latents, and what each counts, measured on the training set.

With `scale: channels` every channel of the codec has zero mean and unit deviation, as in the paper. The channels of a
VAE are about equally wide already, whether they move every tone or hardly one, and a head then spends itself on what
nobody hears, while small errors in the few channels that carry loudness and pitch are loud.

With `scale: audible` the channels are the right singular vectors of the codec's map W of latents to log amplitudes
(`Codec.audible`), of zero mean and unit deviation, and what the head draws is wider where more is heard: by the root of
the deviation of the log amplitudes that a channel moves. By that deviation itself two channels of 64 of the bundled
codec of music would have five eighths of the variance (120 held-out pieces).

Shapes: D latent width, T frames, O amplitudes.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from calm_core.audio_lm import AudioLM
from calm_core.training.statistics import exact_statistics


@torch.no_grad()
def measure(model: AudioLM, rows: Collection[Tensor], noise: float = 0.0) -> None:
    """Set the scale of a model of latents, and fit its linear prediction if it has one.

    Args:
        model: with the weights of its codec.
        rows: codec latents of the training set, each [T, D].
        noise: mean variance of the noise on top of what linear prediction will hear.
    """
    if model.latent_basis is None:
        model.latent_mean, model.latent_std = exact_statistics(rows)
    else:
        gain, basis = audible_channels(model.codec.audible())
        mean, model.latent_std = exact_statistics([row.float() @ basis.T for row in rows])
        model.latent_basis, model.latent_mean = basis, mean @ basis
        width = gain * model.latent_std
        model.latent_weight = (width / width.mean()).sqrt()
    if model.linear_prediction is not None:
        model.linear_prediction.fit((model.normalise(row.float()) for row in rows), noise)


def audible_channels(heard: Tensor) -> tuple[Tensor, Tensor]:
    """Gains [D], falling, and the orthonormal basis [D, D] of `scale: audible`, one channel a row.

    Args:
        heard: W [O, D], O at least D, of full rank.
    """
    _, gain, basis = torch.linalg.svd(heard.double().cpu(), full_matrices=False)
    return gain.float(), basis.float()

"""The scale on which a model of frames sees latents, measured on the training set.

With `scale: channels` every channel has zero mean and unit deviation, as in the paper. The channels of a VAE are about
equally wide already, whether they move every tone or hardly one, and a head then spends itself on what nobody hears,
while small errors in the few channels that carry loudness and pitch are loud.

With `scale: audible` the channels are the right singular vectors of the codec's map W of latents to log amplitudes
(`Codec.audible`), each as wide as what it changes there, and all together of unit variance: the distance between two
frames is that between what is heard of them. Of the bundled codec of music 17 of 64 channels then hold nine tenths of
the variance, and what a linear map of the last frame leaves open is seventeen times its median in one frame of a
hundred, where notes begin; with channels of unit deviation it is four times (90 pieces).

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
    model.latent_mean, model.latent_std = exact_statistics(rows)
    if model.latent_basis is not None:
        model.latent_basis, model.latent_std = audible_scale(model.codec.audible(), rows, model.latent_mean)
    if model.linear_prediction is not None:
        scaled = (model.normalise(row.float()) for row in rows)
        model.linear_prediction.fit(scaled, noise, alike=model.latent_basis is not None)


def audible_scale(heard: Tensor, rows: Collection[Tensor], mean: Tensor) -> tuple[Tensor, Tensor]:
    """The basis [D, D] of `scale: audible`, one channel a row, and what each is divided by, [D].

    Args:
        heard: W [O, D], O at least D, of full rank.
        rows: latents, each [T, D].
        mean: of all frames, [D].
    """
    _, gain, basis = torch.linalg.svd(heard.double().cpu(), full_matrices=False)
    variance, count = torch.zeros_like(gain), 0
    for row in rows:
        variance += ((row.double() - mean.double()) @ basis.T).square().sum(0)
        count += len(row)
    common = (gain.square() * variance / count).mean().sqrt()
    return basis.float(), (common / gain).float()

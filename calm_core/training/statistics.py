"""Mean and deviation of a codec's latents, exact, kept as `statistics.safetensors` beside them.

Shapes: D latent width.
"""

from collections.abc import Collection
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from calm_core.config import LatentStatisticsConfig, describe
from calm_core.errors import InputError
from calm_core.training.checkpoint import write_tensors
from calm_core.weights import read_tensors

FILE = "statistics.safetensors"


def exact_statistics(latents: Collection[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and deviation (of a sample: divided by frames - 1), each `[D]`, of all frames of some `latents [T, D]`.

    Two passes in float64, an utterance at a time. (A moving average still holds 37 % of where it began after as many
    steps as it remembers.)
    """
    frames = sum(x.shape[0] for x in latents)
    mean = torch.stack([x.double().sum(0) for x in latents]).sum(0) / frames
    squares = torch.stack([(x.double() - mean).square().sum(0) for x in latents]).sum(0)
    return mean.float(), (squares / (frames - 1)).sqrt().float()


def write_statistics(folder: Path, latents: Collection[Tensor]) -> None:
    """Write `latent_mean` and `latent_std`, each `[D]`, of a training split to the folder of its latents."""
    mean, std = exact_statistics(latents)
    write_tensors(folder / FILE, {"latent_mean": mean, "latent_std": std})


def read_statistics(path: Path) -> LatentStatisticsConfig:
    """What `write_statistics` wrote, as a codec's configuration has it.

    Raises:
        InputError: There is no such file, it holds something else, or a channel never changes.
    """
    tensors = read_tensors(path)
    if not {"latent_mean", "latent_std"} <= tensors.keys():
        raise InputError(f"{path} holds no latent_mean and latent_std; give the {FILE} of a codec's latents.")
    # nine digits bring back every bit of a float32
    mean, std = ([float(f"{v:.9g}") for v in tensors[name].tolist()] for name in ("latent_mean", "latent_std"))
    try:
        return LatentStatisticsConfig(mean=mean, std=std)
    except ValidationError as error:
        raise InputError(f"{path}: {describe(error)}") from None

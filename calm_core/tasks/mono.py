"""Any sound as one channel at the rate a codec wants."""

from __future__ import annotations

import torch
from torch import Tensor

from calm_core.audio import Audio, resample
from calm_core.errors import InputError


def mono(audio: Audio, sample_rate: int) -> Tensor:
    """Samples [N] at `sample_rate` Hz in one channel.

    Raises:
        InputError: the sound is empty or holds values that are not numbers.
    """
    samples = audio.mono().samples.float()
    if samples.numel() == 0:
        raise InputError("The sound is empty; give a recording with at least half a second.")
    if not torch.isfinite(samples).all():
        raise InputError("The sound holds values that are not numbers; export it again.")
    return resample(samples, audio.sample_rate, sample_rate)

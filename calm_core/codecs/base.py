"""What every codec offers: waves to latents and back, the way back also as a stream.

Shapes: B rows, N samples, T frames, D latent width. Sample rates in Hz, frame rates in frames/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.nn.packed import pack
from calm_core.state import State


class Codec(nn.Module):
    """Base class of causal codecs with continuous latents.

    Attributes:
        sample_rate: of the waves, Hz.
        frame_rate: latents per second.
        latent_dim: width D of the latents that `decode` takes.
        encoder_dim: width of the latents that `encode` gives; differs from D only in old releases
            whose encoder serves voice prompts alone.
        frame_size: samples per latent.
        delay: samples by which the output of `decode` comes late; the first `delay` samples of a
            stream are run-in and are thrown away.
    """

    kind: ClassVar[str]
    delay: int = 0

    def __init__(self, sample_rate: int, frame_rate: float, latent_dim: int, encoder_dim: int):
        super().__init__()
        self.sample_rate = sample_rate
        self.frame_rate = frame_rate
        self.latent_dim = latent_dim
        self.encoder_dim = encoder_dim
        self.frame_size = int(sample_rate / frame_rate)

    def encode(self, wave: Tensor) -> Tensor:
        """Mean latents [B, ceil(N / frame_size), encoder_dim] of wave [B, 1, N]."""
        raise NotImplementedError

    def audible(self) -> Tensor:
        """The linear map [O, D] of latents to log amplitudes of what is heard, of codecs that have one."""
        raise NotImplementedError

    def posterior(self, wave: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each [B, T, D], of wave [B, 1, N]; for training."""
        raise NotImplementedError

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` decoder streams before their first frame."""
        raise NotImplementedError

    def decode(self, latents: Tensor, state: State | Sequence[State] | None = None) -> Tensor:
        """Waves [B, 1, T * frame_size] of latents [B, T, D].

        Args:
            latents: the next T frames of each row.
            state: one state for rows that started together, or one state a row; updated in place.
                None decodes from the beginning and keeps nothing.
        """
        raise NotImplementedError

    def reconstruct(self, wave: Tensor) -> Tensor:
        """Wave [B, 1, N] through the mean latents and back, aligned and of the same length."""
        late = self.decode(self.encode(F.pad(wave, (0, self.delay))))
        return late[..., self.delay : self.delay + wave.shape[-1]]

    def optimise(self, rounded: bool = False) -> None:
        """Rearrange the weights for inference on the CPU (see `nn.packed`); afterwards the codec cannot be saved."""
        pack(self, rounded)

    def pad(self, wave: Tensor) -> Tensor:
        """Zeros at the end of wave [..., N] up to a whole number of frames."""
        return F.pad(wave, (0, -wave.shape[-1] % self.frame_size))

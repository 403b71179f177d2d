"""Another codec's encoder and decoder around residual codebooks: the discrete counterpart of the VAE codecs.

    wave -> encoder -> mean latents -> codes (K levels a frame) -> sum of codes -> decoder -> wave

Mimi (Defossez et al. 2024) with Mimi VAE's neural parts, which is what CALM compares its VAE with (table 1). Nothing is
drawn from the posterior: the codebooks take the Gaussian's place.

Shapes: B rows, N samples, T frames, D latent width, K levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from calm_core.codecs.base import Codec
from calm_core.codecs.quantizer import ResidualVectorQuantizer
from calm_core.codecs.sinusoidal import SinusoidalCodec
from calm_core.codecs.spectral import SpectralCodec
from calm_core.codecs.vae import VAECodec
from calm_core.codecs.waveform import WaveformCodec
from calm_core.config import RVQConfig
from calm_core.errors import InputError
from calm_core.nn.packed import pack
from calm_core.state import State

AUTOENCODERS: dict[str, type[SpectralCodec | VAECodec | WaveformCodec | SinusoidalCodec]] = {
    codec.kind: codec for codec in (SpectralCodec, VAECodec, WaveformCodec, SinusoidalCodec)
}


class RVQCodec(Codec):
    """A codec with discrete latents.

    Args:
        config: The autoencoder and the codebooks.

    Attributes:
        autoencoder: The codec whose encoder and decoder these are; its weights are named `autoencoder.*`.
        quantizer: The codebooks.
        levels: K, codes a frame.
        codebook_size: Codes to choose from at each level.

    Raises:
        InputError: The autoencoder's encoder gives latents of another width than its decoder takes.
    """

    kind: ClassVar[str] = "rvq"

    def __init__(self, config: RVQConfig):
        inner = config.autoencoder
        autoencoder = AUTOENCODERS[inner.kind](inner)  # type: ignore[arg-type]
        width = autoencoder.latent_dim
        if autoencoder.encoder_dim != width:
            raise InputError(
                f"The encoder of an RVQ codec's autoencoder gives {autoencoder.encoder_dim} numbers a frame and its "
                f"decoder takes {width}; set inner_dim to {width}."
            )
        super().__init__(autoencoder.sample_rate, autoencoder.frame_rate, width, width)
        self.delay = autoencoder.delay
        self.autoencoder = autoencoder
        self.levels, self.codebook_size = config.levels, config.codebook_size
        self.quantizer = ResidualVectorQuantizer(width, config.levels, config.codebook_size, config.codebook_dim)

    def encode(self, wave: Tensor) -> Tensor:
        """Quantised latents `[B, T, D]` of `wave [B, 1, N]`."""
        return self.dequantize(self.codes(wave))

    def codes(self, wave: Tensor) -> Tensor:
        """Codes `[B, T, K]`, long, of `wave [B, 1, N]`."""
        return self.quantize(self.autoencoder.encode(wave))

    def quantize(self, latents: Tensor) -> Tensor:
        """Codes `[B, T, K]`, long, of the encoder's `latents [B, T, D]`."""
        return self.quantizer.quantize(latents)

    def dequantize(self, codes: Tensor) -> Tensor:
        """Latents `[B, T, D]` of the first levels' `codes [B, T, k]`, `1 <= k <= K`."""
        return self.quantizer.dequantize(codes)

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` decoder streams before their first frame."""
        return self.autoencoder.init_state(batch_size, device)

    def decode(self, latents: Tensor, state: State | Sequence[State] | None = None) -> Tensor:
        """Waves `[B, 1, T frame_size]` of `latents [B, T, D]`, `delay` samples late; see `Codec.decode`."""
        return self.autoencoder.decode(latents, state)

    def optimise(self, rounded: bool = False) -> None:
        """Rearrange the weights for inference on the CPU (see `nn.packed`); afterwards the codec cannot be saved."""
        self.autoencoder.optimise(rounded)
        pack(self.quantizer, rounded)

"""A codec on its own: sound to latents and back."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from calm_core.audio import Audio
from calm_core.catalogue import Found, ModelInfo
from calm_core.codecs import Codec, RVQCodec
from calm_core.config import CodecModelConfig
from calm_core.errors import InputError
from calm_core.hub import Progress
from calm_core.tasks.loading import load_codec
from calm_core.tasks.mono import mono

MAX_SECONDS = 600.0


class LatentStatistics(NamedTuple):
    """Of each channel of a codec's latents, over the speech that it was trained on.

    Attributes:
        mean: `[D]`.
        std: `[D]`.
    """

    mean: Tensor
    std: Tensor


class AudioCodec:
    """A loaded codec.

    Attributes:
        info: its line in the list of models.
        sample_rate: Hz.
        frame_rate: latent frames per second.
        latent_dim: width D of the latents.
        bitrate: bits per second of its codes; None where the latents are continuous.
        statistics: of the latents; None where they are not known.
    """

    def __init__(self, info: ModelInfo, codec: Codec, statistics: LatentStatistics | None = None):
        self.info = info
        self.statistics = statistics
        self.codec = codec
        self.sample_rate = codec.sample_rate
        self.frame_rate = codec.frame_rate
        self.latent_dim = codec.latent_dim
        self.bitrate: float | None = None
        if isinstance(codec, RVQCodec):
            self.bitrate = codec.levels * math.log2(codec.codebook_size) * codec.frame_rate

    @staticmethod
    def load(
        found: Found, device: str = "cpu", progress: Progress | None = None, precision: str = "float32"
    ) -> AudioCodec:
        """Load the weights of a found codec.

        Raises:
            InputError: see `loading.load_codec`; or the statistics of the latents are of another width.
        """
        codec = load_codec(found, device, progress, precision)
        known = found.config.latent_statistics if isinstance(found.config, CodecModelConfig) else None
        if known is None:
            return AudioCodec(found.info, codec)
        if len(known.mean) != codec.latent_dim:
            raise InputError(
                f"The configuration of '{found.info.id}' has latent_statistics of {len(known.mean)} channels and its "
                f"codec has {codec.latent_dim}; remove them or give those of this codec."
            )
        statistics = LatentStatistics(torch.tensor(known.mean), torch.tensor(known.std))
        return AudioCodec(found.info, codec, statistics)

    @torch.inference_mode()
    def encode(self, audio: Audio) -> Tensor:
        """Latents [T, D] of a sound of any rate and number of channels.

        Raises:
            InputError: the sound is empty, too long, or holds values that are not numbers.
        """
        return self._encode(self._wave(audio))

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Audio:
        """Sound of latents [T, D].

        Raises:
            InputError: the latents do not have this codec's width.
        """
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim or not latents.shape[0]:
            raise InputError(
                f"The latents have shape {list(latents.shape)} and '{self.info.id}' needs "
                f"[frames, {self.latent_dim}] with at least one frame."
            )
        device = next(self.codec.parameters()).device
        wave = self.codec.decode(latents[None].to(device))[0, 0].float().cpu()
        return Audio(wave[self.codec.delay :], self.sample_rate, {"model": self.info.id})

    @torch.inference_mode()
    def reconstruct(self, audio: Audio) -> Audio:
        """Encode and decode, aligned with the input and of its length at the codec's rate.

        Raises:
            InputError: as for `encode`; or the codec's latents cannot be decoded.
        """
        if self.codec.encoder_dim != self.latent_dim:
            raise InputError(f"'{self.info.id}' has an encoder for voice prompts only; use another codec.")
        wave = self._wave(audio)
        padded = torch.nn.functional.pad(wave, (0, self.codec.delay))
        decoded = self.decode(self._encode(padded)).samples[: wave.shape[0]]
        return Audio(decoded, self.sample_rate, {"model": self.info.id})

    def _encode(self, wave: Tensor) -> Tensor:
        device = next(self.codec.parameters()).device
        return self.codec.encode(wave[None, None].to(device))[0].float().cpu()

    def _wave(self, audio: Audio) -> Tensor:
        wave = mono(audio, self.sample_rate)
        seconds = wave.shape[0] / self.sample_rate
        if seconds > MAX_SECONDS:
            raise InputError(
                f"The sound is {seconds:.0f} s long and the limit is {MAX_SECONDS:.0f} s; cut it into parts."
            )
        return wave

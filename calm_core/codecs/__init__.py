"""Codecs behind one registry: `build_codec(config)` finds the class by `config.kind`."""

from calm_core.codecs.base import Codec
from calm_core.codecs.rvq import RVQCodec
from calm_core.codecs.sinusoidal import SinusoidalCodec
from calm_core.codecs.spectral import SpectralCodec
from calm_core.codecs.vae import VAECodec
from calm_core.codecs.waveform import WaveformCodec

CODECS: dict[str, type[Codec]] = {
    codec.kind: codec for codec in (VAECodec, SpectralCodec, WaveformCodec, SinusoidalCodec, RVQCodec)
}


def build_codec(config: object) -> Codec:
    """The codec that a member of `config.CodecConfig` describes, with untrained weights."""
    return CODECS[config.kind](config)  # type: ignore[attr-defined, call-arg]


__all__ = ["CODECS", "Codec", "RVQCodec", "build_codec"]

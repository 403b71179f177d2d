"""Codecs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from calm_core.config.base import StrictModel


class SEANetConfig(StrictModel):
    """Arguments of `nn.seanet.SEANetEncoder` and `SEANetDecoder`."""

    dimension: int
    channels: int = 1
    n_filters: int
    n_residual_layers: int = 1
    ratios: list[int]
    kernel_size: int = 7
    residual_kernel_size: int = 3
    last_kernel_size: int = 3
    dilation_base: int = 2
    pad_mode: Literal["constant", "replicate"] = "constant"
    compress: int = 2


class CodecTransformerConfig(StrictModel):
    """The Transformer on one side of a codec; `context` in its steps."""

    d_model: int
    input_dimension: int
    output_dimensions: tuple[int]
    num_heads: int
    num_layers: int
    layer_scale: float | None = 0.01
    context: int
    max_period: float = 10_000.0
    dim_feedforward: int


class LatentProjectionConfig(StrictModel):
    """Width of the latents and of what the decoder makes of them."""

    dimension: int
    output_dimension: int


class VAEConfig(StrictModel):
    """`codecs.vae.VAECodec`; the keys are those of the `mimi` section of pocket-tts files."""

    kind: Literal["vae"] = "vae"
    dtype: str = "float32"
    sample_rate: int = 24_000
    channels: int = 1
    frame_rate: float = 12.5
    seanet: SEANetConfig
    transformer: CodecTransformerConfig
    quantizer: LatentProjectionConfig
    weights_path: str | None = None
    inner_dim: int | None = None
    outer_dim: int | None = None
    decoder_seanet: SEANetConfig | None = None
    decoder_transformer: CodecTransformerConfig | None = None
    # Whether the codec also has log-variances, which training needs and releases leave out.
    variational: bool = False


class FrameCodecConfig(StrictModel):
    """`codecs.trunk`: sizes of a codec that works on STFT frames.

    Widths and depths are those of the three frame rates, fastest first: ConvNeXt blocks at the first
    two, Transformer layers at the last.
    """

    sample_rate: int
    frame_rate: float
    latent_dim: int
    n_fft: int
    hop: int
    # Reductions of the STFT frame rate, outer first: 100 Hz / 2 / 4 = 12.5 Hz.
    strides: tuple[int, int]
    encoder_widths: tuple[int, int, int] = (192, 224, 256)
    decoder_widths: tuple[int, int, int] = (224, 224, 256)
    encoder_depths: tuple[int, int, int] = (2, 2, 1)
    decoder_depths: tuple[int, int, int] = (4, 3, 2)
    # Of the Transformers; the context in latent frames.
    heads: int = 4
    feedforward: int = 512
    context: int = 25
    # Of the ConvNeXt blocks.
    expansion: int = 2
    kernel: int = 7


class SpectralConfig(FrameCodecConfig):
    """`codecs.spectral`: for speech, with a head that filters pulses and noise."""

    kind: Literal["spectral"] = "spectral"
    sample_rate: int = 24_000
    frame_rate: float = 12.5
    latent_dim: int = 32
    n_fft: int = 960
    hop: int = 240
    strides: tuple[int, int] = (2, 4)


class WaveformConfig(FrameCodecConfig):
    """`codecs.waveform`: for music, with a head that keeps the wave."""

    kind: Literal["waveform"]
    sample_rate: int = 32_000
    frame_rate: float = 25.0
    latent_dim: int = 128
    n_fft: int = 640
    hop: int = 320
    strides: tuple[int, int] = (2, 2)
    context: int = 50
    # Bins, from the lowest, whose phases the encoder sees and for which there is a linear path: 50 Hz each.
    phase_bins: int = 96


class SinusoidalConfig(FrameCodecConfig):
    """`codecs.sinusoidal`: for music whose latents are to be foreseen, with a head of tones and noise."""

    kind: Literal["sinusoidal"]
    sample_rate: int = 32_000
    frame_rate: float = 25.0
    latent_dim: int = 64
    n_fft: int = 640
    hop: int = 320
    strides: tuple[int, int] = (2, 2)
    encoder_widths: tuple[int, int, int] = (160, 224, 256)
    decoder_widths: tuple[int, int, int] = (192, 224, 256)
    encoder_depths: tuple[int, int, int] = (1, 2, 1)
    decoder_depths: tuple[int, int, int] = (2, 2, 2)
    context: int = 50
    # Tones from the lowest, in Hz, so many an octave: 27.5 Hz to 9.7 kHz in quarter tones.
    lowest: float = 27.5
    per_octave: int = 24
    tones: int = 204
    # Samples that the encoder looks at to tell the tones apart.
    tone_window: int = 4096


class RVQConfig(StrictModel):
    """`codecs.rvq`: the encoder and decoder of another codec around residual codebooks instead of a Gaussian."""

    kind: Literal["rvq"]
    autoencoder: Annotated[VAEConfig | SpectralConfig | WaveformConfig | SinusoidalConfig, Field(discriminator="kind")]
    levels: int = Field(8, ge=1, le=32)
    codebook_size: int = Field(1024, ge=2)
    # Width in which codebooks live; that of the autoencoder's latents when None.
    codebook_dim: int | None = None


CodecConfig = Annotated[
    VAEConfig | SpectralConfig | WaveformConfig | SinusoidalConfig | RVQConfig, Field(discriminator="kind")
]


class LatentStatisticsConfig(StrictModel):
    """Mean and deviation of each channel of a codec's latents over the speech that it was trained on."""

    mean: list[float]
    std: list[Annotated[float, Field(gt=0)]]

    @model_validator(mode="after")
    def _of_one_width(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} numbers and std {len(self.std)}")
        return self

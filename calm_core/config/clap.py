"""Models that put sounds and captions into one space (CLAP)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from calm_core.config.base import ModelCard, StrictModel


class ClapAudioConfig(StrictModel):
    """The audio tower: log-mel bands, strided convolutions over time and frequency, a Transformer over time."""

    sample_rate: int = Field(default=32_000, ge=8_000)
    # 64 ms: half of that blurs the low bands, whose filters would then be narrower than a bin.
    n_fft: int = Field(default=2048, ge=64)
    hop: int = Field(default=640, ge=16)
    mels: int = Field(default=64, ge=8)
    seconds: float = Field(default=10.0, gt=0, le=60)
    # Of each convolution; each halves time and frequency.
    channels: tuple[int, ...] = Field(default=(24, 48, 64), min_length=1)
    d_model: int = Field(default=192, ge=8)
    num_heads: int = Field(default=4, ge=1)
    num_layers: int = Field(default=3, ge=0)
    dim_feedforward: int = Field(default=576, ge=8)


class ClapTextConfig(StrictModel):
    """The text tower: tokens and a Transformer."""

    n_bins: int = Field(ge=8)
    tokenizer: str = "sentencepiece"
    tokenizer_path: str
    # Of a caption; what comes after is not heard.
    max_tokens: int = Field(default=128, ge=8, le=1024)
    d_model: int = Field(default=128, ge=8)
    num_heads: int = Field(default=4, ge=1)
    num_layers: int = Field(default=2, ge=0)
    dim_feedforward: int = Field(default=384, ge=8)


class ClapModelConfig(StrictModel):
    """Both towers and the width E of the space that they share."""

    task: Literal["clap"]
    card: ModelCard = ModelCard()
    width: int = Field(default=128, ge=2)
    audio: ClapAudioConfig = ClapAudioConfig()
    text: ClapTextConfig
    weights_path: str | None = None

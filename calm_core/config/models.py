"""Whole models."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from calm_core.config.base import ModelCard, StrictModel
from calm_core.config.clap import ClapModelConfig
from calm_core.config.codecs import CodecConfig, LatentStatisticsConfig
from calm_core.config.conditioners import ClapPrefixConfig, TextConfig, VoiceConfig
from calm_core.config.language_model import (
    AnyHeadConfig,
    BackboneConfig,
    ContinuationSamplingConfig,
    DelayConfig,
    HeadConfig,
    RQTransformerConfig,
    SamplingConfig,
    ShortContextConfig,
    TextStreamConfig,
)


class CodecModelConfig(StrictModel):
    """A codec on its own."""

    task: Literal["codec"]
    card: ModelCard = ModelCard()
    codec: CodecConfig
    # Of the latents, for whoever trains a model on them.
    latent_statistics: LatentStatisticsConfig | None = None
    weights_path: str | None = None


class TTSModelConfig(StrictModel):
    """A text-to-speech model with its codec."""

    task: Literal["tts"]
    card: ModelCard = ModelCard()
    codec: CodecConfig
    text: TextConfig
    voice: VoiceConfig = VoiceConfig()
    backbone: BackboneConfig
    head: HeadConfig
    sampling: SamplingConfig = SamplingConfig()
    # Where the codec's weights are when they are not in the model's own file.
    codec_weights_path: str | None = None
    weights_path: str | None = None
    weights_path_without_voice_cloning: str | None = None


class ContinuationModelConfig(StrictModel):
    """A model that continues sound, over latents or over codes; with `clap` it also makes music of descriptions."""

    task: Literal["speech_continuation", "music_continuation"]
    card: ModelCard = ModelCard()
    codec: CodecConfig
    backbone: BackboneConfig
    short_context: ShortContextConfig | None = None
    head: AnyHeadConfig
    # The channels of latents: the codec's own, or those of what is heard, the loud ones counting more for the head
    # (`calm_core.training.scale`), for codecs that know how.
    scale: Literal["channels", "audible"] = "channels"
    text: TextStreamConfig | None = None
    clap: ClapPrefixConfig | None = None
    sampling: ContinuationSamplingConfig = ContinuationSamplingConfig()
    codec_weights_path: str | None = None
    # Where the weights are that the model's own file leaves out: those of the model that its head learnt from.
    base_weights_path: str | None = None
    weights_path: str | None = None

    @model_validator(mode="after")
    def _told_what_its_task_has(self) -> Self:
        if self.text is not None and self.task == "music_continuation":
            raise ValueError("text is a stream of spoken words, which music_continuation does not have")
        if self.clap is not None and self.task == "speech_continuation":
            raise ValueError("clap is for music_continuation; speech_continuation is told nothing but its prompt")
        if self.scale == "audible" and self.codec.kind != "sinusoidal":
            raise ValueError(f"scale is audible, which a codec of kind {self.codec.kind} does not know; use channels")
        discrete = isinstance(self.head, RQTransformerConfig | DelayConfig)
        if discrete and self.short_context is not None and self.short_context.linear_prediction:
            raise ValueError(f"short_context.linear_prediction is of latents; the head {self.head.kind} draws codes")
        return self


ModelConfig = CodecModelConfig | TTSModelConfig | ContinuationModelConfig | ClapModelConfig

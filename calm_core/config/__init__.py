"""The configuration of models: strict, so that a typo in a YAML file is an error that names the key.

Two kinds of file are read: our own (`models`) and those that the pocket-tts package ships (`pocket`), which
`PocketConfig.to_model` turns into ours.
"""

from calm_core.config.base import ModelCard, StrictModel, describe
from calm_core.config.clap import ClapAudioConfig, ClapModelConfig, ClapTextConfig
from calm_core.config.codecs import (
    CodecConfig,
    CodecTransformerConfig,
    LatentProjectionConfig,
    LatentStatisticsConfig,
    RVQConfig,
    SEANetConfig,
    SinusoidalConfig,
    SpectralConfig,
    VAEConfig,
    WaveformConfig,
)
from calm_core.config.conditioners import (
    AlignedTextConfig,
    ClapPrefixConfig,
    PrefixTextConfig,
    TextConfig,
    VoiceConfig,
)
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
from calm_core.config.models import CodecModelConfig, ContinuationModelConfig, ModelConfig, TTSModelConfig
from calm_core.config.pocket import (
    PocketBackboneConfig,
    PocketConfig,
    PocketFlowConfig,
    PocketTableConfig,
    PocketTransformerConfig,
)
from calm_core.config.reading import parse_config, read_config

__all__ = [
    "AlignedTextConfig",
    "AnyHeadConfig",
    "BackboneConfig",
    "ClapAudioConfig",
    "ClapModelConfig",
    "ClapPrefixConfig",
    "ClapTextConfig",
    "CodecConfig",
    "CodecModelConfig",
    "CodecTransformerConfig",
    "ContinuationModelConfig",
    "ContinuationSamplingConfig",
    "DelayConfig",
    "HeadConfig",
    "LatentProjectionConfig",
    "LatentStatisticsConfig",
    "ModelCard",
    "ModelConfig",
    "PocketBackboneConfig",
    "PocketConfig",
    "PocketFlowConfig",
    "PocketTableConfig",
    "PocketTransformerConfig",
    "PrefixTextConfig",
    "RQTransformerConfig",
    "RVQConfig",
    "SEANetConfig",
    "SamplingConfig",
    "ShortContextConfig",
    "SinusoidalConfig",
    "SpectralConfig",
    "StrictModel",
    "TTSModelConfig",
    "TextConfig",
    "TextStreamConfig",
    "VAEConfig",
    "VoiceConfig",
    "WaveformConfig",
    "describe",
    "parse_config",
    "read_config",
]

"""The files that the pocket-tts package ships, version 4.0.1, and the same models in our terms."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from calm_core.config.base import StrictModel
from calm_core.config.codecs import VAEConfig
from calm_core.config.conditioners import PrefixTextConfig, VoiceConfig
from calm_core.config.language_model import BackboneConfig, HeadConfig, SamplingConfig
from calm_core.config.models import ModelCard, TTSModelConfig


class PocketFlowConfig(StrictModel):
    """The `flow_lm.flow` section."""

    dim: int
    depth: int
    type: Literal["lsd", "flow_matching", "drifting", "pointwise"] = "lsd"


class PocketTransformerConfig(StrictModel):
    """The `flow_lm.transformer` section."""

    hidden_scale: int
    max_period: int
    d_model: int
    num_heads: int
    num_layers: int
    attn_dim: int | None = None
    num_kv_heads: int | None = None
    dim_feedforward: int | None = None


class PocketTableConfig(StrictModel):
    """The `flow_lm.lookup_table` section."""

    dim: int
    n_bins: int
    tokenizer: str
    tokenizer_path: str
    rank: int | None = None


class PocketBackboneConfig(StrictModel):
    """The `flow_lm` section."""

    dtype: str
    flow: PocketFlowConfig
    transformer: PocketTransformerConfig
    z_dim: int | None = None
    lookup_table: PocketTableConfig
    weights_path: str | None = None
    insert_bos_before_voice: bool = False


class PocketConfig(StrictModel):
    """A whole file of the pocket-tts package, version 4.0.1."""

    flow_lm: PocketBackboneConfig
    mimi: VAEConfig
    weights_path: str | None = None
    weights_path_without_voice_cloning: str | None = None
    pad_with_spaces_for_short_inputs: bool = False
    remove_semicolons: bool = False
    append_terminal_punctuation: bool = True
    capitalize_first_letter: bool = True
    replace_characters: dict[str, str] = Field(default_factory=dict)
    model_recommended_frames_after_eos: int | None = None
    default_temperature: float = 0.3
    default_eos_threshold: float = -4.0

    def to_model(self, card: ModelCard | None = None) -> TTSModelConfig:
        """The same model in our terms."""
        lm, transformer = self.flow_lm, self.flow_lm.transformer
        hidden = transformer.dim_feedforward or transformer.d_model * transformer.hidden_scale
        return TTSModelConfig(
            task="tts",
            card=card or ModelCard(),
            codec=self.mimi,
            text=PrefixTextConfig(
                kind="prefix",
                **lm.lookup_table.model_dump(),
                pad_with_spaces_for_short_inputs=self.pad_with_spaces_for_short_inputs,
                remove_semicolons=self.remove_semicolons,
                append_terminal_punctuation=self.append_terminal_punctuation,
                capitalize_first_letter=self.capitalize_first_letter,
                replace_characters=self.replace_characters,
                frames_after_eos=self.model_recommended_frames_after_eos,
            ),
            voice=VoiceConfig(bos=lm.insert_bos_before_voice),
            backbone=BackboneConfig(
                dim_feedforward=hidden,
                z_dim=lm.z_dim,
                **transformer.model_dump(exclude={"dim_feedforward", "hidden_scale"}),
            ),
            head=HeadConfig(kind=lm.flow.type, channels=lm.flow.dim, depth=lm.flow.depth),
            sampling=SamplingConfig(
                temperature=self.default_temperature,
                eos_threshold=self.default_eos_threshold,
                steps=16 if lm.flow.type == "flow_matching" else 1,
                cfg_on="text_and_voice",
            ),
            codec_weights_path=self.mimi.weights_path,
            weights_path=self.weights_path or lm.weights_path,
            weights_path_without_voice_cloning=self.weights_path_without_voice_cloning,
        )

"""The configuration of models: strict, so that a typo in a YAML file is an error that names the key.

Two kinds of file are read: our own (`CodecModelConfig`, `TTSModelConfig`) and those that the
pocket-tts package ships (`PocketConfig`), which `PocketConfig.to_model` turns into ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calm_core.errors import InputError


class StrictModel(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ----------------------------------------------------------------------------------------- codecs


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


class SpectralConfig(StrictModel):
    """`codecs.spectral`: a STFT front and an iSTFT head.

    Widths and depths are those of the three frame rates, fastest first: ConvNeXt blocks at the first
    two, Transformer layers at the last.
    """

    kind: Literal["spectral"] = "spectral"
    sample_rate: int = 24_000
    frame_rate: float = 12.5
    latent_dim: int = 32
    n_fft: int = 960
    hop: int = 240
    # Reductions of the STFT frame rate, outer first: 100 Hz / 2 / 4 = 12.5 Hz.
    strides: tuple[int, int] = (2, 4)
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


CodecConfig = Annotated[VAEConfig | SpectralConfig, Field(discriminator="kind")]


# ------------------------------------------------------------------------------------ conditioners


class PrefixTextConfig(StrictModel):
    """Tokens whose embeddings come before the audio (`conditioners.text`)."""

    kind: Literal["prefix"]
    n_bins: int
    dim: int
    tokenizer: str = "sentencepiece"
    tokenizer_path: str
    # Low-rank table: embeddings of this width and a projection to `dim`; full when None.
    rank: int | None = None
    max_tokens: int = 50
    # Whether numbers, abbreviations and signs are written out first (`text.normalise`). A text without any goes to
    # the model as typed, as in the released models' own package.
    normalise: bool = True
    pad_with_spaces_for_short_inputs: bool = False
    remove_semicolons: bool = False
    append_terminal_punctuation: bool = True
    capitalize_first_letter: bool = True
    replace_characters: dict[str, str] = {}
    # Frames kept after the detected end; guessed from the number of words when None.
    frames_after_eos: int | None = None
    # Longest speech: tokens / tokens_per_second + seconds_padding.
    tokens_per_second: float = 3.0
    seconds_padding: float = 2.0


class AlignedTextConfig(StrictModel):
    """Phones with predicted durations, one condition a frame (`conditioners.aligned`)."""

    kind: Literal["aligned"]
    channels: int = 192
    depth: int = 4
    # Longest piece spoken in one go, about as long as the longest training utterances (9 s); longer
    # sentences are cut at clauses, then between words.
    max_characters: int = 120


TextConfig = Annotated[PrefixTextConfig | AlignedTextConfig, Field(discriminator="kind")]


class VoiceConfig(StrictModel):
    """The voice prompt: encoder latents projected to the backbone's width."""

    # A learned vector before the prompt.
    bos: bool = True
    max_seconds: float = 30.0


# -------------------------------------------------------------------------------- backbone and head


class BackboneConfig(StrictModel):
    """The Transformer over frames and what surrounds it."""

    d_model: int
    num_heads: int
    num_layers: int
    dim_feedforward: int
    max_period: float = 10_000.0
    attn_dim: int | None = None
    num_kv_heads: int | None = None
    # Width of the condition given to the head; d_model itself when None.
    z_dim: int | None = None


class HeadConfig(StrictModel):
    """The sampler head: its kind in `heads.HEADS` and the size of its network."""

    kind: Literal["lsd", "consistency", "trigflow", "flow_matching", "diffusion", "drifting", "pointwise"] = "lsd"
    channels: int
    depth: int


class SamplingConfig(StrictModel):
    """Defaults of a model; see `types.SamplingParams`."""

    temperature: float = 0.3
    steps: int = 1
    cfg: float = 1.0
    noise_clamp: float | None = None
    # The end of speech is where its logit exceeds this.
    eos_threshold: float = -4.0
    # The end is ignored on the first frames: before speech begins, some voices trigger it.
    min_frames: int = 6


# ----------------------------------------------------------------------------------------- models


class ModelCard(StrictModel):
    """What the list of models shows."""

    title: str = ""
    language: str = "en"
    licence: str = ""
    parameters: int | None = None


class CodecModelConfig(StrictModel):
    """A codec on its own."""

    task: Literal["codec"]
    card: ModelCard = ModelCard()
    codec: CodecConfig
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


ModelConfig = CodecModelConfig | TTSModelConfig


# ------------------------------------------------------------------------------- files of pocket-tts


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
    replace_characters: dict[str, str] = {}
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
            ),
            codec_weights_path=self.mimi.weights_path,
            weights_path=self.weights_path or lm.weights_path,
            weights_path_without_voice_cloning=self.weights_path_without_voice_cloning,
        )


# ----------------------------------------------------------------------------------------- reading


def parse_config(data: Any, source: str) -> ModelConfig:
    """Build a configuration from parsed YAML.

    Args:
        data: what the YAML file holds.
        source: name of the file for error messages.

    Returns:
        A codec or text-to-speech configuration; pocket-tts files are converted.

    Raises:
        InputError: an unknown, missing or ill-typed key, named with its path.
    """
    if not isinstance(data, dict):
        raise InputError(f"{source} is not a model configuration: it holds no keys at the top.")
    try:
        if "flow_lm" in data or "mimi" in data:
            return PocketConfig.model_validate(data).to_model()
        if data.get("task") == "codec":
            return CodecModelConfig.model_validate(data)
        return TTSModelConfig.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{source}: {describe(error)}") from None


def describe(error: ValidationError) -> str:
    """The first fault of a validation in words, with the path of its key."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key '{path}'; check its spelling or remove it."
    if first["type"] == "missing":
        return f"the key '{path}' is missing."
    return f"the key '{path}' is wrong: {first['msg']} (found {first['input']!r:.60})."


def read_config(path: Path) -> ModelConfig:
    """Read a model configuration from a YAML file.

    Raises:
        InputError: the file is missing, is not YAML or does not describe a model.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no configuration file {path}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path.name} cannot be read as YAML ({reason}).") from None
    return parse_config(data, path.name)

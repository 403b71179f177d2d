"""Training recipes: strict YAML, one kind for each trainer."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError, model_validator

from calm_core.config import (
    ClapModelConfig,
    ContinuationModelConfig,
    RVQConfig,
    SinusoidalConfig,
    SpectralConfig,
    TTSModelConfig,
    WaveformConfig,
    describe,
)
from calm_core.errors import InputError


class Strict(BaseModel):
    """Base of all recipe parts: a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid")


class Schedule(Strict):
    """Steps, learning rate and everything else that is common to all trainers."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=1, description="utterances or crops a step, over all processes")
    learning_rate: float = Field(gt=0)
    final_learning_rate: float = Field(1e-5, ge=0, description="end of the decay")
    warmup: int = Field(200, ge=0)
    decay: Literal["cosine", "wsd"] = Field("cosine", description="see schedule.learning_rate")
    decay_share: float = Field(0.2, gt=0, le=1, description="of the steps, in which wsd decays")
    accumulate: int = Field(
        1, ge=1, description="shares of a batch that are drawn and judged on their own; 1 is one a process"
    )
    optimizer: Literal["adamw", "muon"] = Field("adamw", description="see training.optimizers")
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, gt=0)
    explosion: float = Field(20.0, gt=1, description="times its running median that the loss may reach")
    explosion_steps: int = Field(10, ge=1, description="steps in succession above that which stop the run")
    ema: float = Field(0.999, ge=0, lt=1)
    bf16: bool = True
    compile: bool = Field(False, description="compile the layers, which needs a C++ compiler; see training.compiled")
    seed: int = 0
    log_every: int = Field(20, ge=1)
    evaluate_every: int = Field(500, ge=1)
    save_minutes: float = Field(3.0, gt=0)


def _codec_kind(model: Any) -> str:
    return model.get("kind", "spectral") if isinstance(model, dict) else getattr(model, "kind", "spectral")


TrainableCodec = Annotated[
    Annotated[SpectralConfig, Tag("spectral")]
    | Annotated[WaveformConfig, Tag("waveform")]
    | Annotated[SinusoidalConfig, Tag("sinusoidal")]
    | Annotated[RVQConfig, Tag("rvq")],
    Discriminator(_codec_kind),
]


class SemanticConfig(Strict):
    """Semantic distillation into the encoder; see `training.semantic`."""

    teacher: Literal["phones", "wavlm"] = "phones"
    model: str = Field("microsoft/wavlm-large", description="folder, or owner/name[@revision] on the Hub; wavlm only")
    weight: float = Field(25.0, gt=0, description="of the cosine distance")


class CodecRecipe(Strict):
    """`kind: codec`: the VAE, or the RVQ codec around the same encoder and decoder; with discriminators or without."""

    kind: Literal["codec"]
    folder: Path
    corpus: Path
    model: TrainableCodec = SpectralConfig()
    schedule: Schedule
    crop_seconds: float = Field(2.56, gt=0.5)
    mel_weight: float = 15.0
    kl_weight: float = 0.01
    commitment_weight: float = Field(10.0, description="of the distance of latents from their codes; RVQ only")
    level_dropout: float = Field(0.5, ge=0, le=1, description="share of crops that use fewer levels; RVQ only")
    pitch_weight: float = Field(1.0, description="of the mean absolute error of the log pitch in voiced hops; spectral")
    wave_weight: float = Field(0.0, ge=0, description="of the error of the wave against the wave; kind waveform only")
    tone_weight: float = Field(0.0, ge=0, description="of the distance in bands a tone wide; kind sinusoidal only")
    start_from: Path | None = Field(
        None, description="codec.safetensors whose fitting tensors are the start; a VAE's also start an RVQ codec"
    )
    freeze_encoder: bool = Field(
        False, description="train the decoder alone: latents made before, and models on them, stay valid"
    )
    semantic: SemanticConfig | None = None
    adversarial_weight: float = 1.0
    feature_weight: float = 2.0
    adversarial_from: int | None = Field(
        None, ge=0, description="step at which the discriminators join; never when None"
    )
    discriminator_learning_rate: float = 2e-4
    discriminator_channels: int = 128

    @model_validator(mode="after")
    def _the_encoder_can_be_taught(self) -> Self:
        if self.semantic is not None and self.freeze_encoder:
            raise ValueError("semantic teaches the encoder, so freeze_encoder must be false")
        return self


class TTSRecipe(Strict):
    """`kind: tts`: the aligned TTS model on latents of a trained codec."""

    kind: Literal["tts"]
    folder: Path
    latents: Path = Field(
        description="folder of train.safetensors and valid.safetensors; made from corpus and codec if absent"
    )
    corpus: Path
    codec: Path = Field(description="codec.safetensors of a finished codec")
    codec_model: SpectralConfig = SpectralConfig()
    model: TTSModelConfig
    schedule: Schedule
    head_batch_multiplier: int = Field(
        4, ge=1, description="fresh noise and times per frame and step (CALM, section 3.3)"
    )
    condition_dropout: float = Field(0.1, ge=0, lt=1)
    history_noise: float = Field(0.2, ge=0, le=1)
    duration_weight: float = 0.5
    on_corrupt: Literal["stop", "skip"] = Field("stop", description="what a damaged shard of latents leads to")
    start_from: Path | None = Field(None, description="model.safetensors whose fitting tensors are the start")
    new_head: bool = Field(
        False, description="the head starts anew all the same, since names and shapes of two kinds of heads may agree"
    )


class DistillationRecipe(Strict):
    """`kind: distillation`: a student backbone learns the guided conditions of a finished TTS model."""

    kind: Literal["distillation"]
    folder: Path
    latents: Path = Field(description="as for `kind: tts`")
    corpus: Path
    codec: Path = Field(description="weights of the teacher's codec")
    teacher: Path = Field(
        description="model.safetensors of a finished run or of a bundled model; it has the sizes of `model`, "
        "but as many layers in its backbone as there are in the file"
    )
    model: TTSModelConfig = Field(description="the student")
    schedule: Schedule
    cfg: float = Field(1.5, ge=1, le=10, description="guidance of the teacher (CALM, section 4.7); 1 is none")
    cfg_on: Literal["text", "text_and_voice"] = "text"
    history_noise: float = Field(0.2, ge=0, le=1, description="as in the teacher's training; both hear the same")
    duration_weight: float = Field(0.5, ge=0, description="of the distance from the teacher's log-durations")
    on_corrupt: Literal["stop", "skip"] = Field("stop", description="as for `kind: tts`")


class ContinuationRecipe(Strict):
    """`kind: continuation`: a model that continues sound, on latents or codes of a trained codec."""

    kind: Literal["continuation"]
    folder: Path
    latents: Path = Field(
        description="as for `kind: tts`; codes, of as many levels or more, where the codec has codebooks"
    )
    corpus: Path
    codec: Path = Field(description="weights of a finished codec; one with codebooks may have more levels than `model`")
    model: ContinuationModelConfig
    schedule: Schedule
    seconds: float = Field(20.0, gt=1, description="length of the pieces of passages")
    without_end: float = Field(
        0.0, ge=0, description="seconds at the end of passages that are not heard, where music fades"
    )
    head_batch_multiplier: int = Field(8, ge=1)
    head_share: float = Field(
        1.0, gt=0, le=1, description="share of the frames whose codes are asked for in a step; all in the paper"
    )
    context_noise: float = Field(0.0, ge=0, le=1, description="1 in the paper's music, 0 in its speech")
    short_noise: float = Field(
        0.0, ge=0, le=1, description="variance on top of the short context, 0 in the paper; small models need some"
    )
    drift: float = Field(
        0.0,
        ge=0,
        le=1,
        description="largest share of the innovations in an error that builds up; linear_prediction only",
    )
    text_loss_weight: float = Field(1.0, ge=0)
    pad_weight: float = Field(0.5, gt=0)
    text_dropout: float = Field(0.3, ge=0, lt=1, description="share of the pieces that begin with hidden text")
    clap_embeddings: Path | None = Field(
        None, description="folder of clap-train.safetensors and clap-valid.safetensors; that of the latents when None"
    )
    clap_dropout: float = Field(
        0.2, ge=0, lt=1, description="share of the pieces whose CLAP embedding is dropped (CALM, section 5.4)"
    )
    text_lm: str | None = Field(None, description="folder or hf:// path of the text LM that the backbone starts from")
    backbone_learning_rate: float | None = Field(
        None, gt=0, description="of the backbone and the text, which start from a text LM; as all others when None"
    )
    on_corrupt: Literal["stop", "skip"] = Field("stop", description="as for `kind: tts`")
    start_from: Path | None = Field(None, description="model.safetensors whose fitting tensors are the start")
    distil_head: bool = Field(
        False,
        description="whether a consistency head learns from the TrigFlow head of start_from, and all else stays as it "
        "is there",
    )

    @model_validator(mode="after")
    def _has_a_head_to_learn_from(self) -> Self:
        if self.distil_head and (self.model.head.kind != "consistency" or self.start_from is None):
            raise ValueError("distil_head needs a consistency head, and start_from with a TrigFlow head")
        return self


def embeddings_path(recipe: ContinuationRecipe, split: str) -> Path:
    """Where the CLAP embeddings of the rows of a split are; see `embeddings_file`."""
    return embeddings_file(recipe.clap_embeddings or recipe.latents, split)


def embeddings_file(folder: Path, split: str) -> Path:
    """The file of a split's CLAP embeddings: row id -> [W, E]."""
    return folder / f"clap-{split}.safetensors"


class ClapRecipe(Strict):
    """`kind: clap`: sounds and captions into one space."""

    kind: Literal["clap"]
    folder: Path
    corpus: Path
    mels: Path = Field(description="folder of log-mel bands; made from the corpus if absent")
    model: ClapModelConfig
    schedule: Schedule
    gain_db: float = Field(6.0, ge=0, description="sounds are made louder or softer by at most this")
    masked_bands: int = Field(8, ge=0, description="widest stripe of bands that is hidden (SpecAugment); 0 for none")
    masked_seconds: float = Field(1.0, ge=0, description="longest stretch of time that is hidden; 0 for none")
    on_corrupt: Literal["stop", "skip"] = Field("stop", description="what a damaged shard of bands leads to")
    start_from: Path | None = Field(None, description="model.safetensors whose fitting tensors are the start")


AnyRecipe = CodecRecipe | TTSRecipe | DistillationRecipe | ContinuationRecipe | ClapRecipe
Recipe = Annotated[AnyRecipe, Field(discriminator="kind")]


def read_values(path: Path, overrides: list[str]) -> dict[str, Any]:
    """The mapping in a recipe file, with `key=value` or `part.key=value` overrides, values parsed as YAML.

    Raises:
        InputError: The file is missing or no YAML mapping, or an override has no equals sign.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no recipe {path}; the bundled ones are in calm_core/configs.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"The recipe {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"The recipe {path} must be a mapping of keys to values.")
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise InputError(f"The override {override!r} must look like key=value.")
        *parts, last = key.split(".")
        place = values
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = yaml.safe_load(value)
    return values


def read_recipe(path: Path, overrides: list[str]) -> AnyRecipe:
    """Read a training recipe; for overrides see `read_values`.

    Raises:
        InputError: The file is missing or a key or value is wrong; the message names it.
    """
    try:
        return TypeAdapter(Recipe).validate_python(read_values(path, overrides))
    except ValidationError as error:
        raise InputError(f"The recipe {path}: {describe(error)}") from None

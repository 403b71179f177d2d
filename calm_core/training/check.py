"""What can be wrong with a recipe, found before any work is done for it."""

import traceback
from collections.abc import Callable
from pathlib import Path

import safetensors
import torch
from safetensors import safe_open
from torch import nn

from calm_core.audio_lm import AudioLM
from calm_core.clap.model import ClapModel
from calm_core.codecs import Codec, RVQCodec, build_codec
from calm_core.config import ContinuationModelConfig, TTSModelConfig
from calm_core.errors import InputError
from calm_core.model import CALM
from calm_core.training.data import check_corpus
from calm_core.training.latent_shards import index_path, latents_exist, read_index
from calm_core.training.recipes import (
    AnyRecipe,
    ClapRecipe,
    CodecRecipe,
    ContinuationRecipe,
    DistillationRecipe,
    TTSRecipe,
    embeddings_path,
)
from calm_core.weights import fits


def build_without_storage(build: Callable[[], nn.Module], key: str) -> nn.Module:
    """Make a module on the meta device, so that its shapes are known and no memory is used.

    Args:
        build: Makes it.
        key: Of the recipe that describes it, for the message.

    Raises:
        InputError: Its sizes do not fit together; the message shows the condition that fails.
    """
    try:
        with torch.device("meta"):
            return build()
    except (AssertionError, RuntimeError, ValueError, ZeroDivisionError) as error:
        where = traceback.extract_tb(error.__traceback__)[-1].line or ""
        reason = str(error).splitlines()[0] if str(error) else where.removeprefix("assert ").partition(", ")[0]
        raise InputError(f"The sizes under the recipe's {key} do not fit together: {reason}.") from None


def check_weights(path: Path, module: nn.Module, what: str) -> None:
    """Compare the header of a weights file with a module's shapes.

    Raises:
        InputError: The file is missing, damaged, or made for other shapes.
    """
    if not path.is_file():
        raise InputError(f"There is no {what} {path}; train it first, or correct the recipe's path.")
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"The {what} {path} is damaged ({error}); copy it again.") from None
    for name, tensor in module.state_dict().items():
        if name not in found or not fits(name, found[name], tensor.shape):
            raise InputError(
                f"The {what} {path} does not fit the recipe: '{name}' is {found.get(name, 'missing')} there "
                f"and {list(tensor.shape)} in the recipe's model."
            )


def _width(path: Path, what: str, way_out: str, expected: int) -> int:
    """Last dimension of the tensors of a file, by the first of them; what is expected where there are none."""
    try:
        with safe_open(path, framework="pt") as file:
            first = next(iter(file.keys()), None)
            return expected if first is None else file.get_slice(first).get_shape()[-1]
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"The {what} {path} are damaged ({error}); {way_out}.") from None


def check_latents(folder: Path, split: str, width: int, more: bool = False) -> None:
    """Compare the width of latents that are there with the codec's.

    Args:
        folder: Of the latents.
        split: Of the corpus.
        width: Channels that the codec makes.
        more: Whether more will do, as codes of further levels do.

    Raises:
        InputError: They are damaged, or another codec's.
    """
    path = folder / f"{split}.safetensors"
    if index_path(path).exists():
        found = read_index(index_path(path)).get("channels", width)
    else:
        found = _width(path, "latents", "delete them and encode again", width)
    if found < width or (found > width and not more):
        raise InputError(
            f"The latents in {folder} have {found} channels and the recipe's codec {width}; "
            "encode the corpus with this codec, or name the codec that made them."
        )


def check_embeddings(path: Path, width: int) -> None:
    """Look for CLAP embeddings of the width that a model expects.

    Raises:
        InputError: There are none, they are damaged, or another CLAP model's.
    """
    if not path.is_file():
        raise InputError(f"There are no CLAP embeddings {path}; embed the corpus with the recipe's CLAP model.")
    found = _width(path, "CLAP embeddings", "embed the corpus again", width)
    if found != width:
        raise InputError(
            f"The CLAP embeddings {path} have {found} numbers and the recipe's model.clap.width is {width}; "
            "name the width of the CLAP model that made them."
        )


def channels(codec: Codec) -> int:
    """Numbers in each frame of what a codec's corpus is encoded to: latents, or codes of a codec with codebooks."""
    return codec.levels if isinstance(codec, RVQCodec) else codec.encoder_dim


def check(recipe: AnyRecipe) -> None:
    """Find missing files and impossible shapes.

    Raises:
        InputError: What is missing or does not fit, and what to do.
    """
    if isinstance(recipe, CodecRecipe):
        build_without_storage(lambda: build_codec(recipe.model), "model")
        check_corpus(recipe.corpus)
        if recipe.schedule.accumulate > 1:
            raise InputError("A codec takes its batch in one piece; leave schedule.accumulate at 1.")
    elif isinstance(recipe, ClapRecipe):
        build_without_storage(lambda: ClapModel(recipe.model), "model")
        if not all(index_path(recipe.mels / f"mels-{split}.safetensors").exists() for split in ("train", "valid")):
            check_corpus(recipe.corpus)
    else:
        check_language_model(recipe)
    for key in ("start_from", "teacher"):
        path = getattr(recipe, key, None)
        if path is not None and not path.is_file():
            raise InputError(f"There is no file {path} to begin with; correct the recipe's {key}.")


def build_model(config: TTSModelConfig | ContinuationModelConfig) -> CALM | AudioLM:
    """The model that a recipe's `model` describes."""
    return CALM(config) if isinstance(config, TTSModelConfig) else AudioLM(config)


def check_language_model(recipe: TTSRecipe | DistillationRecipe | ContinuationRecipe) -> None:
    """The part of `check` for models on latents of a codec."""
    codec: Codec = build_without_storage(lambda: build_model(recipe.model), "model").codec  # type: ignore[assignment]
    check_weights(recipe.codec, codec, "codec")
    for split in ("train", "valid"):
        if latents_exist(recipe.latents / f"{split}.safetensors"):
            check_latents(recipe.latents, split, channels(codec), more=isinstance(codec, RVQCodec))
        else:
            check_corpus(recipe.corpus)
        if isinstance(recipe, ContinuationRecipe) and recipe.model.clap is not None:
            check_embeddings(embeddings_path(recipe, split), recipe.model.clap.width)

"""Turn a finished training run into a bundled model: weights in 16 or 8 bits and a configuration that loads them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from safetensors import safe_open

from calm_core.config import (
    CodecModelConfig,
    ContinuationSamplingConfig,
    PrefixTextConfig,
    SamplingConfig,
    TextStreamConfig,
    read_config,
)
from calm_core.errors import InputError
from calm_core.training.checkpoint import write_tensors
from calm_core.training.recipes import (
    AnyRecipe,
    ClapRecipe,
    CodecRecipe,
    ContinuationRecipe,
    DistillationRecipe,
    TTSRecipe,
    read_recipe,
)
from calm_core.training.statistics import read_statistics
from calm_core.weights import Tensors, read_tensors, to_int8

LMRecipe = TTSRecipe | DistillationRecipe | ContinuationRecipe

# Below this many a scale saves little, and depthwise kernels, whose first axis is time, stay as they are.
SMALLEST_INT8 = 4096
MAX_BYTES = 10_000_000  # a bundled file stays below this, so that a clone stays small


def package(
    recipe: CodecRecipe | ClapRecipe | LMRecipe, target: Path, title: str, licence: str, codec_id: str | None = None,
    sampling: SamplingConfig | ContinuationSamplingConfig | None = None, weights: Literal["fp16", "int8"] = "fp16",
    statistics: Path | None = None, base_id: str | None = None,
) -> int:  # fmt: skip
    """Write `config.yaml` and `model.safetensors` into `target`, and the tokenizer of a model that has one.

    Args:
        recipe: Of the finished run; its folder holds the averaged weights.
        target: Folder of the bundled model; its name is the model's id.
        title: For the list of models.
        licence: Of the weights.
        codec_id: For a language model, the bundled codec beside it, whose weights are not repeated.
        sampling: For a language model, its default sampling.
        weights: fp16, or int8 for the large matrices and fp16 for everything else (see `weights.to_int8`).
        statistics: For a codec, the `statistics.safetensors` beside its latents.
        base_id: For a model that continues sound, the bundled one beside it that its head was distilled from: what both
            have is not repeated.

    Returns:
        The number of parameters.

    Raises:
        InputError: The run has no weights, the file would pass 10 MB, or there are no such statistics.
    """
    name = "codec.safetensors" if isinstance(recipe, CodecRecipe) else "model.safetensors"
    tensors = {key: value for key, value in read_tensors(recipe.folder / name).items() if _belongs(key, recipe)}
    # What only the training of codebooks counts with is stored, but is no parameter.
    parameters = sum(v.numel() for k, v in tensors.items() if not k.endswith(("quantizer.usage", "quantizer.started")))
    stored = _rounded(tensors, weights)
    if base_id is not None:
        stored = _without(stored, target.parent / base_id / "model.safetensors")
    size = sum(v.numel() * v.element_size() for v in stored.values())
    if size > MAX_BYTES:
        raise InputError(
            f"The weights take {size:,} bytes and a bundled file may take {MAX_BYTES:,}; make the model smaller"
            f"{'' if weights == 'int8' else ' or choose int8'}."
        )
    card = {"title": title, "language": "en", "licence": licence, "parameters": parameters}
    target.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any]
    if isinstance(recipe, CodecRecipe):
        config = {"task": "codec", "card": card, "codec": recipe.model.model_dump(mode="json")}
        if statistics is not None:
            config["latent_statistics"] = read_statistics(statistics).model_dump(mode="json")
    elif isinstance(recipe, ClapRecipe):
        model = recipe.model.model_dump(mode="json", exclude={"task", "card", "weights_path"})
        config = {"task": "clap", "card": card, **model}
        config["text"]["tokenizer_path"] = _carry(Path(recipe.model.text.tokenizer_path), target)
    else:
        left_out = {"task", "card", "sampling", "weights_path", "weights_path_without_voice_cloning"}
        config = {"task": recipe.model.task, "card": card, **recipe.model.model_dump(mode="json", exclude=left_out)}
        config["sampling"] = (sampling or recipe.model.sampling).model_dump(mode="json")
        config["codec_weights_path"] = f"../{codec_id}/model.safetensors"
        if base_id is not None:
            config["base_weights_path"] = f"../{base_id}/model.safetensors"
        text = recipe.model.text
        if isinstance(text, TextStreamConfig | PrefixTextConfig):
            carried = text.model_copy(update={"tokenizer_path": _carry(Path(text.tokenizer_path), target)})
            config["text"] = carried.model_dump(mode="json")
    write_tensors(target / "model.safetensors", stored)
    (target / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return parameters


def package_recipe(
    path: Path, overrides: list[str], target: Path, title: str, licence: str, codec_id: str | None = None,
    weights: Literal["fp16", "int8"] = "fp16", statistics: Path | None = None, base_id: str | None = None,
) -> dict[str, object]:  # fmt: skip
    """`calm package RECIPE.yaml --out FOLDER [key=value ...]`: the model's parameters and the bytes of its weights.

    Raises:
        InputError: As `package`; or a codec is named for a codec, none for a language model, or one that is not there;
            or statistics are given for a language model; or a base is named for what continues no sound, or one that is
            not there.
    """
    recipe = read_recipe(path, overrides)
    if isinstance(recipe, CodecRecipe | ClapRecipe):
        if codec_id is not None:
            what = "a codec" if isinstance(recipe, CodecRecipe) else "a CLAP, which has no codec"
            raise InputError(f"{path} is the recipe of {what}; leave --codec out.")
    elif codec_id is None:
        raise InputError(f"The model of {path} works on a codec's latents; name the packaged codec with --codec.")
    elif not (target.parent / codec_id / "model.safetensors").is_file():
        raise InputError(f"There is no packaged codec {codec_id} beside {target}; package it there first.")
    if statistics is not None and not isinstance(recipe, CodecRecipe):
        raise InputError(f"Statistics belong to a codec, and {path} is not the recipe of one; leave --statistics out.")
    if base_id is not None and not isinstance(recipe, ContinuationRecipe):
        raise InputError(f"{path} is not the recipe of a model that continues sound; leave --base out.")
    if base_id is not None and not (target.parent / base_id / "model.safetensors").is_file():
        raise InputError(f"There is no packaged model {base_id} beside {target}; package it there first.")
    parameters = package(
        recipe, target, title, licence, codec_id, weights=weights, statistics=statistics, base_id=base_id
    )
    size = (target / "model.safetensors").stat().st_size
    return {"folder": str(target), "parameters": parameters, "bytes": size}


def add_statistics(config: Path, statistics: Path) -> None:
    """Put the statistics of a codec's latents into the `config.yaml` of a codec that is packaged already.

    Args:
        config: Rewritten.
        statistics: The `statistics.safetensors` beside latents of this codec.

    Raises:
        InputError: There is no such codec, or no such statistics.
    """
    if not isinstance(read_config(config), CodecModelConfig):
        raise InputError(f"The configuration {config} is not that of a codec; give the config.yaml of one.")
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    values["latent_statistics"] = read_statistics(statistics).model_dump(mode="json")
    config.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def _carry(tokenizer: Path, target: Path) -> str:
    """Copy a tokenizer into a model's folder; returns its name there."""
    name = f"tokenizer{tokenizer.suffix}"
    shutil.copyfile(tokenizer, target / name)
    return name


def _without(stored: Tensors, base: Path) -> Tensors:
    """What is not in a packaged file just so; an 8-bit weight and its scale stay together."""
    with safe_open(base, framework="pt") as file:
        there = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def own(name: str) -> bool:
        return name not in there or stored[name].dtype != there[name].dtype or not stored[name].equal(there[name])

    kept = {name.removesuffix(".scale") for name in stored if own(name)}
    return {name: tensor for name, tensor in stored.items() if name.removesuffix(".scale") in kept}


def _belongs(key: str, recipe: AnyRecipe) -> bool:
    """Whether a tensor is part of the bundled file: no codec inside a language model's, no loss weights."""
    return isinstance(recipe, CodecRecipe | ClapRecipe) or not key.startswith(("codec.", "head.weight."))


def _rounded(tensors: Tensors, weights: str) -> Tensors:
    """The tensors as they are stored. Codebooks keep 16 bits: they are few, and codes hang on small differences."""
    stored: Tensors = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            stored[name] = tensor
        elif weights == "int8" and name.endswith("weight") and tensor.ndim >= 2 and tensor.numel() >= SMALLEST_INT8:
            stored[name], stored[f"{name}.scale"] = to_int8(tensor)
        else:
            stored[name] = tensor.to(torch.float16)
    return stored

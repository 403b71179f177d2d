"""Turn a finished training run into a bundled model: half-precision weights and a configuration that loads them."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from torch import Tensor

from calm_core.config import SamplingConfig
from calm_core.errors import InputError
from calm_core.training.checkpoint import write_tensors
from calm_core.training.recipes import CodecRecipe, TTSRecipe
from calm_core.weights import read_tensors

MAX_BYTES = 10_000_000  # a bundled file stays below this, so that a clone stays small


def package(
    recipe: CodecRecipe | TTSRecipe, target: Path, title: str, licence: str, codec_id: str | None = None,
    sampling: SamplingConfig | None = None,
) -> int:  # fmt: skip
    """Write `config.yaml` and `model.safetensors` (fp16) into `target`.

    Args:
        recipe: Of the finished run; its folder holds the averaged weights.
        target: Folder of the bundled model; its name is the model's id.
        title: For the list of models.
        licence: Of the weights.
        codec_id: For a TTS model, the bundled codec beside it, whose weights are not repeated.
        sampling: For a TTS model, its default sampling.

    Returns:
        The number of parameters.

    Raises:
        InputError: The run has no weights, or the file would pass 10 MB.
    """
    name = "codec.safetensors" if isinstance(recipe, CodecRecipe) else "model.safetensors"
    tensors = {key: value for key, value in read_tensors(recipe.folder / name).items() if _belongs(key, recipe)}
    parameters = sum(value.numel() for value in tensors.values())
    halves: dict[str, Tensor] = {k: v.to(torch.float16) if v.is_floating_point() else v for k, v in tensors.items()}
    size = sum(v.numel() * v.element_size() for v in halves.values())
    if size > MAX_BYTES:
        raise InputError(
            f"The weights take {size:,} bytes and a bundled file may take {MAX_BYTES:,}; make the model smaller."
        )
    card = {"title": title, "language": "en", "licence": licence, "parameters": parameters}
    config: dict[str, object] = {"task": "codec" if isinstance(recipe, CodecRecipe) else "tts", "card": card}
    if isinstance(recipe, CodecRecipe):
        config["codec"] = recipe.model.model_dump(mode="json")
    else:
        config |= recipe.model.model_dump(
            mode="json", exclude={"task", "card", "sampling", "weights_path", "weights_path_without_voice_cloning"}
        )
        config["sampling"] = (sampling or SamplingConfig()).model_dump(mode="json")
        config["codec_weights_path"] = f"../{codec_id}/model.safetensors"
    target.mkdir(parents=True, exist_ok=True)
    write_tensors(target / "model.safetensors", halves)
    (target / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return parameters


def _belongs(key: str, recipe: CodecRecipe | TTSRecipe) -> bool:
    """Whether a tensor is part of the bundled file: no codec inside a TTS file, no loss weights."""
    return isinstance(recipe, CodecRecipe) or not key.startswith(("codec.", "head.weight."))

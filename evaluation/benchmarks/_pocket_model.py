"""A pocket-tts model with random weights on disk, complete enough for that package and for ours to load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'-"


def write_model(folder: Path, name: str, seed: int = 0, kind: str = "bfloat16") -> Path:
    """Write weights, tokenizer, configuration and a voice recording.

    The end-of-speech bias is set so low that every run speaks for the longest time the text allows: all systems then
    make the same number of frames.

    Args:
        folder: where the files go.
        name: a configuration that the package ships, such as `english`.
        seed: of the weights.
        kind: their type in the file; released files have bfloat16.

    Returns:
        The configuration file.
    """
    import torch
    import yaml
    from pocket_tts.models.flow_lm import FlowLMModel
    from pocket_tts.models.mimi import build_mimi
    from pocket_tts.utils.config import CONFIGS_DIR, Config
    from safetensors.torch import save_file

    data: dict[str, Any] = yaml.safe_load((CONFIGS_DIR / f"{name}.yaml").read_text(encoding="utf-8"))
    table = data["flow_lm"]["lookup_table"]
    write_tokenizer(folder / "tokenizer.json", table["n_bins"])
    table.update(tokenizer="tokenizers", tokenizer_path=str(folder / "tokenizer.json"))
    data.pop("weights_path_without_voice_cloning", None)
    data["weights_path"] = str(folder / "model.safetensors")
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")

    config = Config(**data)
    torch.manual_seed(seed)
    lm = FlowLMModel.from_pydantic_config(
        config.flow_lm, config.mimi.quantizer.dimension, config.flow_lm.insert_bos_before_voice
    )
    width = config.flow_lm.transformer.d_model
    prompt_width = config.mimi.inner_dim or config.mimi.seanet.dimension
    lm.speaker_proj_weight = torch.nn.Parameter(torch.randn(width, prompt_width) * 0.1)
    torch.nn.init.constant_(lm.out_eos.bias, -1e4)
    tensors = {f"flow_lm.{key}": value for key, value in lm.state_dict().items()}
    tensors |= {f"mimi.{key}": value for key, value in build_mimi(config.mimi).state_dict().items()}
    tensors = {key: value.to(getattr(torch, kind)) for key, value in tensors.items()}
    save_file(tensors, folder / "model.safetensors")
    return path


def write_tokenizer(path: Path, size: int) -> None:
    """A tokenizer.json of single characters, filled up to `size` tokens."""
    vocabulary = {"<unk>": 0, "\u2581": 1}
    for character in CHARACTERS:
        vocabulary.setdefault(character, len(vocabulary))
    for index in range(size - len(vocabulary)):
        vocabulary[f"<{index}>"] = len(vocabulary)
    space = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    model = {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": space, "post_processor": None, "decoder": space, "model": model,
    }  # fmt: skip
    path.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")

"""Recipes of models so small that a run takes a second, and comparisons of what they made."""

import json
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
import yaml
from safetensors.torch import load_file

RATE = 24_000
CODEC = {
    "encoder_widths": [16, 16, 16],
    "decoder_widths": [16, 16, 16],
    "encoder_depths": [1, 1, 1],
    "decoder_depths": [1, 1, 1],
    "heads": 2,
    "feedforward": 16,
    "latent_dim": 8,
}
SCHEDULE = {"steps": 4, "batch": 4, "learning_rate": 1e-3, "warmup": 1, "bf16": False, "evaluate_every": 100}


def write(path: Path, recipe: dict[str, object]) -> Path:
    path.write_text(yaml.safe_dump(recipe))
    return path


def write_corpus(
    folder: Path, waves: list[np.ndarray], rate: int, facts: list[dict[str, object]] | None = None
) -> Path:
    """Waves `[T]` in one shard, with what is known of each; the last is held out, the one before for validation."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, start = [], 0
    for index, wave in enumerate(waves):
        split = ("train", "valid", "heldout")[max(0, index - len(waves) + 3)]
        row = {"id": f"u{index}", "split": split, "text": "A note.", "shard": "shard-0000.flac", "start": start}
        rows.append({**row, "samples": len(wave), **(facts[index] if facts else {})})
        start += len(wave)
    sf.write(folder / "shard-0000.flac", np.concatenate(waves), rate, "PCM_16")
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def codec_recipe(corpus: Path, folder: Path, **changes: object) -> dict[str, object]:
    return {
        "kind": "codec", "folder": str(folder), "corpus": str(corpus), "model": CODEC, "crop_seconds": 0.64,
        "adversarial_from": 2, "discriminator_channels": 8, "schedule": SCHEDULE, **changes,
    }  # fmt: skip


def tts_recipe(corpus: Path, codec: Path, folder: Path) -> dict[str, object]:
    return {
        "kind": "tts", "folder": str(folder), "latents": str(folder.parent / "latents"), "corpus": str(corpus),
        "codec": str(codec / "codec.safetensors"), "schedule": SCHEDULE, "head_batch_multiplier": 2,
        "model": {
            "task": "tts", "codec": {"kind": "spectral", **CODEC}, "voice": {"bos": False},
            "text": {"kind": "aligned", "channels": 16, "depth": 1},
            "backbone": {"d_model": 16, "num_heads": 2, "num_layers": 1, "dim_feedforward": 16},
            "head": {"kind": "lsd", "channels": 16, "depth": 1},
        },
    }  # fmt: skip


def same(a: Path, b: Path) -> bool:
    left, right = load_file(a), load_file(b)
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)

"""A real model with random weights, small enough to make in a test, and recordings to clone from."""

import json
from pathlib import Path

import numpy as np
import soundfile
import torch
import yaml
from safetensors.torch import save_file

RATE = 24_000

SEANET = {
    "dimension": 32, "n_filters": 4, "n_residual_layers": 1, "ratios": [6, 5, 4], "kernel_size": 7,
    "residual_kernel_size": 3, "last_kernel_size": 3, "dilation_base": 2, "compress": 2,
}  # fmt: skip
TRANSFORMER = {
    "d_model": 32, "input_dimension": 32, "output_dimensions": [32], "num_heads": 2, "num_layers": 1,
    "context": 50, "dim_feedforward": 32,
}  # fmt: skip
CODEC = {
    "kind": "vae",
    "seanet": SEANET,
    "transformer": TRANSFORMER,
    "quantizer": {"dimension": 32, "output_dimension": 32},
}
CHARACTERS = " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'-"


def make_model(folder: Path, *, seconds_per_character: float = 0.08) -> Path:
    """A text-to-speech model whose utterances last by the length of the text, since its end is never detected."""
    from calm_core.config import TTSModelConfig, parse_config
    from calm_core.model import CALM

    folder.mkdir(parents=True)
    vocabulary = {character: number for number, character in enumerate(["<unk>", *CHARACTERS])}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False},
        "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    data = {
        "task": "tts",
        "card": {"title": "Tiny", "language": "en", "licence": "MIT", "parameters": 100_000},
        "codec": CODEC,
        "text": {
            "kind": "prefix", "n_bins": len(vocabulary), "dim": 32, "tokenizer": "tokenizers",
            "tokenizer_path": "tokenizer.json", "max_tokens": 200, "frames_after_eos": 0,
            "tokens_per_second": 1 / seconds_per_character, "seconds_padding": 0.0,
        },
        "backbone": {"d_model": 32, "num_heads": 2, "num_layers": 1, "dim_feedforward": 64},
        "head": {"kind": "lsd", "channels": 32, "depth": 1},
        "sampling": {"temperature": 0.5, "steps": 1, "eos_threshold": 1e9},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(data))
    config = parse_config(data, "tiny")
    assert isinstance(config, TTSModelConfig)
    torch.manual_seed(0)
    save_file(_audible(CALM(config)).state_dict(), folder / "model.safetensors")
    return folder


def _audible(model: torch.nn.Module) -> torch.nn.Module:
    """Heads start at zero; random numbers instead make a sound that depends on the seed."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
    return model


def make_codec(folder: Path) -> Path:
    """The same codec on its own."""
    from calm_core.codecs import build_codec
    from calm_core.config import CodecModelConfig, parse_config

    folder.mkdir(parents=True)
    data = {"task": "codec", "card": {"title": "Tiny codec", "licence": "MIT"}, "codec": CODEC}
    (folder / "config.yaml").write_text(yaml.safe_dump(data))
    config = parse_config(data, "tiny codec")
    assert isinstance(config, CodecModelConfig)
    torch.manual_seed(0)
    weights = build_codec(config.codec).state_dict()
    save_file({f"codec.{name}": tensor for name, tensor in weights.items()}, folder / "model.safetensors")
    return folder


def voice_like(seconds: float, rate: int = RATE, pitch: float = 140.0) -> np.ndarray:
    """Harmonics with vibrato and syllables, float32 [samples]: sound enough to clone from."""
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * pitch * (time + 0.002 * np.sin(2 * np.pi * 5 * time))
    tone = sum(np.sin(k * phase) / k for k in range(1, 9))
    return (0.12 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def make_voices(folder: Path) -> Path:
    """A folder of preset voices in the layout of `assets/voices`."""
    folder.mkdir(parents=True)
    entries = {}
    for name, pitch in (("slt", 190.0), ("rms", 110.0)):
        soundfile.write(folder / f"{name}.flac", voice_like(2.0, pitch=pitch), RATE)
        entries[name] = {
            "file": f"{name}.flac", "language": "en", "licence": "MIT", "description": "a test voice", "source": "test",
        }  # fmt: skip
    (folder / "voices.yaml").write_text(yaml.safe_dump(entries))
    return folder


def make_music(folder: Path, head: str = "consistency", title: str = "Tiny CALM of music") -> Path:
    """A model of music at 32 kHz, over latents or over codes, with a real CLAP model in `clap` beside it."""
    from tests.calm_core.clap import sounds
    from tests.calm_core.tiny import build_music, music

    clap = folder.parent / "clap"
    if not clap.exists():
        clap.mkdir(parents=True)
        save_file(sounds.build().state_dict(), clap / "model.safetensors")
        sounds.write_tokenizer(clap / "tokenizer.model")
        (clap / "config.yaml").write_text(yaml.safe_dump(sounds.model("tokenizer.model")))
    folder.mkdir(parents=True)
    model = build_music(head, clap="../clap")
    sampling = {"top_k": 10} if model.discrete else {"steps": 4, "cfg": 2.0}
    config = {"card": {"title": title, "licence": "MIT"}, **music(head, clap="../clap"), "sampling": sampling}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    tensors = {n: t.contiguous() for n, t in model.state_dict().items() if not n.startswith("head.weight.")}
    save_file(tensors, folder / "model.safetensors")
    return folder


def make_continuation(folder: Path, head: str = "lsd", title: str = "Tiny that goes on") -> Path:
    """A model that continues speech, over latents (`lsd`) or over codes (`rq_transformer`)."""
    from tests.calm_core.tiny import build_continuation, continuation

    folder.mkdir(parents=True)
    model = build_continuation(folder, head)
    data = {"card": {"title": title, "licence": "MIT"}, **continuation("tokenizer.json", head)}
    (folder / "config.yaml").write_text(yaml.safe_dump(data))
    save_file(_audible(model).state_dict(), folder / "model.safetensors")
    return folder


def bundled_without(task: str, folder: Path) -> Path:
    """A folder of links to all bundled models but those of one task, to stand in for `catalogue.CHECKPOINTS`."""
    from calm_core.catalogue import CHECKPOINTS

    for config in CHECKPOINTS.glob("*/config.yaml"):
        if yaml.safe_load(config.read_text(encoding="utf-8"))["task"] != task:
            (folder / config.parent.name).symlink_to(config.parent)
    return folder

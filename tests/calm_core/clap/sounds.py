"""A corpus of four kinds of sound that say what they are, and a CLAP small enough to learn them in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import soundfile as sf
import torch

from calm_core.clap.model import ClapModel
from calm_core.config import ClapModelConfig, parse_config

RATE = 16_000
KINDS = {
    "hum": ("a low hum", "one deep humming tone", "a bass hum that holds"),
    "whistle": ("a high whistle", "one shrill whistling tone", "a thin whistle that holds"),
    "hiss": ("white noise", "a steady noisy hiss", "the hiss of a radio"),
    "clicks": ("short clicks", "a click and silence again and again", "dry clicks of a metronome"),
}
AUDIO = {
    "sample_rate": 8000, "n_fft": 256, "hop": 160, "mels": 24, "seconds": 2.0, "channels": [8, 16], "d_model": 32,
    "num_heads": 2, "num_layers": 1, "dim_feedforward": 32,
}  # fmt: skip
TEXT = {"n_bins": 120, "d_model": 32, "num_heads": 2, "num_layers": 1, "dim_feedforward": 32, "max_tokens": 32}


def sound(kind: str, seconds: float, rng: np.random.Generator, rate: int = RATE) -> np.ndarray:
    """Samples of one kind; pitch, level and grid differ from clip to clip."""
    time = np.arange(int(seconds * rate)) / rate
    if kind == "hiss":
        return 0.2 * rng.standard_normal(time.size).clip(-3, 3)
    if kind == "clicks":
        return 0.8 * (time % rng.uniform(0.25, 0.4) < 0.005) * rng.uniform(0.5, 1.0)
    pitch = rng.uniform(90, 160) if kind == "hum" else rng.uniform(1500, 2500)
    return rng.uniform(0.1, 0.6) * np.sin(2 * np.pi * pitch * time)


def write_corpus(folder: Path, clips: dict[str, int]) -> Path:
    """Clips of every kind for each split, in one shard a split."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for split, count in clips.items():
        parts, start = [], 0
        for number in range(count):
            kind = list(KINDS)[number % len(KINDS)]
            wave = sound(kind, rng.uniform(1.0, 4.0), rng)
            parts.append((wave * 32767).astype(np.int16))
            said = list(rng.permutation(KINDS[kind]))
            rows.append({
                "id": f"{split}{number}", "split": split, "text": said[0], "captions": said,
                "attributes": {"kind": kind}, "shard": f"{split}.flac", "start": start, "samples": len(wave),
            })  # fmt: skip
            start += len(wave)
        sf.write(folder / f"{split}.flac", np.concatenate(parts), RATE)
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def model(tokenizer: Path | str) -> dict[str, Any]:
    return {"task": "clap", "width": 16, "audio": AUDIO, "text": {**TEXT, "tokenizer_path": str(tokenizer)}}


def build(seed: int = 0) -> ClapModel:
    config = parse_config(model("none.model"), "tiny")
    assert isinstance(config, ClapModelConfig)
    torch.manual_seed(seed)
    made = ClapModel(config).eval().requires_grad_(False)
    made.audio.mel_mean.fill_(-6.0)
    made.audio.mel_std.fill_(2.0)
    for tower in (made.audio, made.text):  # scores that are not all zero, as after training
        tower.encoder.pool.score.weight.normal_(generator=torch.Generator().manual_seed(seed))
    return made


def write_tokenizer(path: Path) -> None:
    with open(path, "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([caption for said in KINDS.values() for caption in said] * 4), model_writer=file,
            model_type="bpe", vocab_size=TEXT["n_bins"], character_coverage=1.0, minloglevel=2,
        )  # fmt: skip

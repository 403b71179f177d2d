"""The pitch of every utterance of a corpus, measured once with WORLD (Morise et al. 2009, DIO)."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from calm_core.training.checkpoint import write_tensors

PITCH_SECONDS = 0.01


def measure(samples: np.ndarray, sample_rate: int) -> Tensor:
    """Pitch in Hz every 10 ms of `samples [T]`, 0 where unvoiced, fp16."""
    pyworld: Any = import_module("pyworld")  # compiled, without types

    wave = samples.astype(np.float64)
    pitch, times = pyworld.dio(
        wave, sample_rate, f0_floor=55.0, f0_ceil=500.0, frame_period=1000 * PITCH_SECONDS, speed=3
    )
    return torch.tensor(pyworld.stonemask(wave, pitch, times, sample_rate), dtype=torch.float16)


def corpus_pitch(folder: Path) -> dict[str, Tensor]:
    """Pitch of every utterance by id; measured and kept in `pitch.safetensors` on first use (minutes)."""
    from calm_core.training.data import Corpus

    path = folder / "pitch.safetensors"
    if not path.exists():
        found: dict[str, Tensor] = {}
        for split in ("train", "valid"):
            corpus = Corpus(folder, split)
            for index, row in enumerate(corpus.rows):
                found[row.id] = measure(corpus.audio(row).numpy(), corpus.sample_rate)
                if index % 1000 == 0:
                    print(f"pitch of {split} {index}/{len(corpus.rows)}", file=sys.stderr, flush=True)
        write_tensors(path, found)
    return load_file(path)

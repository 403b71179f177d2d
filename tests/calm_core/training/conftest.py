from pathlib import Path

import numpy as np
import pytest

from calm_core.training.loop import train_recipe
from tests.calm_core.training.tiny_runs import RATE, codec_recipe, write, write_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen 'utterances' of two 'speakers': tones whose pitch is the phone, in one shard."""
    rng = np.random.default_rng(0)
    facts, waves = [], []
    for index in range(16):
        names = ["pau", *rng.choice(["aa", "iy", "s"], 4).tolist(), "pau"]
        lengths = np.array([{"pau": 0.15, "aa": 0.12, "iy": 0.08, "s": 0.05}[n] for n in names])  # learnable: by phone
        ends = np.cumsum(lengths * rng.uniform(0.95, 1.05, len(names))).round(4)
        time = np.arange(int(ends[-1] * RATE)) / RATE
        pitch = np.array([{"pau": 0, "aa": 200, "iy": 400, "s": 3000}[n] for n in names])[
            np.searchsorted(ends[:-1], time)
        ]
        wave = 0.3 * np.sin(2 * np.pi * pitch * time * (1 + index % 2 * 0.2))
        waves.append((wave * 32767).astype(np.int16))
        phones = list(zip(names, ends.tolist(), strict=True))
        facts.append({"speaker": f"s{index % 2}", "text": "Ah, see?", "phones": phones})
    return write_corpus(tmp_path_factory.mktemp("corpus"), waves, RATE, facts)


@pytest.fixture(scope="session")
def trained_codec(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codec")
    recipe = write(folder / "codec.yaml", codec_recipe(corpus, folder / "run"))
    figures = train_recipe(recipe, [], resume=False)
    assert figures["mel"] > 0
    return folder / "run"

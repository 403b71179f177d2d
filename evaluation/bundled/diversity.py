"""How alike the voices are that a model makes up, by temperature (CALM, appendix C and figure 2).

Each clip starts from nothing; the text keeps the model's own temperature, as in the paper (0.8). `real` are different
held-out speakers telling held-out stories.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.bundled.engine import Continuation, progress
from evaluation.bundled.passages import held_out_passages
from evaluation.errors import InputError
from evaluation.metrics import find_metric


@dataclass(frozen=True)
class Settings:
    """What to compare, on what."""

    models: Sequence[str] = ("calm-continuation-en", "rq-continuation-en")
    temperatures: Sequence[float] = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
    clips: int = 40
    seconds: float = 10.0
    speakers: int = 20
    device: str = "cpu"
    seed: int = 0


def measure(settings: Settings) -> list[dict[str, object]]:
    """Mean pairwise cosine of the voices, a row a system and temperature, with bootstrap intervals over clips.

    Raises:
        InputError: Fewer than two clips, a missing model, package or flite.
    """
    if settings.clips < 2:
        raise InputError(f"Voices are compared with each other; ask for at least 2 clips, not {settings.clips}.")
    find_metric("speaker_similarity").load()
    from evaluation.metrics.speaker import embedding

    models = {Path(name).name: Continuation(name, settings.device) for name in settings.models}
    real = held_out_passages(settings.speakers, 1.0, settings.seconds)
    table = [_row("real", None, [embedding(passage.rest) for passage in real], settings.seed)]
    for name, model in models.items():
        for temperature in settings.temperatures:
            voices = []
            label = f"{name} at {temperature:g}"
            for number in progress(label, range(settings.clips)):
                clip, _ = model.go_on(label, None, settings.seconds, settings.seed * 1000 + number, temperature)
                try:
                    voices.append(embedding(clip))
                except InputError:
                    continue  # silence has no voice; the row says how many had one
            table.append(_row(name, temperature, voices, settings.seed))
    return table


def _row(system: str, temperature: float | None, voices: Sequence[np.ndarray], seed: int) -> dict[str, object]:
    from evaluation.metrics.speaker import diversity_interval, mean_pair_cosine

    every = np.stack(voices)
    low, high = diversity_interval(every, np.random.default_rng(seed))
    return {
        "system": system,
        "temperature": "" if temperature is None else temperature,
        "clips": len(voices),
        "similarity": mean_pair_cosine(every),
        "low": low,
        "high": high,
    }

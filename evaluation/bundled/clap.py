"""Whether a CLAP finds the clip that a caption describes, and the caption of a clip, among held-out ones.

Every clip of a split is embedded whole and stands beside its first caption. Clips that have the same caption answer it
alike, so `chance`, what a random order would reach, depends on the captions as well as on how many clips there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.bundled.engine import CaptionSpace, progress
from evaluation.errors import InputError
from evaluation.intervals import bootstrap_ratio

LEAST_CLIPS = 10


@dataclass(frozen=True)
class Settings:
    """What to measure, on what.

    Attributes:
        corpus: Folder of `manifest.jsonl` and its FLAC shards.
        split: Of the corpus.
        models: Ids, folders or hf:// repositories.
        limit: Only the first clips; all when None.
    """

    corpus: Path
    split: str = "heldout"
    models: Sequence[str] = ("calm-clap-music",)
    limit: int | None = None
    device: str = "cpu"
    seed: int = 0


def measure(settings: Settings) -> list[dict[str, object]]:
    """Recall at 1, 5 and 10 in percent, a row a model, direction and depth, with bootstrap intervals over clips.

    Raises:
        InputError: A missing model or corpus, fewer than ten clips, or a clip without a caption or sound.
    """
    import torch

    import calm_core.errors
    from calm_core import Audio
    from calm_core.clap.retrieval import AT, chance, same_texts, wrong_ahead
    from calm_core.training.data import Corpus

    models = {Path(name).name: CaptionSpace(name, settings.device) for name in settings.models}
    try:
        corpus = Corpus(settings.corpus, settings.split)
    except calm_core.errors.InputError as error:
        raise InputError(str(error)) from error
    rows = corpus.rows[: settings.limit]
    if len(rows) < LEAST_CLIPS:
        raise InputError(
            f"The split {settings.split!r} of {settings.corpus} has {len(rows)} clips and recall at {AT[-1]} needs at "
            f"least {LEAST_CLIPS}; give a larger corpus."
        )
    captions = [(row.captions or [row.text])[0] for row in rows]
    sounds: dict[str, list[np.ndarray]] = {name: [] for name in models}
    shard = ""
    for row in progress("clips", rows):
        if row.shard != shard:
            corpus.release()
            shard = row.shard
        clip = Audio(corpus.audio(row), corpus.sample_rate)
        for name, model in models.items():
            sounds[name].append(model.hear(row.id, clip))
    same = same_texts(captions)
    table: list[dict[str, object]] = []
    for name, model in models.items():
        heard, read = torch.from_numpy(np.stack(sounds[name])), torch.from_numpy(model.read(captions))
        for direction, cosines in (("text to audio", read @ heard.T), ("audio to text", heard @ read.T)):
            ahead = wrong_ahead(cosines, same).numpy()
            for at in AT:
                hits = np.stack([100.0 * (ahead < at), np.ones(len(rows))], axis=1)
                mean, low, high = bootstrap_ratio(hits, np.random.default_rng(settings.seed))
                table.append({
                    "model": name, "direction": direction, "at": at, "recall": mean, "low": low, "high": high,
                    "chance": 100.0 * chance(same, at), "clips": len(rows),
                })  # fmt: skip
    return table

"""CLAP score: the cosine of a clip and its caption in the space of a CLAP model (MusicGen, Copet et al. 2023)."""

from pathlib import Path

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.intervals import bootstrap_ratio
from evaluation.metrics.embedders import TextEmbedder, mean_direction


class ClapScore:
    """CLAP score of clips that are handed over one by one; a clip's caption is its transcript.

    Of a clip that is longer than the model hears, the mean direction of its windows counts. Scores of two models do
    not compare, and a model that also made the music's conditions judges it too kindly.
    """

    def __init__(self, text_embedder: TextEmbedder, seed: int = 0):
        self._embedder, self._seed = text_embedder, seed
        self._found: dict[str, float] = {}

    def add(self, clip: Clip) -> None:
        """Take a clip in.

        Raises:
            InputError: It has no caption, or see the embedder.
        """
        if not clip.transcript:
            raise InputError(
                f"{clip.item} has no caption; clap_score needs a NAME.txt with words beside each NAME.wav."
            )
        text = mean_direction(self._embedder.embed_text([clip.transcript]))
        self._found[Path(clip.item).name] = float(mean_direction(self._embedder(clip)) @ text)

    def rows(self) -> list[tuple[str, str, float]]:
        """The cosine of each clip, the mean and its 95 % bootstrap interval over clips, as `(item, metric, value)`."""
        scores = list(self._found.values())
        pairs = np.column_stack([scores, np.ones(len(scores))])
        figures = bootstrap_ratio(pairs, np.random.default_rng(self._seed))
        summary = zip(("mean", "ci_low", "ci_high"), figures, strict=True)
        return [(item, "clap_score", value) for item, value in [*self._found.items(), *summary]]

"""How far guidance should go: music of captions, or of sounds, with several weights of it.

The pieces are those of the validation split; the held-out ones of the report are only what the Frechet distance
compares with, so that a default that is chosen here meets captions there that had no say in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from evaluation.bundled.engine import progress
from evaluation.bundled.hearing import Ear
from evaluation.bundled.music import Music
from evaluation.bundled.pieces import HeldOut, Piece
from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.intervals import basic_interval, bootstrap_ratio
from evaluation.metrics.frechet import distance_and_resamples


@dataclass(frozen=True)
class Settings:
    """What to measure, on what.

    Attributes:
        corpus: Folder of `manifest.jsonl` and its FLAC shards.
        model: Makes music of captions.
        by: What it is told.
        weights: Of guidance; 1 is none.
        pieces: The first so many of the validation split.
        begin: Of each piece, what is left out before the sound that it is compared with and told by, in seconds.
        seconds: Of sound.
        seeds: Of generation.
        steps: Of the head; None leaves them to the model.
        embedder: See `embedders.find_embedder`; one that reads captions.
        device: Torch device.
    """

    corpus: Path
    model: str = "calm-music"
    by: Literal["caption", "sound"] = "caption"
    weights: Sequence[float] = (1.0, 1.5, 2.0, 3.0, 4.0)
    pieces: int = 30
    begin: float = 3.0
    seconds: float = 10.0
    seeds: Sequence[int] = (0, 1)
    steps: int | None = None
    embedder: str = "clap"
    device: str = "cpu"


def measure(settings: Settings) -> list[dict[str, object]]:
    """FAD and the cosine to the piece's caption, a row a weight, with bootstrap intervals over clips.

    Raises:
        InputError: A missing model or corpus, or too few pieces that last long enough.
    """
    lasting = settings.begin + settings.seconds
    pieces = [piece for piece in HeldOut(settings.corpus).pieces if piece.seconds >= lasting]
    told = [piece for piece in pieces if piece.row.split == "valid"][: settings.pieces]
    others = [piece for piece in pieces if piece.row.split == "heldout"]
    if len(told) < settings.pieces or len(others) < 2:
        raise InputError(
            f"{settings.corpus} has {len(told)} validation pieces and {len(others)} held-out ones of {lasting:g} s; "
            f"{settings.pieces} and 2 are needed: ask for fewer --pieces or --seconds."
        )
    ear = Ear(settings.embedder, None, None, settings.device)
    model = Music(settings.model, "clap_to_music", device=settings.device)

    def part(piece: Piece) -> Clip:
        return piece.part(settings.begin, settings.seconds)

    reference = [ear.windows(part(piece)) for piece in progress("held out", others)]
    captions = ear.read([piece.caption for piece in told])
    table: list[dict[str, object]] = []
    for weight in settings.weights:
        windows, cosines = [], []
        for number, piece in enumerate(progress(f"guidance {weight:g}", told)):
            sound = part(piece) if settings.by == "sound" else None
            made = model.compose(
                number, piece.name, piece.caption if sound is None else None, sound, settings.seconds, settings.seeds,
                settings.steps, weight,
            )  # fmt: skip
            for clip in made.values():
                windows.append(ear.windows(clip))
                heard = ear.direction(clip)
                assert heard is not None
                cosines.append(float(heard @ captions[number]))
        distance, drawn = distance_and_resamples(reference, windows, np.random.default_rng(0))
        low, high = basic_interval(distance, drawn - drawn.mean())
        pairs = np.stack([cosines, np.ones(len(cosines))], axis=1)
        cosine, clap_low, clap_high = bootstrap_ratio(pairs, np.random.default_rng(0))
        table.append({
            "guidance": weight, "by": settings.by, "fad": distance, "fad_low": low, "fad_high": high, "clap": cosine,
            "clap_low": clap_low, "clap_high": clap_high, "clips": len(windows),
        })  # fmt: skip
    return table

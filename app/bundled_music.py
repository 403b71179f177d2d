"""Sounds of the bundled studies of music: composed pieces, the same through a codec, and how models go on from them.

A prompt of such a study is called `GENRE-NUMBER`: a piece of that genre that no model was trained on. Its systems are
`source` (the piece), `codec` (the piece through the codec of the first model) and models by their identifiers, where
`-v2` marks a retrained one and `-4-steps` the steps of its head, as in `calm-music-v2-4-steps`. All clips of a prompt
have one length, and those of models begin with the same three seconds as the piece.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from app.continuation import PROMPT_SECONDS
from app.music import CONTINUE
from app.music_prompts import held_out_piece
from app.studies.schema import Study

SOURCE, CODEC = "source", "codec"
MODEL = re.compile(r"(?P<model>(?:[a-z]+-)?music(?:-[a-z]+)?)(-v\d+)?(-(?P<steps>\d+)-steps?)?")
FIRST_SEED = 910_000_000  # behind those of the bundled prompts
Made = tuple[str, np.ndarray, int]  # system, samples [T], rate in hertz


def models_of(study: Study) -> list[str]:
    """The models of a study of music by their identifiers; none of any other study."""
    found = (MODEL.fullmatch(system.name) for system in study.systems)
    return list(dict.fromkeys(one["model"] for one in found if one))


def renditions(
    study: Study, prompt: str, names: list[str], seed: int, load: Any, other: Mapping[str, str], seconds: float
) -> Iterator[Made]:
    """Each system that plays a prompt.

    Args:
        study: whose first model lends its codec.
        prompt: `GENRE-NUMBER`.
        names: of the systems.
        seed: of all models.
        load: loads a model for a task.
        other: models by the identifiers that they stand in for.
        seconds: of each clip.

    Raises:
        InputError: the genre does not exist, a model cannot be loaded, or fluidsynth is missing.
    """
    import torch

    from calm_core import Audio
    from calm_core.errors import InputError
    from calm_core.training.music.genres import GENRES
    from calm_core.training.music.render import MUSIC_RATE, check_renderer, play

    check_renderer()
    genre = prompt.rpartition("-")[0].replace("-", " ")
    if genre not in GENRES:
        raise InputError(f"The prompt {prompt!r} names no genre; call it GENRE-NUMBER, such as jazz-1.")
    own, piece = held_out_piece(genre, FIRST_SEED + zlib.crc32(prompt.encode()) % 10_000_000)
    played = play(piece, own)[: round(seconds * MUSIC_RATE)].astype(np.float32)
    for name in names:
        if name == SOURCE:
            yield name, played, MUSIC_RATE
        elif name == CODEC:
            first = models_of(study)[0]
            decoded = load(other.get(first, first), "codec").reconstruct(Audio(torch.from_numpy(played), MUSIC_RATE))
            yield name, decoded.samples.numpy().reshape(-1)[: len(played)], decoded.sample_rate
        else:
            found = MODEL.fullmatch(name)
            if found is None:
                raise InputError(f"The system {name!r} of {study.slug} is no model of music; see app/bundled_music.py.")
            model = load(other.get(found["model"], found["model"]), CONTINUE)
            head = int(PROMPT_SECONDS * model.frame_rate) / model.frame_rate  # whole frames: nothing is cut off
            start = Audio(torch.from_numpy(played[: round(head * MUSIC_RATE)]), MUSIC_RATE)
            steps = int(found["steps"]) if found["steps"] else None
            made = model.generate(start, seconds - head, seed=seed, steps=steps)
            yield name, made.samples.numpy().reshape(-1), made.sample_rate

"""What captions name, found again in music: by the trained classifier, by librosa's tempo and key."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.clips import Clip
from evaluation.metrics.captioned import Attributes, parse_attributes
from evaluation.metrics.musical_key import find_key, key_score, read_key
from evaluation.metrics.tempo import class_agreement, find_tempo

if TYPE_CHECKING:
    from evaluation.metrics.attributes import AttributeClassifier

ATTRIBUTES = ("genre", "mood", "tempo_class", "instruments")
_DRAWS = 200
_LEAST_SECONDS = 3.0  # of a clip whose tempo is estimated


def _read(known: Mapping[str, Any]) -> Attributes:
    return parse_attributes(json.dumps(dict(known)), "The corpus's manifest")


def recovered(
    classifier: "AttributeClassifier", vectors: np.ndarray, known: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Accuracy, chance and resamples over clips of each attribute that the classifier knows.

    Args:
        classifier: Trained.
        vectors: Embeddings `[N, E]` of clips.
        known: What the caption of each says.
    """
    described = [_read(one) for one in known]
    found: dict[str, dict[str, Any]] = {
        one.attribute: {"value": one.accuracy, "chance": one.chance, "resamples": []}
        for one in classifier.accuracy(vectors, described)
        if np.isfinite(one.accuracy)
    }
    rng = np.random.default_rng(0)
    for _ in range(_DRAWS):
        places = rng.integers(0, len(vectors), len(vectors))
        drawn = {
            one.attribute: one.accuracy
            for one in classifier.accuracy(vectors[places], [described[place] for place in places])
        }
        for name, figure in found.items():
            value = drawn.get(name, np.nan)
            figure["resamples"].append(value if np.isfinite(value) else figure["value"])
    return found


def by_estimators(clip: Clip, known: Mapping[str, Any]) -> dict[str, float | None]:
    """Whether librosa's tempo is of the caption's class, exactly and up to an octave; MIREX's score of its key."""
    said = _read(known)
    found: dict[str, float | None] = {"tempo_agreement": None, "tempo_octave": None, "key_score": None}
    if clip.seconds < _LEAST_SECONDS:
        return found
    if said.tempo_class is not None:
        found["tempo_agreement"], found["tempo_octave"] = class_agreement(find_tempo(clip), said.tempo_class)
    if said.key is not None:
        heard = find_key(clip)
        found["key_score"] = key_score(heard, read_key(said.key, said.mode)) if heard else 0.0
    return found

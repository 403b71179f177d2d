"""Classifiers of genre, mood, tempo class and instruments: logistic regressions on embeddings of clips.

Shapes: N clips, E width of an embedding, K classes of an attribute. A clip's embedding is the mean of its frames.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.captioned import Attributes, parse_attributes
from evaluation.metrics.embedders import DEFAULT, Embedder, find_embedder, reference_sound
from evaluation.metrics.optional import existing_file

EXCLUSIVE = ("genre", "mood", "tempo_class")
INSTRUMENTS = "instruments"
BUNDLED = Path(__file__).parents[2] / "assets" / "evaluation" / "attributes.safetensors"
_KIND = "calm attribute classifier 1"
# Of what an embedder makes of the reference sound. Weights that were rounded to 8 bits stay well within it, those of
# another training do not.
_MOST_DRIFT = 0.2


@dataclass(frozen=True)
class Probe:
    """One attribute's regression.

    Attributes:
        labels: Its K classes.
        exclusive: Whether a clip is of exactly one of them (softmax), or of any number (a logistic function each).
        weight: `[K, E]`, on standardised embeddings.
        bias: `[K]`.
    """

    labels: tuple[str, ...]
    exclusive: bool
    weight: np.ndarray
    bias: np.ndarray

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """`[N, K]` of standardised embeddings `[N, E]`."""
        scores = inputs @ self.weight.T + self.bias
        if self.exclusive:
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            return shares / shares.sum(axis=1, keepdims=True)
        return 0.5 + 0.5 * np.tanh(scores / 2)


@dataclass(frozen=True)
class Accuracy:
    """How well an attribute is recognised.

    Attributes:
        attribute: Its name.
        accuracy: Share of clips; for instruments the balanced accuracy (mean of the shares of those that play and of
            those that do not that are recognised), averaged over instruments.
        chance: Share of the most frequent class among the judged clips; 0.5 for instruments.
        clips: How many were judged.
    """

    attribute: str
    accuracy: float
    chance: float
    clips: int


def _targets(described: Sequence[Attributes], attribute: str, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Clips that are described by known labels, and their classes as zeros and ones `[N', K]`."""
    places, rows = [], []
    for place, known in enumerate(described):
        value = getattr(known, attribute)
        named = set() if value is None else {value} if isinstance(value, str) else set(value)
        row = [float(label in named) for label in labels]
        if value is not None and (attribute == INSTRUMENTS or any(row)):
            places.append(place)
            rows.append(row)
    return np.array(places, dtype=int), np.array(rows).reshape(len(rows), len(labels))


def _regression(inputs: np.ndarray, targets: np.ndarray, exclusive: bool, l2: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[K, E]` and biases `[K]` that minimise mean cross-entropy + l2 / 2 |weights|^2, by L-BFGS."""
    from scipy.optimize import minimize

    count, width = inputs.shape
    classes = targets.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight, bias = flat[: classes * width].reshape(classes, width), flat[classes * width :]
        scores = inputs @ weight.T + bias
        if exclusive:
            top = scores.max(axis=1, keepdims=True)
            normaliser = top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
            value = (normaliser.sum() - (targets * scores).sum()) / count
            predicted = np.exp(scores - normaliser)
        else:
            value = (np.logaddexp(0, scores) - targets * scores).sum() / count
            predicted = 0.5 + 0.5 * np.tanh(scores / 2)
        error = (predicted - targets) / count
        slope = np.concatenate([(error.T @ inputs + l2 * weight).ravel(), error.sum(axis=0)])
        return float(value + l2 / 2 * (weight**2).sum()), slope

    found = minimize(loss, np.zeros(classes * (width + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return found.x[: classes * width].reshape(classes, width), found.x[classes * width :]


class AttributeClassifier:
    """A trained classifier.

    Attributes:
        embedder: Name of the embedder whose clips it takes; see `embedders.find_embedder`.
        probes: The regressions by attribute.
        reference: `[E]`, what that embedder makes of `embedders.reference_sound`; None where it was not asked.
    """

    reference: np.ndarray | None = None

    def __init__(self, embedder: str, mean: np.ndarray, scale: np.ndarray, probes: Mapping[str, Probe]):
        self.embedder = embedder
        self.probes = dict(probes)
        self.device = "cpu"
        self._mean, self._scale = mean, scale

    @classmethod
    def fit(
        cls, vectors: np.ndarray, described: Sequence[Attributes], embedder: str = DEFAULT, l2: float = 0.01
    ) -> "AttributeClassifier":
        """Train on clips whose attributes are known; there is no draw in it.

        Args:
            vectors: Embeddings `[N, E]`.
            described: What is known of each clip; what is not known is left out of that attribute's regression.
            embedder: Name of the embedder that they come from.
            l2: Weight of the penalty on squared weights.

        Raises:
            InputError: No attribute has two classes among the clips.
        """
        vectors = np.asarray(vectors, dtype=float)
        mean, scale = vectors.mean(axis=0), np.maximum(vectors.std(axis=0), 1e-6)
        inputs = (vectors - mean) / scale
        probes = {}
        for attribute in (*EXCLUSIVE, INSTRUMENTS):
            values = [getattr(known, attribute) for known in described]
            if attribute == INSTRUMENTS:
                labels = tuple(sorted({label for value in values for label in value or ()}))
            else:
                labels = tuple(sorted({value for value in values if value is not None}))
            exclusive = attribute != INSTRUMENTS
            if len(labels) < (2 if exclusive else 1):
                continue
            places, targets = _targets(described, attribute, labels)
            probes[attribute] = Probe(labels, exclusive, *_regression(inputs[places], targets, exclusive, l2))
        if not probes:
            raise InputError(f"None of the {len(vectors)} clips differ in genre, mood, tempo_class or instruments.")
        return cls(embedder, mean, scale, probes)

    def probabilities(self, vectors: np.ndarray) -> dict[str, np.ndarray]:
        """Of every class `[N, K]`, by attribute, for embeddings `[N, E]`.

        Raises:
            InputError: Embeddings of another width.
        """
        vectors = np.asarray(vectors, dtype=float)
        if vectors.shape[1] != len(self._mean):
            raise InputError(
                f"The classifier of attributes takes embeddings of width {len(self._mean)} (of {self.embedder}); these "
                f"have {vectors.shape[1]}."
            )
        inputs = (vectors - self._mean) / self._scale
        return {attribute: probe.probabilities(inputs) for attribute, probe in self.probes.items()}

    def accuracy(self, vectors: np.ndarray, described: Sequence[Attributes]) -> list[Accuracy]:
        """Of each attribute, on clips of embeddings `[N, E]`; clips with classes never seen before are left out."""
        found = []
        for attribute, predicted in self.probabilities(vectors).items():
            probe = self.probes[attribute]
            places, targets = _targets(described, attribute, probe.labels)
            if not len(places):
                continue
            if probe.exclusive:
                right = predicted[places].argmax(axis=1) == targets.argmax(axis=1)
                share, chance = float(right.mean()), float(targets.mean(axis=0).max())
            else:
                share, chance = _balanced(predicted[places] > 0.5, targets > 0.5), 0.5
            found.append(Accuracy(attribute, share, chance, len(places)))
        return found

    def remember(self, embedder: Embedder) -> None:
        """Keep what the embedder makes of a sound, by which it is known again.

        Raises:
            InputError: Its embeddings are of another width than those that the classifier was trained on.
        """
        reference = embedder(reference_sound()).mean(axis=0)
        self.probabilities(reference[None])
        self.reference = reference.astype(float)

    def drift(self, embedder: Embedder) -> float:
        """How far an embedder is from the one that was remembered: 0 is the same; 0 too where none was.

        The distance of what both make of one sound, over the length of what the remembered one made of it.
        """
        if self.reference is None:
            return 0.0
        heard = embedder(reference_sound()).mean(axis=0)
        if heard.shape != self.reference.shape:
            return float("inf")
        return float(np.linalg.norm(heard - self.reference) / np.linalg.norm(self.reference))

    def _hears(self, clip: Clip) -> dict[str, np.ndarray]:
        """Probabilities `[K]` by attribute."""
        vector = find_embedder(self.embedder, self.device)(clip).mean(axis=0)
        return {attribute: values[0] for attribute, values in self.probabilities(vector[None]).items()}

    def distributions(self, clip: Clip) -> list[np.ndarray]:
        """As a tagger (see `tagging.Tagger`): one distribution for each attribute, and one for each instrument."""
        found = []
        for attribute, values in self._hears(clip).items():
            if self.probes[attribute].exclusive:
                found.append(values)
            else:
                found += list(np.stack([1 - values, values], axis=1))
        return found

    def judge(self, clip: Clip, known: Attributes) -> list[tuple[str, float]]:
        """Whether genre, mood and tempo class are heard (1 or 0 each), and instruments: recall, precision, F1.

        Classes that the classifier does not know are left out, and instruments where it knows none of those that play.
        """
        rows = []
        for attribute, values in self._hears(clip).items():
            labels, named = self.probes[attribute].labels, getattr(known, attribute)
            if self.probes[attribute].exclusive:
                if named in labels:
                    rows.append((f"{attribute}_agreement", float(labels[int(values.argmax())] == named)))
                continue
            playing = set(named or ()) & set(labels)
            heard = {label for label, value in zip(labels, values, strict=True) if value > 0.5}
            if playing:
                both = len(playing & heard)
                rows += [
                    ("instrument_recall", both / len(playing)),
                    ("instrument_precision", both / len(heard) if heard else 0.0),
                    ("instrument_f1", 2 * both / (len(playing) + len(heard))),
                ]
        return rows

    def save(self, path: Path) -> None:
        """Write it as safetensors, with labels in the file's metadata."""
        from safetensors.numpy import save_file

        tensors = {"mean": self._mean, "scale": self._scale}
        if self.reference is not None:
            tensors["reference"] = self.reference
        for attribute, probe in self.probes.items():
            tensors |= {f"{attribute}.weight": probe.weight, f"{attribute}.bias": probe.bias}
        labels = {attribute: probe.labels for attribute, probe in self.probes.items()}
        metadata = {"kind": _KIND, "embedder": self.embedder, "labels": json.dumps(labels)}
        save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, path, metadata)

    @classmethod
    def load(cls, path: Path) -> "AttributeClassifier":
        """Read what `save` wrote.

        Raises:
            InputError: There is no such file, or it is another.
        """
        from safetensors import SafetensorError, safe_open

        existing_file(path, "classifier of attributes", "make one with: python -m evaluation attributes")
        try:
            with safe_open(path, "numpy") as file:
                metadata = file.metadata() or {}
                names = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
            labels = json.loads(metadata["labels"])
            probes = {
                attribute: Probe(
                    tuple(names), attribute != INSTRUMENTS, tensors[f"{attribute}.weight"], tensors[f"{attribute}.bias"]
                )
                for attribute, names in labels.items()
            }
            found = cls(metadata["embedder"], tensors["mean"], tensors["scale"], probes)
            found.reference = tensors.get("reference")
            return found
        except (SafetensorError, KeyError, ValueError) as error:
            raise InputError(
                f"{path} is not a classifier of attributes; make one with: python -m evaluation attributes"
            ) from error


def _balanced(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean balanced accuracy over the columns of `[N, K]` that have both kinds; nan without such a column."""
    shares = [
        0.5 * ((column & real).sum() / real.sum() + (~column & ~real).sum() / (~real).sum())
        for column, real in zip(predicted.T, true.T, strict=True)
        if 0 < real.sum() < len(real)
    ]
    return float(np.mean(shares)) if shares else float("nan")


def classifier_path(path: Path | None) -> Path:
    """The file that was named, else the bundled one.

    Raises:
        InputError: None was named and none is bundled.
    """
    if path is None and not BUNDLED.is_file():
        raise InputError(
            "A classifier of attributes is needed: give --attributes FILE.safetensors (python -m evaluation attributes "
            "makes one), or for kld --tagger pann:WEIGHTS."
        )
    return path or BUNDLED


def find_classifier(path: Path | None = None, device: str = "cpu") -> AttributeClassifier:
    """The classifier of a file, the bundled one by default, with its embedder loaded.

    Raises:
        InputError: No such file, or its embedder cannot be had or is another than the one that it was trained with.
    """
    return _load(classifier_path(path), device)


@lru_cache(maxsize=1)
def _load(path: Path, device: str) -> AttributeClassifier:
    found = AttributeClassifier.load(path)
    found.device = device
    if found.drift(find_embedder(found.embedder, device)) > _MOST_DRIFT:
        raise InputError(
            f"{path} was trained on embeddings of another {found.embedder} than the one that is here; train it again "
            "with: python -m evaluation attributes"
        )
    return found


def corpus_vectors(embeddings: Path, manifest: Path) -> tuple[np.ndarray, list[Attributes]]:
    """Embeddings `[N, E]` of a corpus and what is known of each clip, for `AttributeClassifier.fit`.

    Args:
        embeddings: Safetensors, row id to `[W, E]`, as `calm encode` makes them; windows are averaged.
        manifest: JSON lines with `id` and `attributes`.

    Raises:
        InputError: A file is missing or damaged, or no row has embeddings.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    existing_file(embeddings, "file of embeddings", "give safetensors of [windows, width] by the id of a row")
    existing_file(manifest, "manifest", "give the manifest.jsonl of a corpus with attributes")
    try:
        found = load_file(embeddings)
    except SafetensorError as error:
        raise InputError(f"{embeddings} cannot be read ({error}); make it again.") from error
    vectors, described = [], []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            name = row["id"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"Line {number} of {manifest} is no JSON object with an id.") from error
        if name in found:
            vectors.append(found[name].astype(float).mean(axis=0))
            described.append(parse_attributes(line, f"Line {number} of {manifest}"))
    if not vectors:
        raise InputError(f"No row of {manifest} has embeddings in {embeddings}; give files of one corpus.")
    return np.array(vectors), described

"""Frechet audio distance (Kilgour et al. 2019): how far apart two sets of clips lie as Gaussians of embeddings.

Shapes: N clips of a set, F frames of all its clips together, E width of an embedding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.linalg import eigh, eigvalsh
from numpy.typing import ArrayLike

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.intervals import basic_interval
from evaluation.metrics.embedders import Embedder

DRAWS = 200
"""Resamples of the interval of a distance."""
INFINITY_DRAWS = 60
"""Resamples of the interval of an extrapolated distance, each of which measures many subsets."""
SMALLEST_SHARE = 0.25
"""Of the clips, in the smallest subset that an extrapolation measures."""
_SIZES = 8
_REPEATS = 4


@dataclass(frozen=True)
class Gaussian:
    """Mean `[E]` and covariance `[E, E]` (with F - 1) of the frames of a set."""

    mean: np.ndarray
    covariance: np.ndarray


def gaussian(frames: np.ndarray) -> Gaussian:
    """Of frames `[F, E]`, F at least 2."""
    frames = np.asarray(frames, dtype=float)
    mean = frames.mean(axis=0)
    centred = frames - mean
    return Gaussian(mean, centred.T @ centred / (len(frames) - 1))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared distance of two Gaussians, |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Dowson and Landau 1982).

    The trace of the root is the sum of the roots of the eigenvalues of S1^(1/2) S2 S1^(1/2), which is symmetric: it
    stays real and exact where covariances are singular.
    """
    values, vectors = eigh(first.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    inner = eigvalsh(root @ second.covariance @ root)
    shared = np.sqrt(np.maximum(inner, 0)).sum()
    difference = first.mean - second.mean
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * shared
    return float(difference @ difference + max(spread, 0.0))


def _joined(clips: Sequence[np.ndarray]) -> Gaussian:
    return gaussian(np.concatenate(list(clips)))


def extrapolated(inverse_sizes: ArrayLike, distances: ArrayLike) -> float:
    """Where a line through distances over inverse sizes of sets meets 0, that of endless sets, by least squares."""
    _, intercept = np.polyfit(np.asarray(inverse_sizes, dtype=float), np.asarray(distances, dtype=float), 1)
    return float(intercept)


def frechet_infinity(
    reference: Sequence[np.ndarray],
    clips: Sequence[np.ndarray],
    rng: np.random.Generator,
    smallest_share: float = SMALLEST_SHARE,
) -> float:
    """The distance that endless sets would have (Chong and Forsyth 2020; for sound Gui et al. 2024).

    Distances are biased upwards by about c / N. Subsets of 8 shares, evenly spaced in 1 / share, each drawn 4 times,
    are measured and a line is fitted. The papers leave the reference whole, which is vast there; here the same share of
    both sets is drawn, since a reference of some hundred clips has as much bias as the judged set. With a vast
    reference both ways agree. Can be slightly negative.

    Args:
        reference: Frames `[W, E]` of each clip of the reference set.
        clips: Of each judged clip.
        rng: Source of the subsets.
        smallest_share: Of the clips, in the smallest subset.

    Raises:
        InputError: Fewer than 3 sizes lie between the smallest subset and all clips.
    """
    counts = np.array([len(reference), len(clips)])
    shares = 1 / np.linspace(1, 1 / smallest_share, _SIZES)
    sizes = np.unique(np.maximum(2, np.round(shares[:, None] * counts)).astype(int), axis=0)
    if len(sizes) < 3:
        raise InputError(
            f"fad_infinity draws subsets of {len(reference)} and {len(clips)} clips and finds {len(sizes)} sizes of at "
            f"least 3; give more clips."
        )
    inverse, distances = [], []
    for pair in sizes:
        for _ in range(1 if (pair == counts).all() else _REPEATS):
            drawn = [
                gaussian(np.concatenate([frames[place] for place in rng.permutation(len(frames))[:size]]))
                for frames, size in zip((reference, clips), pair, strict=True)
            ]
            inverse.append(float((counts / pair).mean()))
            distances.append(frechet_distance(*drawn))
    return extrapolated(inverse, distances)


def _resampled(
    measure: Callable[[list[np.ndarray], list[np.ndarray]], float],
    reference: Sequence[np.ndarray],
    clips: Sequence[np.ndarray],
    rng: np.random.Generator,
    draws: int,
) -> np.ndarray:
    """The measure of `draws` pairs of sets whose clips are drawn with replacement, `[draws]`."""

    def again(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [frames[place] for place in rng.integers(0, len(frames), len(frames))]

    return np.array([measure(again(reference), again(clips)) for _ in range(draws)])


def distance_interval(
    reference: Sequence[np.ndarray],
    clips: Sequence[np.ndarray],
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """Bootstrap interval of the distance that two sets of these sizes have on average.

    Clips are drawn, since the frames of a clip are alike. A resample repeats clips, which widens the distance once
    more by its bias; so deviations from the resamples' mean are laid around the distance itself (turned over, as in
    the basic bootstrap, Davison and Hinkley 1997, section 5.2).

    Args:
        reference: Frames `[W, E]` of each clip of the reference set.
        clips: Of each judged clip.
        rng: Source of the draws.
        level: Coverage.
        draws: Number of resamples.
    """
    found, drawn = distance_and_resamples(reference, clips, rng, draws)
    return basic_interval(found, drawn - drawn.mean(), level)


def distance_and_resamples(
    reference: Sequence[np.ndarray], clips: Sequence[np.ndarray], rng: np.random.Generator, draws: int = DRAWS
) -> tuple[float, np.ndarray]:
    """The distance of two sets, and the distances `[draws]` of sets whose clips are drawn from them again.

    The draws hang on the generator and on how many clips there are alone: of several systems that made clips of the
    same prompts, measured with equal generators, the n-th resamples hold the same prompts.

    Args:
        reference: Frames `[W, E]` of each clip of the reference set.
        clips: Of each judged clip.
        rng: Source of the draws.
        draws: Number of resamples.
    """

    def measure(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
        return frechet_distance(_joined(a), _joined(b))

    return measure(reference, clips), _resampled(measure, reference, clips, rng, draws)


def infinity_interval(
    reference: Sequence[np.ndarray],
    clips: Sequence[np.ndarray],
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = INFINITY_DRAWS,
    smallest_share: float = SMALLEST_SHARE,
) -> tuple[float, float, float]:
    """The extrapolated distance and its basic bootstrap interval over clips; see `distance_interval`.

    Among resamples the sets themselves are the whole population, so their own distance is the truth that the
    extrapolations of resamples err from.

    Returns:
        `(distance, low, high)`.

    Raises:
        InputError: See `frechet_infinity`.
    """
    found = frechet_infinity(reference, clips, rng, smallest_share)
    truth = frechet_distance(_joined(reference), _joined(clips))
    drawn = _resampled(lambda a, b: frechet_infinity(a, b, rng, smallest_share), reference, clips, rng, draws)
    return found, *basic_interval(found, drawn - truth, level)


class FrechetDistance:
    """The Frechet audio distance of two sets whose clips are handed over one by one."""

    name = "fad"
    frames_per_dimension = 1

    def __init__(self, embedder: Embedder, seed: int = 0):
        self._embedder, self._seed = embedder, seed
        self._reference: list[np.ndarray] = []
        self._judged: list[np.ndarray] = []

    def add_reference(self, clip: Clip) -> None:
        """Take a clip of the reference set in; see the embedder for what is raised."""
        self._reference.append(self._embedder(clip))

    def add(self, clip: Clip) -> None:
        """Take a clip of the judged set in; see the embedder for what is raised."""
        self._judged.append(self._embedder(clip))

    def _check(self) -> None:
        for which, clips in (("reference", self._reference), ("judged", self._judged)):
            frames, width = sum(map(len, clips)), clips[0].shape[1] if clips else 0
            needed = self.frames_per_dimension * width + 1
            if len(clips) < 2 or frames < needed:
                per_clip = frames / max(1, len(clips))
                more = f"; give about {max(2, round(needed / per_clip + 0.5))} clips of this length" if frames else ""
                raise InputError(
                    f"{self.name} has {frames} embeddings of the {which} set from {len(clips)} clips and needs "
                    f"{needed} or more, as they have {width} dimensions{more}, or an --embedder with fewer."
                )

    def rows(self) -> list[tuple[str, str, float]]:
        """Distance and 95 % interval as `(item, metric, value)`; the item of the distance is `mean`.

        Raises:
            InputError: A set has no more embeddings than dimensions, so that its covariance would be singular.
        """
        self._check()
        return [
            (item, self.name, value) for item, value in zip(("mean", "ci_low", "ci_high"), self._figures(), strict=True)
        ]

    def _figures(self) -> tuple[float, float, float]:
        found = frechet_distance(_joined(self._reference), _joined(self._judged))
        return found, *distance_interval(self._reference, self._judged, np.random.default_rng(self._seed))


class FrechetInfinity(FrechetDistance):
    """The extrapolated distance of two sets whose clips are handed over one by one."""

    name = "fad_infinity"
    frames_per_dimension = 2  # so that the smallest subset has more embeddings than dimensions

    def _figures(self) -> tuple[float, float, float]:
        width = self._judged[0].shape[1]
        enough = max((width + 1) / sum(map(len, clips)) for clips in (self._reference, self._judged))
        rng = np.random.default_rng(self._seed)
        return infinity_interval(self._reference, self._judged, rng, smallest_share=max(enough, SMALLEST_SHARE))

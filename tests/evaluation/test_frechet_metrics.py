import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from evaluation.__main__ import main
from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError
from evaluation.metrics.frechet import (
    FrechetDistance,
    FrechetInfinity,
    Gaussian,
    distance_interval,
    extrapolated,
    frechet_distance,
    frechet_infinity,
    gaussian,
    infinity_interval,
)

STANDARD = Gaussian(np.zeros(4), np.eye(4))
SPREADS = np.array([1.0, 2.0, 0.5, 1.0])
SHIFT = np.array([0.5, 0, 0, 0])
TRUTH = 0.25 + 1.0 + 0.25  # |shift|^2 and the squared differences of the spreads


def clips(rng: np.random.Generator, count: int, judged: bool) -> list[np.ndarray]:
    """Three frames a clip, of the standard normal distribution or of the judged one."""
    frames = rng.standard_normal((count, 3, 4))
    return list(SHIFT + frames * SPREADS if judged else frames)


def test_distance_of_gaussians_by_hand() -> None:
    judged = Gaussian(SHIFT, np.diag(SPREADS**2))
    assert frechet_distance(STANDARD, judged) == pytest.approx(TRUTH)
    assert frechet_distance(judged, STANDARD) == pytest.approx(TRUTH)
    assert frechet_distance(judged, judged) == pytest.approx(0, abs=1e-12)


def test_distance_of_covariances_that_do_not_commute() -> None:
    # tr (S1 S2)^(1/2) of 2 x 2 matrices is sqrt(tr(S1 S2) + 2 sqrt(det S1 det S2))
    first, second = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[4.0, -1.0], [-1.0, 1.0]])
    shared = np.sqrt(np.trace(first @ second) + 2 * np.sqrt(np.linalg.det(first) * np.linalg.det(second)))
    found = frechet_distance(Gaussian(np.zeros(2), first), Gaussian(np.zeros(2), second))
    assert found == pytest.approx(5 + 5 - 2 * shared)


def test_singular_covariances_and_turned_axes_are_exact() -> None:
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((3, 8))  # rank 2 of 8
    assert frechet_distance(gaussian(frames), gaussian(frames)) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(gaussian(frames), gaussian(frames + 2)) == pytest.approx(8 * 4)
    turn = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    other = rng.standard_normal((20, 8))
    straight = frechet_distance(gaussian(frames), gaussian(other))
    assert frechet_distance(gaussian(frames @ turn), gaussian(other @ turn)) == pytest.approx(straight)


def test_a_line_over_one_by_n_meets_its_intercept() -> None:
    inverse = 1 / np.array([10, 20, 50])
    assert extrapolated(inverse, 3 + 7 * inverse) == pytest.approx(3)


def test_extrapolation_removes_the_bias_of_small_sets() -> None:
    plain, endless = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        reference, judged = clips(rng, 24, judged=False), clips(rng, 24, judged=True)
        plain.append(frechet_distance(*(gaussian(np.concatenate(frames)) for frames in (reference, judged))))
        endless.append(frechet_infinity(reference, judged, rng))
    error = np.std(plain) / np.sqrt(len(plain))
    assert np.mean(plain) > TRUTH + 4 * error  # the bias is there to be seen
    assert abs(np.mean(endless) - TRUTH) < 0.5 * (np.mean(plain) - TRUTH)
    assert abs(np.mean(endless) - TRUTH) < 3 * error


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    def pair(rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
        return clips(rng, 30, judged=False), clips(rng, 30, judged=True)

    expected = np.mean(
        [
            frechet_distance(*(gaussian(np.concatenate(frames)) for frames in pair(np.random.default_rng(1000 + seed))))
            for seed in range(200)
        ]
    )
    held, held_endless = [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        reference, judged = pair(rng)
        low, high = distance_interval(reference, judged, rng, draws=60)
        held.append(low < expected < high)
        _, low, high = infinity_interval(reference, judged, rng, draws=20)
        held_endless.append(low < TRUTH < high)
    assert np.mean(held) > 0.8
    assert np.mean(held_endless) > 0.8


def first_frames(clip: Clip) -> np.ndarray:
    """A stand-in for an embedder: samples as frames of four dimensions."""
    return clip.samples[:12].reshape(3, 4)


def test_collectors_of_two_sets_are_seeded() -> None:
    def rows(seed: int) -> list[tuple[str, str, float]]:
        rng = np.random.default_rng(0)
        found = []
        for kind in (FrechetDistance, FrechetInfinity):
            collector = kind(first_frames, seed)
            for frames in clips(rng, 12, judged=False):
                collector.add_reference(make_clip("reference", frames.ravel(), 16_000))
            for frames in clips(rng, 12, judged=True):
                collector.add(make_clip("judged", frames.ravel(), 16_000))
            found += collector.rows()
        return found

    found = rows(0)
    assert [(item, name) for item, name, _ in found] == [
        (item, name) for name in ("fad", "fad_infinity") for item in ("mean", "ci_low", "ci_high")
    ]
    assert found[1][2] < found[0][2] < found[2][2]
    assert found[4][2] < found[3][2] < found[5][2]
    assert rows(0) == found
    assert rows(1)[1:3] != found[1:3] and rows(1)[0] == found[0]


def test_too_few_clips_are_named_with_the_number_that_is_needed() -> None:
    collector = FrechetDistance(first_frames)
    collector.add_reference(make_clip("one", np.ones(12), 16_000))
    with pytest.raises(InputError, match="3 embeddings of the reference set from 1 clips and needs 5"):
        collector.rows()
    three = clips(np.random.default_rng(0), 3, judged=True)
    with pytest.raises(InputError, match="give more clips"):
        frechet_infinity(three, three, np.random.default_rng(0))


def test_folders_with_other_names_are_compared_without_a_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder, lowest in (("real", 0.5), ("near", 0.5), ("far", 0.05)):
        (tmp_path / folder).mkdir()
        for number in range(10):
            noise = rng.standard_normal(9 * 16_000)
            dull = np.convolve(noise, np.exp(-np.arange(30) * lowest), "same")
            soundfile.write(tmp_path / folder / f"{folder}{number}.wav", 0.05 * dull, 16_000)
    values = {}
    for folder in ("near", "far"):
        arguments = ["--reference-dir", str(tmp_path / "real"), "--degraded-dir", str(tmp_path / folder)]
        assert main(["metrics", "fad", *arguments, "--embedder", "mel", "--out", str(tmp_path / "r.csv")]) == 0
        with open(tmp_path / "r.csv", encoding="utf-8") as file:
            values[folder] = {row["item"]: float(row["value"]) for row in csv.DictReader(file)}
    assert values["near"]["ci_high"] < values["far"]["ci_low"]
    assert set(values["near"]) == {"mean", "ci_low", "ci_high"}

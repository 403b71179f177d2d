"""Tempo, key, tags and captions of music; the sounds are made here."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from calm_core.training.music.composer import compose
from calm_core.training.music.theory import NOTE_NAMES
from evaluation.clips import Clip, make_clip, read_clip
from evaluation.errors import InputError
from evaluation.metrics import find_metric
from evaluation.metrics.captioned import Agreement, Attributes, KeyAgreement, TempoAgreement, parse_attributes
from evaluation.metrics.clap_score import ClapScore
from evaluation.metrics.embedders import find_embedder, mean_direction, mel_statistics
from evaluation.metrics.musical_key import Key, find_key, key_of_chroma, key_score, read_key
from evaluation.metrics.tagging import kl_divergence, kld, kld_reverse
from evaluation.metrics.tempo import class_agreement, find_tempo, periodicity_tempo, tempo_accuracy, tempo_class

RATE = 22_050


def clicks(bpm: float, seconds: float = 8.0) -> Clip:
    samples = np.zeros(round(seconds * RATE))
    shape = np.exp(-np.arange(600) / 120) * np.sin(0.4 * np.arange(600))
    for start in np.arange(0, seconds - 0.1, 60 / bpm):
        samples[round(start * RATE) :][:600] += shape
    return make_clip(f"{bpm:g}.wav", samples, RATE)


def triad(root: int, minor: bool = False) -> tuple[int, ...]:
    return root, root + (3 if minor else 4), root + 7


def progression(*chords: tuple[int, ...]) -> Clip:
    """Chords of MIDI notes, each a fading tone with three harmonics."""
    time = np.arange(round(0.4 * RATE)) / RATE
    played = []
    for chord in chords:
        pitches = [440 * 2 ** ((note - 69) / 12) * harmonic for note in chord for harmonic in (1, 2, 3)]
        played.append(np.exp(-2 * time) * np.sin(2 * np.pi * np.outer(pitches, time)).sum(axis=0))
    return make_clip("chords.wav", 0.05 * np.concatenate(played), RATE)


def in_major(tonic: int) -> Clip:
    one, four, five = triad(tonic), triad(tonic + 5), triad(tonic + 7)
    return progression(one, four, five, one, triad(tonic + 9, minor=True), four, five, one)


@pytest.mark.parametrize("bpm", [72, 120, 140])
def test_tempo_of_a_click_track(bpm: float) -> None:
    assert find_tempo(clicks(bpm)) == pytest.approx(bpm, rel=0.01)


def test_tempo_between_lags_and_of_nothing() -> None:
    # beats every 21.5 frames: no whole lag is 120 beats per minute
    onsets = np.exp(-0.5 * ((np.arange(600) % 21.5 - 10) / 2) ** 2)
    assert periodicity_tempo(onsets, 43.0) == pytest.approx(120, rel=0.005)
    assert periodicity_tempo(np.zeros(600), 43.0) is None
    assert find_tempo(make_clip("silence.wav", np.zeros(4 * RATE), RATE)) is None
    with pytest.raises(InputError, match="at least 3 s"):
        find_tempo(clicks(120, seconds=2))


def test_octave_errors_are_counted_apart() -> None:
    assert [tempo_class(bpm) for bpm in (60, 89.9, 90, 124.9, 125, 180)] == ["slow"] * 2 + ["medium"] * 2 + ["fast"] * 2
    assert class_agreement(70, "slow") == (1, 1)
    assert class_agreement(70, "fast") == (0, 1)  # 140
    assert class_agreement(170, "slow") == (0, 1)  # 85
    assert class_agreement(70, "medium") == (0, 0)
    assert class_agreement(None, "slow") == (0, 0)
    assert tempo_accuracy(103, 100) == (1, 1)
    assert tempo_accuracy(105, 100) == (0, 0)
    assert tempo_accuracy(51, 100) == tempo_accuracy(203, 100) == tempo_accuracy(33, 100) == (0, 1)


def test_keys_of_progressions_and_of_their_transpositions() -> None:
    found = find_key(in_major(60))
    assert found and found == Key(0, "major")
    one, four, five = triad(57, minor=True), triad(62, minor=True), triad(64)
    assert find_key(progression(one, four, five, one, triad(65), four, five, one)) == Key(9, "minor")
    fifth = find_key(in_major(67))
    assert fifth and fifth == Key(7, "major") and key_score(fifth, found) == key_score(found, fifth) == 0.5
    assert find_key(make_clip("silence.wav", np.zeros(2 * RATE), RATE)) is None


def test_krumhansl_profiles_find_a_scale() -> None:
    scale = np.zeros(12)
    scale[[0, 2, 4, 5, 7, 9, 11]] = 1
    scale[[0, 4, 7]] = 2
    assert key_of_chroma(scale) == Key(0, "major")
    assert key_of_chroma(np.roll(scale, 3)) == Key(3, "major")


@pytest.mark.parametrize(
    ("found", "true", "score"),
    [
        ("C major", "C major", 1),
        ("G major", "C major", 0.5),
        ("F major", "C major", 0.5),
        ("E minor", "A minor", 0.5),
        ("A minor", "C major", 0.3),
        ("C major", "A minor", 0.3),
        ("C minor", "C major", 0.2),
        ("C major", "C minor", 0.2),
        ("D major", "C major", 0),
        ("G minor", "C major", 0),
        ("E minor", "C major", 0),
    ],
)
def test_scores_of_mirex(found: str, true: str, score: float) -> None:
    assert key_score(read_key(found), read_key(true)) == score


def test_keys_as_captions_write_them() -> None:
    assert read_key("F#", "minor") == read_key("Gbm") == read_key("f# minor") == Key(6, "minor")
    assert read_key("Cb", "major") == Key(11, "major")
    assert [read_key(name, "minor").tonic for name in NOTE_NAMES] == list(range(12)), "as the composer names them"
    assert read_key("E flat major") == Key(3, "major")
    assert str(read_key("E♭")) == "Eb major"
    for text in ("H", "", "C dorian"):
        with pytest.raises(InputError, match="There is no key"):
            read_key(text)
    with pytest.raises(InputError, match="There is no key"):
        read_key("C", "dorian")


def test_agreement_reads_what_lies_beside_a_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described = {"genre": "waltz", "tempo_bpm": 65, "tempo_class": "fast", "key": "G", "mode": "major", "form": "AABA"}
    for name, known in (("one", described), ("two", {"genre": "waltz"})):
        clip = clicks(130) if name == "one" else in_major(60)
        soundfile.write(tmp_path / f"{name}.wav", clip.samples, RATE)
        (tmp_path / f"{name}.json").write_text(json.dumps(known), encoding="utf-8")
    tempo = TempoAgreement()
    for name in ("one", "two"):
        tempo.add(read_clip(tmp_path / f"{name}.wav"))
    found = {(item, name): value for item, name, value in tempo.rows()}
    assert found["one.wav", "tempo_agreement"] == found["mean", "tempo_agreement"] == 1
    assert (found["mean", "tempo_accuracy_1"], found["mean", "tempo_accuracy_2"]) == (0, 1)  # 130 is twice 65
    assert "leaves out 1 clips" in capsys.readouterr().err

    soundfile.write(tmp_path / "one.wav", in_major(60).samples, RATE)
    key = KeyAgreement()
    key.add(read_clip(tmp_path / "one.wav"))
    assert key.rows()[2:] == [("mean", "key_agreement", 0.5), ("mean", "key_exact", 0)]
    silent = KeyAgreement()
    silent.add(read_clip(tmp_path / "two.wav"))
    with pytest.raises(InputError, match="no clip that is described by key"):
        silent.rows()
    with pytest.raises(InputError, match="has no attributes"):
        silent.add(clicks(120))


def test_a_mean_is_over_the_clips_that_have_the_figure() -> None:
    def judge(clip: Clip, known: Attributes) -> list[tuple[str, float]]:
        return [("a", 1.0), ("b", clip.seconds)] if clip.seconds > 1 else [("a", 0.0)]

    agreement = Agreement("half", "mood", judge, lambda clip: Attributes())
    for length in (RATE, 3 * RATE):
        agreement.add(make_clip("x.wav", np.ones(length), RATE))
    assert agreement.rows()[-2:] == [("mean", "a", 0.5), ("mean", "b", 3.0)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[1]", "does not describe music"),
        ('{"genre": 3}', "genre"),
        ('{"tempo_class": "brisk"}', "slow, medium, fast"),
        ('{"tempo_bpm": -1}', "above 0"),
    ],
)
def test_attributes_that_cannot_be_read_are_one_sentence(text: str, says: str) -> None:
    with pytest.raises(InputError, match=f"x.json .*{says}"):
        parse_attributes(text, "x.json")


def test_a_row_of_a_manifest_describes_as_its_attributes_do() -> None:
    row = {"id": "m1", "attributes": {"genre": "waltz", "instruments": ["flute"], "drums": False}}
    assert parse_attributes(json.dumps(row), "row") == Attributes(genre="waltz", instruments=("flute",))


def test_kl_divergence_by_hand() -> None:
    assert kl_divergence([0.5, 0.5], [0.25, 0.75]) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3), abs=1e-5)
    assert kl_divergence([0.25, 0.75], [0.5, 0.5]) == pytest.approx(
        0.25 * math.log(0.5) + 0.75 * math.log(1.5), abs=1e-5
    )
    assert kl_divergence([1, 0], [0, 1]) == pytest.approx(math.log(1e6))
    assert kl_divergence([0.3, 0.7], [0.3, 0.7]) == pytest.approx(0, abs=1e-5)


def test_kld_sums_independent_questions_and_has_two_directions() -> None:
    tags = {
        "real": [np.array([0.5, 0.5]), np.array([0.9, 0.1])],
        "made": [np.array([0.25, 0.75]), np.array([0.9, 0.1])],
    }
    real, made = (make_clip(name, np.ones(10), RATE) for name in tags)
    joint = [np.outer(*tags[name]).ravel() for name in ("real", "made")]
    forward = kld(real, made, lambda clip: tags[clip.item])
    assert forward == pytest.approx(kl_divergence(*joint), abs=1e-4)
    assert kld_reverse(real, made, lambda clip: tags[clip.item]) == pytest.approx(kl_divergence(*joint[::-1]), abs=1e-4)
    assert forward == kld_reverse(made, real, lambda clip: tags[clip.item])


class Compass:
    """A stand-in for CLAP: directions by name."""

    places: ClassVar = {"north": [0.0, 1.0], "east": [1.0, 0.0]}

    def __call__(self, clip: Clip) -> np.ndarray:
        return np.array([self.places["north"], self.places[clip.item]])

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self.places[text] for text in texts])


def test_clap_score_by_hand() -> None:
    score = ClapScore(Compass())
    score.add(make_clip("north", np.ones(10), RATE, "north"))
    score.add(make_clip("east", np.ones(10), RATE, "east"))  # its windows are on average north-east
    found = {item: value for item, _, value in score.rows()}
    assert found["north"] == pytest.approx(1) and found["east"] == pytest.approx(math.sqrt(0.5))
    assert found["mean"] == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert found["ci_low"] <= found["mean"] <= found["ci_high"]
    with pytest.raises(InputError, match="has no caption"):
        score.add(make_clip("east", np.ones(10), RATE))


def test_the_direction_of_a_clip_is_that_of_its_frames_mean() -> None:
    assert mean_direction(np.array([[3.0, 0], [3, 8]])) == pytest.approx([0.6, 0.8])


def test_mel_statistics_have_a_row_a_second() -> None:
    noise = make_clip("noise", np.random.default_rng(0).standard_normal(40_000), 16_000)
    assert mel_statistics(noise).shape == (2, 40)
    assert mel_statistics(make_clip("short", noise.samples[:4000], 16_000)).shape == (1, 40)
    assert find_embedder("mel") is mel_statistics


def test_visqol_audio_falls_with_noise_and_hears_music_at_48_khz() -> None:
    rng = np.random.default_rng(0)
    music = in_major(60)
    music = Clip("music", music.at(48_000)[: 3 * 24_000], 48_000)
    noisy = Clip("noisy", music.samples + 0.01 * rng.standard_normal(len(music.samples)), 48_000)
    visqol = find_metric("visqol_audio").load()
    assert visqol(music, music) == pytest.approx(4.73, abs=0.01)  # the highest that its regression gives
    assert visqol(music, noisy) < 4.5
    with pytest.raises(InputError, match="needs about 1 s"):
        visqol(Clip("short", music.samples[:20_000], 48_000), music)
    with pytest.raises(InputError, match="is silent"):
        visqol(music, Clip("silent", np.zeros(48_000), 48_000))


def test_tempo_classes_are_those_of_the_corpus() -> None:
    for seed in range(40):
        piece = compose(seed)
        assert tempo_class(piece.tempo) == piece.tempo_class

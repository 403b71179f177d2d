import re
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError
from evaluation.metrics import METRICS, find_metric
from evaluation.metrics.recognition import character_errors, transcribe, word_errors
from tests.evaluation.conftest import SAID


def with_noise(clip: Clip, level: float, seed: int = 0) -> Clip:
    noise = np.random.default_rng(seed).standard_normal(len(clip.samples))
    return Clip(f"noise {level}", clip.samples + level * noise, clip.sample_rate, clip.transcript)


def test_pesq_of_a_clip_with_itself_is_the_top_of_the_standards_scale(slt: Clip) -> None:
    top = 0.999 + 4 / (1 + np.exp(-1.3669 * 4.5 + 3.8224))  # P.862.2 maps a raw score of 4.5
    assert find_metric("pesq").load()(slt, slt) == pytest.approx(top, abs=1e-3)


@pytest.mark.parametrize("name", ["pesq", "stoi", "estoi", "visqol", "speaker_similarity"])
def test_more_noise_scores_worse(name: str, slt: Clip) -> None:
    score = find_metric(name).load()
    values = [score(slt, with_noise(slt, level)) for level in (0.001, 0.01, 0.1)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[2]


@pytest.mark.parametrize("name", ["stoi", "estoi"])
def test_stoi_is_one_for_a_clip_and_its_louder_copy(name: str, slt: Clip) -> None:
    assert find_metric(name).load()(slt, Clip("louder", 2 * slt.samples, slt.sample_rate)) == pytest.approx(1, abs=1e-6)


def test_two_readings_of_one_voice_are_nearer_than_two_voices(slt: Clip, rms: Clip) -> None:
    score = find_metric("speaker_similarity").load()
    half = len(slt.samples) // 2
    first, second = (Clip("half", part, slt.sample_rate) for part in (slt.samples[:half], slt.samples[half:]))
    assert score(slt, slt) == pytest.approx(1, abs=1e-5)
    assert score(first, second) > 0.7 > score(slt, rms)


def test_the_recogniser_hears_flite_and_forgets_what_it_heard_before(slt: Clip, rms: Clip) -> None:
    wrong, said = word_errors(SAID, transcribe(rms))
    assert said == 9 and wrong <= 2
    again = Clip("again", rms.samples, rms.sample_rate)
    transcribe(slt)
    assert transcribe(again) == transcribe(rms)
    assert transcribe(make_clip("silence", np.zeros(16_000), 16_000)) == ""


def test_word_and_character_errors_by_hand() -> None:
    # one word substituted, one dropped, one added
    assert word_errors("seven small boats were waiting", "seven tall boats waiting now") == (3, 5)
    assert word_errors("It's 7:30 -- don't wait!", "it's seven thirty don't wait") == (0, 5)
    assert word_errors("Gray okay", "grey ok") == (0, 2)
    assert word_errors("one two", "") == (2, 2)
    assert character_errors("cat", "cut") == (1, 3)
    assert character_errors("a cat", "cat") == (2, 5)


def test_wer_counts_against_the_transcript_and_else_against_what_the_reference_says(
    slt: Clip, capsys: pytest.CaptureFixture[str]
) -> None:
    wer = find_metric("wer").load()
    told = Clip("told", slt.samples, slt.sample_rate, "nothing that was ever read here today by anyone")
    assert wer(told, slt) >= 8 / 9
    untold = Clip("untold.wav", slt.samples, slt.sample_rate)
    assert wer(untold, slt) == 0.0
    assert "untold.wav has no .txt" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.aligned])
def test_an_aligned_metric_refuses_other_lengths(name: str, slt: Clip) -> None:
    longer = Clip("longer.wav", np.pad(slt.samples, (0, 8000)), slt.sample_rate)
    with pytest.raises(InputError, match=r"longer\.wav lasts .* same length"):
        find_metric(name).load()(slt, longer)


@pytest.mark.parametrize("name", ["pesq", "stoi", "estoi", "visqol", "speaker_similarity", "si_snr"])
def test_silence_and_crumbs_are_named(name: str) -> None:
    score = find_metric(name).load()
    for length in (160, 16_000):
        silent = make_clip(f"silent-{length}.wav", np.zeros(length), 16_000)
        with pytest.raises(InputError, match=f"silent-{length}.wav"):
            score(silent, silent)


def test_a_missing_package_is_named_with_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "evaluation.metrics.perceptual_pesq", raising=False)
    monkeypatch.setitem(sys.modules, "pesq", None)  # what Python does where a package is not installed
    with pytest.raises(InputError, match=r"pip install pesq==0\.0\.4"):
        find_metric("pesq").load()


def test_the_pip_lines_are_the_pins_of_the_development_requirements() -> None:
    root = Path(__file__).parents[2]
    lines = (root / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    pins = {line.partition("#")[0].strip() for line in lines}
    for metric in METRICS.values():
        assert {package.strip("'") for package in metric.packages} <= pins
    for path in (root / "evaluation" / "metrics").glob("*.py"):
        named = re.findall(r"\"'?([A-Za-z][\w\[\]-]*==[\w.]+)'?\"", path.read_text(encoding="utf-8"))
        assert set(named) <= pins, path.name

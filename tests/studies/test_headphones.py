"""Headphone checks: what each ear gets, what loudspeakers make of it, and that sessions differ."""

from collections import Counter

import numpy as np
import pytest

from app.studies.headphones import (
    CHOICES,
    GAP_SECONDS,
    RATE,
    SOUND_SECONDS,
    TRIALS,
    Check,
    answers,
    passed,
    trial_sound,
    trial_wave,
    volume_wave,
)

CHECKS: list[Check] = ["woods", "huggins"]


def parts(check: Check, seed: int, trial: int) -> list[np.ndarray]:
    """The three sounds of a trial, without their fades."""
    samples = trial_sound(check, seed, trial).samples
    step, length, edge = round((SOUND_SECONDS + GAP_SECONDS) * RATE), round(SOUND_SECONDS * RATE), RATE // 8
    return [samples[at * step + edge : at * step + length - edge] for at in range(CHOICES)]


def rms(wave: np.ndarray) -> float:
    return float(np.sqrt(np.mean(wave**2)))


@pytest.mark.parametrize("seed", range(5))
def test_woods_one_tone_is_quieter_and_another_in_antiphase(seed: int) -> None:
    for trial, answer in enumerate(answers("woods", seed)):
        tones = parts("woods", seed, trial)
        levels = [20 * np.log10(rms(tone[:, 0])) for tone in tones]
        others = [level for at, level in enumerate(levels) if at != answer]
        assert levels[answer] == pytest.approx(others[0] - 6, abs=0.01) and others[0] == pytest.approx(others[1])
        phases = [np.corrcoef(tone.T)[0, 1] for tone in tones]
        assert sorted(np.round(phases, 6)) == [-1, 1, 1] and phases[answer] > 0
        # over one loudspeaker the antiphase tone is the quietest, so that a listener without headphones fails
        mixed = [rms(tone.sum(axis=1)) for tone in tones]
        assert int(np.argmin(mixed)) != answer
        spectrum = np.abs(np.fft.rfft(tones[answer][:, 0]))
        assert np.argmax(spectrum) * RATE / len(tones[answer]) == pytest.approx(200, abs=2)


@pytest.mark.parametrize("seed", range(5))
def test_huggins_one_band_is_turned_at_one_ear(seed: int) -> None:
    for trial, answer in enumerate(answers("huggins", seed)):
        samples = trial_sound("huggins", seed, trial).samples
        step, length = round((SOUND_SECONDS + GAP_SECONDS) * RATE), round(SOUND_SECONDS * RATE)
        for choice in range(CHOICES):
            noise = samples[choice * step : choice * step + length]
            if choice != answer:
                assert np.array_equal(noise[:, 0], noise[:, 1])
                continue
            left, right = np.fft.rfft(noise, axis=0).T
            hertz = np.fft.rfftfreq(length, 1 / RATE)
            turned = np.real(left * np.conj(right)) / np.abs(left * right)
            inside, outside = np.abs(hertz / 600 - 1) < 0.055, np.abs(hertz / 600 - 1) > 0.09
            assert np.median(turned[inside]) < -0.95 and np.median(turned[outside]) > 0.95
            assert rms(noise[:, 0]) == pytest.approx(rms(noise[:, 1]), rel=0.01)


@pytest.mark.parametrize("check", CHECKS)
def test_every_session_gets_its_own_and_may_hear_it_again(check: Check) -> None:
    assert Counter(answers(check, 1)) == dict.fromkeys(range(CHOICES), TRIALS // CHOICES)
    assert len({tuple(answers(check, seed)) for seed in range(50)}) > 20
    assert trial_wave(check, 9, 2) == trial_wave(check, 9, 2) != trial_wave(check, 10, 2)
    assert len({len(trial_wave(check, seed, trial)) for seed in range(3) for trial in range(TRIALS)}) == 1
    assert len(volume_wave(1)) > RATE


def test_the_pass_marks_of_the_papers() -> None:
    for check, allowed in zip(CHECKS, (1, 0), strict=True):
        right = answers(check, 5)
        wrong = [(choice + 1) % CHOICES for choice in right]
        for mistakes in range(TRIALS + 1):
            given = [*wrong[:mistakes], *right[mistakes:]]
            assert passed(check, 5, given) == (mistakes <= allowed, TRIALS - mistakes)
        assert passed(check, 5, right[:-1])[0] is False
        assert passed(check, 5, [])[0] is False

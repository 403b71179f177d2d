import numpy as np
import pytest

from evaluation.clips import make_clip
from evaluation.errors import InputError
from evaluation.metrics.signal import log_spectral_distance, mel_distance, mel_filters, si_snr

RATE = 16_000


def noise(seed: int = 0, seconds: float = 1.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def test_si_snr_is_the_ratio_of_a_signal_to_noise_orthogonal_to_it() -> None:
    clean = noise()
    clean -= clean.mean()
    other = noise(1)
    other -= other.mean()
    other -= (other @ clean) / (clean @ clean) * clean
    other *= np.sqrt((clean @ clean) / (other @ other))
    for decibels in (20.0, 0.0, -10.0):
        mixed = clean + other * 10 ** (-decibels / 20)
        assert si_snr(make_clip("a", clean, RATE), make_clip("b", 0.3 * mixed, RATE)) == pytest.approx(
            decibels, abs=1e-6
        )


def test_si_snr_stays_finite_at_its_two_ends() -> None:
    clean = noise()
    assert si_snr(make_clip("a", clean, RATE), make_clip("b", 0.001 * clean, RATE)) == pytest.approx(100, abs=0.1)
    time = np.arange(RATE) / RATE
    sine, cosine = np.sin(2 * np.pi * 100 * time), np.cos(2 * np.pi * 100 * time)
    assert -101 < si_snr(make_clip("a", sine, RATE), make_clip("b", cosine, RATE)) < -90


def test_si_snr_of_silence_names_the_clip() -> None:
    with pytest.raises(InputError, match=r"quiet\.wav is silent"):
        si_snr(make_clip("a", noise(), RATE), make_clip("quiet.wav", np.zeros(RATE), RATE))


@pytest.mark.parametrize("factor", [2.0, 0.25])
def test_a_gain_costs_its_own_logarithm(factor: float) -> None:
    clean, louder = make_clip("a", noise(), RATE), make_clip("b", factor * noise(), RATE)
    assert log_spectral_distance(clean, louder) == pytest.approx(abs(20 * np.log10(factor)), abs=1e-3)
    assert mel_distance(clean, louder) == pytest.approx(abs(np.log(factor)), abs=1e-9)


def test_distances_grow_with_noise_and_vanish_without() -> None:
    clean = make_clip("a", noise(), RATE)
    for distance in (log_spectral_distance, mel_distance):
        values = [distance(clean, make_clip("b", noise() + level * noise(1), RATE)) for level in (0.0, 0.1, 1.0)]
        assert values[0] == 0.0 < values[1] < values[2]


def test_mel_filters_peak_at_the_mel_spaced_centres() -> None:
    filters = mel_filters(RATE, 1024, 40)
    assert filters.shape == (513, 40)
    top = 2595 * np.log10(1 + 8000 / 700)
    centre = 700 * (10 ** (top * 20 / 41 / 2595) - 1)  # the twentieth of 40 between 42 edges
    assert abs(filters[:, 19].argmax() * RATE / 1024 - centre) <= RATE / 1024 / 2
    assert filters.min() == 0.0 and filters.max() <= 1.0

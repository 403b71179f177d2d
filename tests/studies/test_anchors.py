"""The anchors keep to the mask of BS.1534-3 at every rate, and start on the same sample as their reference."""

import numpy as np
import pytest

from app.studies.anchors import CUTOFF, AnchorKind, anchor_filter, make_anchor
from app.studies.sounds import Sound
from tests.studies.makers import speechlike

RATES = [16_000, 24_000, 32_000, 44_100, 48_000, 96_000]
both = pytest.mark.parametrize("kind", ["low", "mid"])
at_every_rate = pytest.mark.parametrize("rate", RATES)


def response_db(kind: AnchorKind, rate: int, hertz: np.ndarray) -> np.ndarray:
    """What `make_anchor` does to each frequency, from its answer to one impulse."""
    impulse = np.zeros((4 * rate // 10, 1))
    impulse[len(impulse) // 2] = 1.0
    answer = make_anchor(Sound(impulse, rate), kind).samples[:, 0]
    times = np.arange(len(answer)) / rate
    gains = np.array([abs(np.sum(answer * np.exp(-2j * np.pi * one * times))) for one in hertz])
    return 20 * np.log10(np.maximum(gains, 1e-12))


@both
@at_every_rate
def test_the_mask_of_bs_1534_3(kind: AnchorKind, rate: int) -> None:
    edge = CUTOFF[kind]
    passed = response_db(kind, rate, np.linspace(20, edge, 200))
    assert np.abs(passed).max() <= 0.1
    for ratio, attenuation in ((4.0 / 3.5, 25), (4.5 / 3.5, 50)):
        if edge * ratio <= rate / 2:
            stopped = response_db(kind, rate, np.linspace(edge * ratio, rate / 2, 300))
            assert stopped.max() <= -attenuation, (edge * ratio, stopped.max())


@at_every_rate
def test_the_mid_anchor_stops_below_half_the_rate(rate: int) -> None:
    assert response_db("mid", rate, np.array([rate / 2]))[0] <= -50


@both
@at_every_rate
def test_there_is_no_delay(kind: AnchorKind, rate: int) -> None:
    taps = anchor_filter(kind, rate)
    assert len(taps) % 2 == 1 and np.allclose(taps, taps[::-1], atol=0, rtol=1e-12)
    reference = Sound(speechlike(3, 0.5, rate)[:, None], rate)
    anchor = make_anchor(reference, kind)
    assert anchor.samples.shape == reference.samples.shape
    # the cross-correlation with the reference is highest at a lag of zero samples
    size = 2 * len(reference.samples)
    product = np.fft.rfft(anchor.samples[:, 0], size) * np.conj(np.fft.rfft(reference.samples[:, 0], size))
    assert np.argmax(np.fft.irfft(product)) == 0


def test_both_ears_are_filtered_alike() -> None:
    wave = speechlike(4, 0.5, 48_000)
    stereo = make_anchor(Sound(np.stack([wave, -wave], axis=1), 48_000), "low").samples
    assert np.allclose(stereo[:, 0], -stereo[:, 1])


def test_a_rate_without_room_for_the_anchor_is_refused() -> None:
    with pytest.raises(ValueError, match="16000"):
        anchor_filter("mid", 12_000)

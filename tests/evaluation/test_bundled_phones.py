"""Phones that flite has timed, and ABX of what codecs make of them."""

import numpy as np
import pytest

from calm_core.training.speakers import Speaker
from evaluation.bundled.codec import _labels
from evaluation.bundled.phones import phone_discrimination, tokens_of, triphones
from evaluation.bundled.sentences import Sentence
from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.phone_items import log_mel

PHONES = [("pau", 0.2), ("b", 0.3), ("ae", 0.4), ("t", 0.5), ("s", 0.6), ("pau", 0.9)]


def test_triphones_stop_at_pauses() -> None:
    assert list(triphones(PHONES)) == [("ae", "b", "t", 0.2, 0.5), ("t", "ae", "s", 0.3, 0.6)]
    assert not list(triphones(PHONES[:2]))


def test_tokens_hold_the_frames_whose_middles_they_hold() -> None:
    """At 10 frames a second the middles are 0.05, 0.15, ...: 0.2 to 0.5 s has frames 2 to 4."""
    features = np.arange(9.0)[:, None]
    first, second = tokens_of(features, 10.0, PHONES, "slt")
    assert first.features.ravel().tolist() == [2, 3, 4] and second.features.ravel().tolist() == [3, 4, 5]
    assert (first.previous, first.phone, first.following, first.speaker) == ("b", "ae", "t", "slt")
    assert not list(tokens_of(features[:1], 0.5, PHONES, "slt"))


@pytest.mark.flite
def test_spectra_tell_phones_apart_and_a_constant_does_not() -> None:
    def constant(clip: Clip) -> tuple[np.ndarray, float]:
        return np.ones((int(clip.seconds * 12.5), 2)), 12.5

    texts = ("A bat and a bet sat.", "My bat, my bet.", "Red, rid, rod, road.", "The rod, the road, rid, red.")
    sentences = [Sentence(text, text) for text in texts]
    speakers = [Speaker(name, name) for name in ("slt", "rms")]
    nothing, spectrum = phone_discrimination([constant, log_mel], sentences, speakers, seed=0)
    for name, limit in (("abx within speakers", 0.2), ("abx across speakers", 0.4)):
        assert nothing[name].error == 0.5
        assert spectrum[name].error < limit
        assert nothing[name].by_pair.keys() == spectrum[name].by_pair.keys() and len(nothing[name].by_pair) > 2


def test_codecs_are_called_by_what_tells_them_apart() -> None:
    assert _labels(["calm-codec-speech", "/runs/rvq"]) == ["calm-codec-speech", "rvq"]
    assert _labels(["/a/rvq", "/b/rvq"]) == ["/a/rvq", "/b/rvq"]
    with pytest.raises(InputError, match="named twice"):
        _labels(["rvq", "rvq"])

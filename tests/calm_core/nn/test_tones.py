"""Bands one tone wide: none is empty, and a semitone apart is far where mel bands hardly see it."""

import torch

from calm_core.nn.mel import tone_filters, tone_frequencies
from calm_core.training.losses import MultiScaleMel, ToneDistance

RATE = 32_000


def test_every_filter_hears_something_and_sums_to_one() -> None:
    filters = tone_filters(4096, tone_frequencies(27.5, 24, 204), RATE)
    assert filters.shape == (2049, 204) and bool((filters >= 0).all())
    torch.testing.assert_close(filters.sum(0), torch.ones(204))
    hertz = torch.linspace(0, RATE / 2, 2049)
    centres = (filters * hertz[:, None]).sum(0)
    assert float((centres - tone_frequencies(27.5, 24, 204)).abs().max()) < RATE / 4096
    assert bool((centres.diff() > 0).all())


def test_a_semitone_is_a_distance() -> None:
    time = torch.arange(RATE) / RATE
    low, high = (0.3 * torch.sin(2 * torch.pi * hertz * time)[None] for hertz in (110.0, 116.54))
    tones = ToneDistance(tone_frequencies(55.0, 24, 60), RATE)
    mel = MultiScaleMel(RATE)
    assert float(tones(low, low)) == 0
    assert float(tones(low, high)) > 5 * float(mel(low, high))

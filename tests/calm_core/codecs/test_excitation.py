"""Pulses at the asked pitch with the asked power, in pieces as at once."""

import torch

from calm_core.codecs.excitation import Excitation, hold_unvoiced

RATE, HOP, OVERLAP = 24_000, 240, 720


def test_a_constant_pitch_gives_its_harmonics_and_nothing_else() -> None:
    pulses, noise = Excitation(RATE, HOP, OVERLAP)(torch.full((1, 200), 200.0))
    signal = pulses[0, OVERLAP:][:24_000].double()
    spectrum = torch.fft.rfft(signal * torch.hann_window(24_000, dtype=torch.float64)).abs()  # 1 Hz a bin
    peaks = spectrum[200:11_999:200]
    assert peaks.min() > 0.9 * peaks.max()
    assert spectrum[100:12_000:200].max() < 1e-4 * peaks.max()
    assert abs(float(signal.square().mean()) - 1) < 0.05
    assert abs(float(noise[0, OVERLAP:].square().mean()) - 1) < 0.05


def test_the_power_does_not_hang_on_the_pitch() -> None:
    for pitch in (60.0, 137.0, 480.0):
        pulses, _ = Excitation(RATE, HOP, OVERLAP)(torch.full((1, 300), pitch))
        assert abs(float(pulses[0, OVERLAP:].square().mean()) - 1) < 0.05


def test_pieces_equal_the_whole() -> None:
    pitch = 80 + 200 * torch.rand(2, 40, generator=torch.Generator().manual_seed(0))
    make = Excitation(RATE, HOP, OVERLAP)
    whole = make(pitch)
    state = make.init_state(2)
    pieces = [make(piece, state) for piece in pitch.split([8, 8, 24], dim=1)]
    for index in range(2):
        joined = torch.cat([piece[index][:, OVERLAP:] for piece in pieces], dim=1)
        torch.testing.assert_close(joined, whole[index][:, OVERLAP:], atol=1e-5, rtol=0)


def test_unvoiced_stretches_are_bridged() -> None:
    held = hold_unvoiced(torch.tensor([0.0, 100.0, 0.0, 0.0, 0.0, 200.0, 0.0]))
    assert held.tolist() == [100.0, 100.0, 125.0, 150.0, 175.0, 200.0, 200.0]
    assert hold_unvoiced(torch.zeros(3)).tolist() == [120.0] * 3

"""The waveform codec learns a wave, and codebooks fit around it; `test_trunk` has what it shares with others."""

import torch

from calm_core.codecs import RVQCodec, build_codec
from calm_core.config import RVQConfig
from tests.calm_core.codecs.test_trunk import WAVEFORM, waves

FRAME = 1280


def test_it_learns_the_wave_of_a_low_note() -> None:
    """A few steps on one note: the error against the wave, aligned by `delay`, falls far below that of silence."""
    torch.manual_seed(0)
    codec = build_codec(WAVEFORM)
    optimizer = torch.optim.Adam(codec.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(3)
    time = torch.arange(6 * FRAME) / WAVEFORM.sample_rate
    error = torch.ones(())
    for _ in range(60):
        wave = 0.3 * torch.sin(2 * torch.pi * (110 * time + torch.rand(2, 1, generator=generator)))
        made = codec.decode(codec.encode(wave[:, None]))[:, 0, codec.delay :]
        target = wave[:, : -codec.delay]
        error = (made - target).square().mean() / target.square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert float(error.detach()) < 0.4


def test_codebooks_fit_around_it() -> None:
    codec = build_codec(RVQConfig(kind="rvq", autoencoder=WAVEFORM, levels=3, codebook_size=4))
    assert isinstance(codec, RVQCodec)
    with torch.inference_mode():
        codes = codec.codes(waves(codec, 1, 3))
        assert codes.shape == (1, 3, 3) and codec.decode(codec.dequantize(codes)).shape == (1, 1, 3 * FRAME)

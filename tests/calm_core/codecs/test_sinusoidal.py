"""The sinusoidal codec plays the notes that it hears, from the first step on; `test_trunk` has what it shares."""

import pytest
import torch

from calm_core.codecs import RVQCodec, build_codec
from calm_core.codecs.sinusoidal import SinusoidalCodec, _Bank
from calm_core.config import RVQConfig, SinusoidalConfig
from tests.calm_core.codecs.test_trunk import TINY, waves

SIZES = {**TINY, "latent_dim": 12}
CONFIG = SinusoidalConfig(kind="sinusoidal", lowest=110.0, per_octave=12, tones=37, tone_window=8192, **SIZES)
RATE, FRAME = CONFIG.sample_rate, 1280


def note(hertz: float, seconds: float, level: float = 0.2) -> torch.Tensor:
    return level * torch.sin(2 * torch.pi * hertz * torch.arange(round(seconds * RATE)) / RATE)


@pytest.fixture(scope="module")
def codec() -> SinusoidalCodec:
    """Begun at the principal components of scales, and not trained."""
    torch.manual_seed(0)
    built = build_codec(CONFIG)
    assert isinstance(built, SinusoidalCodec)
    generator = torch.Generator().manual_seed(5)
    steps = torch.randint(0, 13, (6, 8), generator=generator)
    levels = 0.05 + 0.3 * torch.rand(6, 8, generator=generator)
    rows = [
        torch.cat([note(220 * 2 ** (int(s) / 12), 0.32, float(a)) for s, a in zip(*row, strict=True)])
        for row in zip(steps, levels, strict=True)
    ]
    built.start(torch.stack(rows))
    return built.eval()


def strongest(wave: torch.Tensor) -> float:
    """Frequency in Hz of the largest peak."""
    spectrum = torch.fft.rfft(wave * torch.hann_window(len(wave))).abs()
    return float(spectrum.argmax()) * RATE / len(wave)


@torch.inference_mode()
@pytest.mark.parametrize("step", [0, 4, 7, 12])
def test_the_linear_path_alone_plays_the_note_at_its_loudness(codec: SinusoidalCodec, step: int) -> None:
    hertz = 220 * 2 ** (step / 12)
    wave = note(hertz, 1.28)
    made = codec.reconstruct(wave[None, None])[0, 0][FRAME * 8 :]  # past the beginning, which the window half sees
    assert abs(strongest(made) - hertz) < 3
    decibels = 10 * torch.log10(made.square().mean() / wave[FRAME * 8 :].square().mean())
    assert abs(float(decibels)) < 6


@torch.inference_mode()
def test_latents_begin_with_unit_variance_on_what_they_were_begun_with(codec: SinusoidalCodec) -> None:
    wave = torch.stack([torch.cat([note(220 * 2 ** (s / 12), 0.32) for s in row]) for row in ([0, 5, 9], [12, 2, 7])])
    latents = codec.encode(wave[:, None])
    assert 0.3 < float(latents.square().mean()) < 3


@torch.inference_mode()
def test_hours_into_a_stream_a_tone_has_the_phase_of_its_clock(codec: SinusoidalCodec) -> None:
    """Two frames of one tone, nine hours in, against the same in double precision."""
    before, tone, decoder = 9 * 3600 * 100, 24, codec.decoder
    amplitudes = torch.zeros(1, 2, CONFIG.tones)
    amplitudes[..., tone] = 0.5
    waves = _Bank(CONFIG).waves
    made = decoder._tones(amplitudes, torch.tensor([before]))
    time = (torch.arange(CONFIG.n_fft) + torch.tensor([[before], [before + 1]]) * CONFIG.hop).double() / RATE
    fade = torch.sin(torch.pi * (torch.arange(CONFIG.n_fft) + 0.5) / CONFIG.n_fft).square()
    start = torch.atan2(-waves[CONFIG.tones + tone, 300], waves[tone, 300])
    start = start - 2 * torch.pi * codec.frequencies[tone] * 300 / RATE
    wanted = 0.5 * fade * torch.cos(2 * torch.pi * codec.frequencies[tone] * time + start)
    torch.testing.assert_close(made[0].double(), wanted, atol=1e-3, rtol=0)


@torch.inference_mode()
def test_codebooks_fit_around_it() -> None:
    codec = build_codec(RVQConfig(kind="rvq", autoencoder=CONFIG, levels=3, codebook_size=4))
    assert isinstance(codec, RVQCodec)
    codes = codec.codes(waves(codec, 1, 3))
    assert codes.shape == (1, 3, 3) and codec.decode(codec.dequantize(codes)).shape == (1, 1, 3 * FRAME)

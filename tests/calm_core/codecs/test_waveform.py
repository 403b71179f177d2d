"""The waveform codec streams, looks only backwards, is aligned, and lets the wave of the low bins through."""

import pytest
import torch

from calm_core.codecs import RVQCodec, build_codec
from calm_core.codecs.waveform import WaveformCodec, sine_window
from calm_core.config import RVQConfig, WaveformConfig

FRAME = 1280
TINY = WaveformConfig(
    kind="waveform",
    encoder_widths=(16, 16, 16),
    decoder_widths=(16, 16, 16),
    encoder_depths=(1, 1, 1),
    decoder_depths=(1, 1, 1),
    heads=2,
    feedforward=16,
    context=4,
    latent_dim=8,
    phase_bins=10,
)


@pytest.fixture
def codec() -> WaveformCodec:
    torch.manual_seed(0)
    built = build_codec(TINY).eval()
    assert isinstance(built, WaveformCodec)
    for parameter in built.parameters():  # away from the zeros and small gains that hide mistakes
        parameter.data.add_(0.05 * torch.randn(parameter.shape))
    return built


def waves(rows: int, frames: int) -> torch.Tensor:
    return 0.3 * torch.randn(rows, 1, frames * FRAME, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_pieces_equal_the_whole(codec: WaveformCodec) -> None:
    latents = torch.randn(2, 11, 8, generator=torch.Generator().manual_seed(2))
    state = codec.init_state(2)
    pieces = torch.cat([codec.decode(piece, state) for piece in latents.split([1, 1, 2, 4, 3], dim=1)], dim=-1)
    assert pieces.shape == (2, 1, 11 * FRAME)
    torch.testing.assert_close(pieces, codec.decode(latents), atol=1e-5, rtol=0)
    wave = waves(2, 9)[:, 0]
    state = codec.encoder.init_state(2)
    made = torch.cat([codec.encoder(piece, state)[0] for piece in wave.split([FRAME, 3 * FRAME, 5 * FRAME], 1)], 1)
    torch.testing.assert_close(made, codec.encoder(wave)[0], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_the_future_changes_nothing(codec: WaveformCodec) -> None:
    wave = waves(1, 8)
    changed = wave.clone()
    changed[..., 5 * FRAME :] = 0.5
    before, after = codec.encode(wave), codec.encode(changed)
    assert torch.equal(before[:, :5], after[:, :5]) and not torch.allclose(before[:, 5:], after[:, 5:])
    latents = torch.randn(1, 8, 8)
    other = torch.cat([latents[:, :5], torch.randn(1, 3, 8)], 1)
    end = 5 * FRAME - codec.delay
    torch.testing.assert_close(codec.decode(latents)[..., :end], codec.decode(other)[..., :end], atol=1e-6, rtol=0)


@torch.inference_mode()
def test_frames_that_nobody_changes_add_up_to_the_wave(codec: WaveformCodec) -> None:
    """Analysis and synthesis alone: the STFT of a wave through the decoder's overlap-add is the wave, `delay` late."""
    wave = waves(1, 4)[:, 0]
    padded = torch.nn.functional.pad(wave, (codec.delay, 0))
    frames = padded.unfold(1, TINY.n_fft, TINY.hop) * sine_window(TINY.n_fft) ** 2
    made = codec.decoder.overlap_add(frames, None)
    torch.testing.assert_close(made[:, codec.delay :], wave[:, : -codec.delay], atol=1e-6, rtol=0)


def test_it_learns_the_wave_of_a_low_note() -> None:
    """A few steps on one note: the error against the wave, aligned by `delay`, falls far below that of silence."""
    torch.manual_seed(0)
    codec = build_codec(TINY)
    optimizer = torch.optim.Adam(codec.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(3)
    time = torch.arange(6 * FRAME) / TINY.sample_rate
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
    codec = build_codec(RVQConfig(kind="rvq", autoencoder=TINY, levels=3, codebook_size=4))
    assert isinstance(codec, RVQCodec)
    with torch.inference_mode():
        codes = codec.codes(waves(1, 3))
        assert codes.shape == (1, 3, 3) and codec.decode(codec.dequantize(codes)).shape == (1, 1, 3 * FRAME)

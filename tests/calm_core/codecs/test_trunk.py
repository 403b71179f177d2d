"""Codecs that work on frames stream, batch and look only backwards, whatever their decoders make of the frames."""

from typing import Any

import pytest
import torch

from calm_core.codecs import Codec, build_codec
from calm_core.codecs.trunk import FrameCodec
from calm_core.codecs.waveform import sine_window
from calm_core.config import SinusoidalConfig, SpectralConfig, WaveformConfig
from calm_core.training.codec import decoded

TINY: dict[str, Any] = {
    "encoder_widths": (16, 16, 16),
    "decoder_widths": (16, 16, 16),
    "encoder_depths": (1, 1, 1),
    "decoder_depths": (1, 1, 1),
    "heads": 2,
    "feedforward": 16,
    "context": 4,
    "latent_dim": 8,
}
SPECTRAL, WAVEFORM = SpectralConfig(**TINY), WaveformConfig(kind="waveform", phase_bins=10, **TINY)
SINUSOIDAL = SinusoidalConfig(kind="sinusoidal", tones=12, lowest=55.0, per_octave=3, **TINY)
# The phase of the pulses is the integral of the predicted pitch, and their hundredth harmonic turns a hundred times as
# fast: pieces of another size round the pitch in the seventh digit, which moves the loudest sample by less than this.
PIECES = {"spectral": 2e-3, "waveform": 1e-5, "sinusoidal": 1e-5}


@pytest.fixture(params=[SPECTRAL, WAVEFORM, SINUSOIDAL], ids=lambda config: config.kind)
def codec(request: pytest.FixtureRequest) -> FrameCodec:
    torch.manual_seed(0)
    built = build_codec(request.param).eval()
    assert isinstance(built, FrameCodec)
    for parameter in built.parameters():  # away from the zeros and small gains that hide mistakes
        parameter.data.add_(0.1 * torch.randn(parameter.shape))
    return built


def waves(codec: Codec, rows: int, frames: int) -> torch.Tensor:
    return 0.3 * torch.randn(rows, 1, frames * codec.frame_size, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_decoding_in_pieces_equals_decoding_at_once(codec: FrameCodec) -> None:
    latents = torch.randn(2, 11, 8, generator=torch.Generator().manual_seed(2))
    whole = codec.decode(latents)
    state = codec.init_state(2)
    pieces = torch.cat([codec.decode(piece, state) for piece in latents.split([1, 1, 2, 4, 3], dim=1)], dim=-1)
    assert whole.shape == (2, 1, 11 * codec.frame_size)
    torch.testing.assert_close(pieces, whole, atol=PIECES[codec.kind], rtol=0)


@torch.inference_mode()
def test_encoding_in_pieces_equals_encoding_at_once(codec: FrameCodec) -> None:
    wave, frame = waves(codec, 2, 9)[:, 0], codec.frame_size
    whole, _ = codec.encoder(wave)
    state = codec.encoder.init_state(2)
    pieces = torch.cat([codec.encoder(piece, state)[0] for piece in wave.split([frame, 3 * frame, 5 * frame], 1)], 1)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_streams_that_started_at_different_times_share_a_call(codec: FrameCodec) -> None:
    latents, frame = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(3)), codec.frame_size
    alone = [codec.decode(latents[row : row + 1]) for row in range(2)]
    early, late = codec.init_state(1), codec.init_state(1)
    first = codec.decode(latents[:1, :2], early)
    both = codec.decode(torch.stack([latents[0, 2:4], latents[1, 0:2]]), [early, late])
    near = {"atol": PIECES[codec.kind], "rtol": 0}
    torch.testing.assert_close(torch.cat([first, both[:1]], -1), alone[0][..., : 4 * frame], **near)
    torch.testing.assert_close(both[1:], alone[1][..., : 2 * frame], **near)


@torch.inference_mode()
def test_the_future_changes_nothing_that_was_said(codec: FrameCodec) -> None:
    wave, frame = waves(codec, 1, 8), codec.frame_size
    changed = wave.clone()
    changed[..., 5 * frame :] = 0.5
    before, after = codec.encode(wave), codec.encode(changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])
    latents = torch.randn(1, 8, 8)
    other = torch.cat([latents[:, :5], torch.randn(1, 3, 8)], 1)
    torch.testing.assert_close(
        codec.decode(latents)[..., : 5 * frame], codec.decode(other)[..., : 5 * frame], atol=2e-6, rtol=0
    )


@torch.inference_mode()
def test_reconstruction_is_aligned_whatever_the_length(codec: FrameCodec) -> None:
    wave = waves(codec, 1, 4)[..., : 3 * codec.frame_size + 77]
    made = codec.reconstruct(wave)
    assert made.shape == wave.shape
    padded = torch.nn.functional.pad(wave, (0, codec.delay))
    late = codec.decode(codec.encode(padded))
    torch.testing.assert_close(made, late[..., codec.delay :][..., : wave.shape[-1]])


def test_overlap_add_of_windowed_frames_gives_the_signal_back(codec: FrameCodec) -> None:
    """Analysis frames, windowed for synthesis, sum up to the signal: the delay in the module's drawing is right."""
    decoder = codec.decoder
    signal = torch.randn(1, 40 * decoder.hop)
    padded = torch.nn.functional.pad(signal, (decoder.n_fft - decoder.hop, 0))
    window = torch.hann_window(decoder.n_fft) if codec.kind == "spectral" else sine_window(decoder.n_fft)
    frames = padded.unfold(1, decoder.n_fft, decoder.hop) * window.square() * (decoder.hop / window.square().sum())
    out = decoder.overlap_add(frames, None)[:, codec.delay :]
    torch.testing.assert_close(out, signal[:, : out.shape[1]], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("config", [SPECTRAL, WAVEFORM, SINUSOIDAL], ids=lambda config: config.kind)
def test_gradients_reach_every_parameter(config: SpectralConfig | WaveformConfig | SinusoidalConfig) -> None:
    codec = build_codec(config)
    assert isinstance(codec, FrameCodec)
    mean, log_variance = codec.posterior(waves(codec, 2, 4))
    made, log_pitch = decoded(codec, mean + torch.randn(mean.shape) * torch.exp(0.5 * log_variance), None)
    loss = made.square().mean()
    (loss if log_pitch is None else loss + log_pitch.square().mean()).backward()
    assert [name for name, p in codec.named_parameters() if p.grad is None or not p.grad.any()] == []

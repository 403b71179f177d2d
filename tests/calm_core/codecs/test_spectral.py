"""The spectral codec streams, batches and looks only backwards."""

import pytest
import torch

from calm_core.codecs import build_codec
from calm_core.codecs.spectral import SpectralCodec
from calm_core.config import SpectralConfig

FRAME = 1920
# The phase of the pulses is the integral of the predicted pitch, and their hundredth harmonic turns a hundred times as
# fast: pieces of another size round the pitch in the seventh digit, which moves the loudest sample by less than this.
PHASE = 2e-3
TINY = SpectralConfig(
    encoder_widths=(16, 16, 16),
    decoder_widths=(16, 16, 16),
    encoder_depths=(1, 1, 1),
    decoder_depths=(1, 1, 1),
    heads=2,
    feedforward=16,
    context=4,
    latent_dim=8,
)


@pytest.fixture
def codec() -> SpectralCodec:
    torch.manual_seed(0)
    built = build_codec(TINY).eval()
    assert isinstance(built, SpectralCodec)
    for parameter in built.parameters():  # away from the zeros and small gains that hide mistakes
        parameter.data.add_(0.1 * torch.randn(parameter.shape))
    return built


def waves(rows: int, frames: int) -> torch.Tensor:
    return 0.3 * torch.randn(rows, 1, frames * FRAME, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_decoding_in_pieces_equals_decoding_at_once(codec: SpectralCodec) -> None:
    latents = torch.randn(2, 11, 8, generator=torch.Generator().manual_seed(2))
    whole = codec.decode(latents)
    state = codec.init_state(2)
    pieces = torch.cat([codec.decode(piece, state) for piece in latents.split([1, 1, 2, 4, 3], dim=1)], dim=-1)
    assert whole.shape == (2, 1, 11 * FRAME)
    torch.testing.assert_close(pieces, whole, atol=PHASE, rtol=0)


@torch.inference_mode()
def test_encoding_in_pieces_equals_encoding_at_once(codec: SpectralCodec) -> None:
    wave = waves(2, 9)[:, 0]
    whole, _ = codec.encoder(wave)
    state = codec.encoder.init_state(2)
    pieces = torch.cat([codec.encoder(piece, state)[0] for piece in wave.split([FRAME, 3 * FRAME, 5 * FRAME], 1)], 1)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_streams_that_started_at_different_times_share_a_call(codec: SpectralCodec) -> None:
    latents = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(3))
    alone = [codec.decode(latents[row : row + 1]) for row in range(2)]
    early, late = codec.init_state(1), codec.init_state(1)
    first = codec.decode(latents[:1, :2], early)
    both = codec.decode(torch.stack([latents[0, 2:4], latents[1, 0:2]]), [early, late])
    torch.testing.assert_close(torch.cat([first, both[:1]], -1), alone[0][..., : 4 * FRAME], atol=PHASE, rtol=0)
    torch.testing.assert_close(both[1:], alone[1][..., : 2 * FRAME], atol=PHASE, rtol=0)


@torch.inference_mode()
def test_the_future_changes_nothing_that_was_said(codec: SpectralCodec) -> None:
    wave = waves(1, 8)
    changed = wave.clone()
    changed[..., 5 * FRAME :] = 0.5
    before, after = codec.encode(wave), codec.encode(changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])
    latents = torch.randn(1, 8, 8)
    other = torch.cat([latents[:, :5], torch.randn(1, 3, 8)], 1)
    torch.testing.assert_close(
        codec.decode(latents)[..., : 5 * FRAME], codec.decode(other)[..., : 5 * FRAME], atol=2e-6, rtol=0
    )


@torch.inference_mode()
def test_reconstruction_is_aligned_whatever_the_length(codec: SpectralCodec) -> None:
    wave = waves(1, 4)[..., : 3 * FRAME + 77]
    made = codec.reconstruct(wave)
    assert made.shape == wave.shape
    padded = torch.nn.functional.pad(wave, (0, codec.delay))
    late = codec.decode(codec.encode(padded))
    torch.testing.assert_close(made, late[..., codec.delay :][..., : wave.shape[-1]])


def test_overlap_add_of_windowed_frames_gives_the_signal_back(codec: SpectralCodec) -> None:
    """Analysis frames, windowed for synthesis, sum up to the signal: the delay in the module's drawing is right."""
    decoder = codec.decoder
    signal = torch.randn(1, 40 * decoder.hop)
    padded = torch.nn.functional.pad(signal, (decoder.n_fft - decoder.hop, 0))
    window = torch.hann_window(decoder.n_fft)
    frames = padded.unfold(1, decoder.n_fft, decoder.hop) * window.square() * (decoder.hop / window.square().sum())
    out = decoder.overlap_add(frames, None)[:, codec.delay :]
    torch.testing.assert_close(out, signal[:, : out.shape[1]], atol=1e-5, rtol=1e-4)


def test_gradients_reach_every_parameter() -> None:
    codec = build_codec(TINY)
    assert isinstance(codec, SpectralCodec)
    mean, log_variance = codec.posterior(waves(2, 4))
    noise = torch.randn(mean.shape)
    made, log_pitch = codec.decoder(mean + noise * torch.exp(0.5 * log_variance))
    (made.square().mean() + log_pitch.square().mean()).backward()
    assert [name for name, p in codec.named_parameters() if p.grad is None or not p.grad.any()] == []

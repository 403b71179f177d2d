import pytest
import torch

from calm_core.codecs import build_codec
from calm_core.codecs.vae import VAECodec
from calm_core.config import VAEConfig
from tests.calm_core import tiny


@pytest.fixture(scope="module")
def codec() -> VAECodec:
    torch.manual_seed(0)
    codec = build_codec(VAEConfig.model_validate(tiny.codec() | {"variational": True}))
    tiny.randomise(codec)
    assert isinstance(codec, VAECodec)
    return codec.eval().requires_grad_(False)


def test_rates_and_shapes(codec: VAECodec) -> None:
    assert (codec.sample_rate, codec.frame_rate, codec.frame_size, codec.latent_dim) == (24_000, 12.5, 1920, 8)
    latents = codec.encode(torch.randn(2, 1, 4000))
    assert latents.shape == (2, 3, 8)  # 4000 samples fill two frames and begin a third
    assert codec.decode(latents).shape == (2, 1, 3 * 1920)


def test_decoding_in_pieces_equals_decoding_at_once(codec: VAECodec) -> None:
    latents = torch.randn(2, 12, 8)
    state = codec.init_state(2)
    parts = [codec.decode(part, state) for part in latents.split([1, 1, 2, 5, 3], dim=1)]
    torch.testing.assert_close(torch.cat(parts, -1), codec.decode(latents), atol=1e-6, rtol=1e-5)


def test_a_batch_equals_its_rows(codec: VAECodec) -> None:
    latents = torch.randn(3, 4, 8)
    rows = torch.cat([codec.decode(row) for row in latents.split(1)])
    torch.testing.assert_close(codec.decode(latents), rows, atol=1e-6, rtol=1e-5)
    waves = torch.randn(3, 1, 3840)
    encoded = torch.cat([codec.encode(row) for row in waves.split(1)])
    torch.testing.assert_close(codec.encode(waves), encoded, atol=1e-6, rtol=1e-5)


def test_latents_do_not_hear_the_future(codec: VAECodec) -> None:
    wave = torch.randn(1, 1, 5 * 1920)
    changed = wave.clone()
    changed[..., 3 * 1920 :] = 0.5
    torch.testing.assert_close(codec.encode(wave)[:, :3], codec.encode(changed)[:, :3], atol=1e-6, rtol=1e-5)


def test_streams_at_different_places_decode_together(codec: VAECodec) -> None:
    latents = torch.randn(2, 6, 8)
    whole = codec.decode(latents)
    states = [codec.init_state(), codec.init_state()]
    codec.decode(latents[1:, :4], states[1])
    together = codec.decode(torch.cat([latents[:1, :2], latents[1:, 4:]]), states)
    torch.testing.assert_close(together[:1], whole[:1, :, : 2 * 1920], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(together[1:], whole[1:, :, 4 * 1920 :], atol=1e-6, rtol=1e-5)


def test_the_posterior_has_the_mean_of_encode_and_log_variances(codec: VAECodec) -> None:
    wave = torch.randn(1, 1, 3840)
    mean, log_variance = codec.posterior(wave)
    torch.testing.assert_close(mean, codec.encode(wave))
    assert log_variance.shape == mean.shape

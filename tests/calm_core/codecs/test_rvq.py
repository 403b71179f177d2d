"""The codec with codebooks: codes and back, streams, the VAE's weights inside."""

import pytest
import torch

from calm_core.codecs import RVQCodec, build_codec
from calm_core.codecs.spectral import SpectralCodec
from calm_core.config import RVQConfig, VAEConfig
from calm_core.errors import InputError
from calm_core.weights import load_into
from tests.calm_core.codecs.test_trunk import PIECES, SPECTRAL, waves


@pytest.fixture(scope="module")
def codec() -> RVQCodec:
    torch.manual_seed(0)
    built = build_codec(RVQConfig(kind="rvq", autoencoder=SPECTRAL, levels=3, codebook_size=16))
    assert isinstance(built, RVQCodec)
    for parameter in built.parameters():
        parameter.data.add_(0.1 * torch.randn(parameter.shape))
    built.quantizer.start(built.autoencoder.encode(waves(built, 8, 20)), torch.Generator().manual_seed(3))
    return built.eval().requires_grad_(False)


def test_codes_latents_and_sound_belong_together(codec: RVQCodec) -> None:
    wave = waves(codec, 2, 5)[..., :-77]
    codes = codec.codes(wave)
    assert codes.shape == (2, 5, 3) and codes.dtype == torch.long
    assert codes.min() >= 0 and codes.max() < codec.codebook_size == 16
    assert torch.equal(codes, codec.quantize(codec.autoencoder.encode(wave)))
    assert torch.equal(codec.encode(wave), codec.dequantize(codes))
    assert not torch.equal(codec.dequantize(codes[..., :2]), codec.dequantize(codes))
    assert codec.reconstruct(wave).shape == wave.shape
    assert (codec.frame_size, codec.delay, codec.latent_dim) == (1920, 720, 8)


def test_decoding_in_pieces_equals_decoding_at_once(codec: RVQCodec) -> None:
    latents = codec.encode(waves(codec, 2, 7))
    state = codec.init_state(2)
    pieces = torch.cat([codec.decode(piece, state) for piece in latents.split([1, 2, 4], dim=1)], dim=-1)
    torch.testing.assert_close(pieces, codec.decode(latents), atol=PIECES["spectral"], rtol=0)


def test_the_future_changes_no_code(codec: RVQCodec) -> None:
    wave = waves(codec, 1, 8)
    changed = wave.clone()
    changed[..., 5 * codec.frame_size :] = 0.5
    before, after = codec.codes(wave), codec.codes(changed)
    assert torch.equal(before[:, :5], after[:, :5]) and not torch.equal(before, after)


def test_encoder_and_decoder_are_those_of_the_autoencoder(codec: RVQCodec) -> None:
    plain = SpectralCodec(SPECTRAL).eval()
    plain.load_state_dict(codec.autoencoder.state_dict())
    wave = waves(codec, 1, 4)
    assert torch.equal(plain.encode(wave), codec.autoencoder.encode(wave))
    latents = codec.encode(wave)
    assert torch.equal(plain.decode(latents), codec.decode(latents))


def test_the_weights_of_more_levels_are_those_of_the_first_ones(codec: RVQCodec) -> None:
    def of(levels: int) -> torch.nn.Module:
        return build_codec(RVQConfig(kind="rvq", autoencoder=SPECTRAL, levels=levels, codebook_size=16))

    tensors, wave = dict(codec.state_dict()), waves(codec, 2, 5)
    coarse = load_into(lambda: of(2), tensors, "codec")
    assert isinstance(coarse, RVQCodec) and coarse.quantizer.usage.shape == (2, 16)
    assert torch.equal(coarse.codes(wave), codec.codes(wave)[..., :2])
    assert torch.equal(coarse.encode(wave), codec.dequantize(codec.codes(wave)[..., :2]))
    with pytest.raises(InputError, match=r"codebooks' has shape \[3, 16, 8\].*\[4, 16, 8\]"):
        load_into(lambda: of(4), tensors, "codec")


def test_gradients_reach_the_encoder_through_the_codes() -> None:
    codec = build_codec(RVQConfig(kind="rvq", autoencoder=SPECTRAL, levels=2, codebook_size=8, codebook_dim=4))
    assert isinstance(codec, RVQCodec) and isinstance(codec.autoencoder, SpectralCodec)
    quantized = codec.quantizer(codec.autoencoder.encode(waves(codec, 2, 4)), torch.Generator().manual_seed(1))
    made, log_pitch = codec.autoencoder.decoder(quantized.latents)
    (made.square().mean() + log_pitch.square().mean()).backward()
    assert [name for name, p in codec.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_an_autoencoder_whose_halves_differ_is_refused() -> None:
    transformer = {
        "d_model": 16, "input_dimension": 16, "output_dimensions": [16], "num_heads": 2, "num_layers": 1, "context": 4,
        "dim_feedforward": 16,
    }  # fmt: skip
    sizes = {
        "seanet": {"dimension": 16, "n_filters": 4, "ratios": [6, 5, 4]}, "transformer": transformer,
        "quantizer": {"dimension": 8, "output_dimension": 16},
    }  # fmt: skip
    fitting = VAEConfig.model_validate({**sizes, "inner_dim": 8, "outer_dim": 16})
    codec = build_codec(RVQConfig(kind="rvq", autoencoder=fitting, levels=2, codebook_size=8))
    assert codec.reconstruct(torch.zeros(1, 1, 3000)).shape == (1, 1, 3000)
    with pytest.raises(InputError, match="inner_dim to 8"):
        build_codec(RVQConfig(kind="rvq", autoencoder=VAEConfig.model_validate(sizes), levels=2, codebook_size=8))

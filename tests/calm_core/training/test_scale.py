"""The scale of latents: unit channels, or distances that are heard."""

import pytest
import torch

from calm_core.codecs import SinusoidalCodec
from calm_core.config import SinusoidalConfig
from calm_core.errors import InputError
from calm_core.nn.linear_prediction import LinearPrediction
from calm_core.training.scale import audible_channels, measure
from tests.calm_core import tiny

DIM = 8


def test_channels_fall_in_what_is_heard_of_them() -> None:
    heard = torch.randn(30, DIM, generator=torch.Generator().manual_seed(1)) * torch.logspace(-1, 1, DIM)
    gain, basis = audible_channels(heard)
    torch.testing.assert_close(basis @ basis.T, torch.eye(DIM), atol=1e-5, rtol=0)
    torch.testing.assert_close((heard @ basis.T).norm(dim=0), gain)
    assert (gain[1:] < gain[:-1]).all()


@pytest.mark.parametrize("predicts", [False, True])
def test_a_model_with_the_audible_scale_goes_there_and_back(predicts: bool) -> None:
    model = tiny.build_music("lsd", short=True)
    width = model.codec.latent_dim
    made = [torch.randn(40, width, generator=torch.Generator().manual_seed(s)).cumsum(0) for s in range(4)]
    measure(model, made)  # channels of the codec
    torch.testing.assert_close(model.latent_mean, torch.cat(made).mean(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.normalise(torch.cat(made)).std(0), torch.ones(width), atol=1e-3, rtol=0)
    model.register_buffer("latent_basis", torch.eye(width))
    heard = torch.randn(20, width, generator=torch.Generator().manual_seed(9))
    model.codec.audible = lambda: heard  # type: ignore[method-assign]
    model.linear_prediction = LinearPrediction(width) if predicts else None
    measure(model, made, 0.1)
    torch.testing.assert_close(model.decoded(model.normalise(made[0])), made[0], atol=1e-4, rtol=1e-4)
    frames = model.normalise(torch.cat(made))
    torch.testing.assert_close(frames.std(0), torch.ones(width), atol=1e-3, rtol=0)
    asked = model.asked(frames[1:], frames[:-1])
    torch.testing.assert_close(model.drawn(asked, frames[:-1]), frames[1:], atol=1e-4, rtol=1e-4)
    assert model.latent_weight is not None and model.latent_basis is not None
    torch.testing.assert_close(model.latent_weight.square().mean(), torch.tensor(1.0))
    if not predicts:  # the head's variance is in proportion to the deviation of what is heard
        moved = ((torch.cat(made) - model.latent_mean) @ model.latent_basis.T).std(0)
        loud = moved * (heard @ model.latent_basis.T).norm(dim=0)
        share = asked.var(0) / loud
        torch.testing.assert_close(share, share.mean().expand_as(share), atol=0, rtol=0.05)


def test_the_sinusoidal_codec_hears_its_tones() -> None:
    codec = SinusoidalCodec(SinusoidalConfig(kind="sinusoidal"))
    heard = codec.audible()
    assert heard is codec.decoder.direct.weight
    assert heard.shape == (4 * codec.config.tones, codec.latent_dim)


def test_other_codecs_are_refused_by_the_configuration() -> None:
    with pytest.raises(InputError, match="scale is audible"):
        tiny.built_audio_lm({**tiny.music("lsd"), "scale": "audible"})

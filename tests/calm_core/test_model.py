from pathlib import Path

import pytest
import torch

from calm_core.model import CALM
from tests.calm_core import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CALM:
    return tiny.build(tmp_path_factory.mktemp("model"))


def batch(model: CALM) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(3, 7, 8, generator=generator)
    lengths = torch.tensor([7, 4, 5])
    voice = torch.randn(3, 8, generator=generator)
    text = [model.text(model.text.tokens(words)) for words in ("Hello there.", "One.", "Two of them.")]  # type: ignore
    prefixes = [model.prefix(voice, text[0]), model.prefix(None, text[1]), model.prefix(None, None)]
    return latents, lengths, prefixes


def test_the_loss_repeats_with_its_seed_and_reaches_every_part(tmp_path: Path) -> None:
    model = tiny.build(tmp_path).requires_grad_(True)
    latents, lengths, prefixes = batch(model)
    first = model.loss(latents, lengths, prefixes, generator=torch.Generator().manual_seed(1))
    again = model.loss(latents, lengths, prefixes, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first.total, again.total) and {"flow", "eos"} <= first.parts.keys()
    first.total.backward()
    for name, parameter in model.named_parameters():
        if not name.startswith("codec."):
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_padding_behind_a_row_does_not_change_its_loss(model: CALM) -> None:
    latents, lengths, prefixes = batch(model)
    losses = []
    for filler in (0.0, 100.0):
        padded = latents.clone()
        for row, length in enumerate(lengths):
            padded[row, length:] = filler
        losses.append(model.loss(padded, lengths, prefixes, generator=torch.Generator().manual_seed(1)).total)
    torch.testing.assert_close(losses[0], losses[1])


def test_teacher_forcing_sees_what_a_stream_sees(model: CALM) -> None:
    """Features of a packed, padded batch equal those of each row prompted and fed frame by frame."""
    latents, _, prefixes = batch(model)
    heard = model.backbone.shift(latents)
    whole = model._features(model.backbone.embed(heard), prefixes)
    for row, prefix in enumerate(prefixes):
        state = model.backbone.transformer.init_state(1, 4)
        model.backbone.prompt(prefix[None], state)
        steps = [
            model.backbone.features(model.backbone.embed(heard[row : row + 1, t : t + 1]), state) for t in range(7)
        ]
        torch.testing.assert_close(whole[row], torch.cat(steps, 1)[0], atol=2e-6, rtol=1e-5)


def test_the_end_is_learned_at_the_first_frame_behind_a_row(model: CALM) -> None:
    """A model that fires exactly there has no end-of-speech loss."""
    latents, lengths, _ = batch(model)
    steps = torch.arange(8)
    perfect = torch.where(steps == lengths[:, None], 40.0, -40.0)
    original = model.backbone.end_logits
    model.backbone.end_logits = lambda z: perfect  # type: ignore[method-assign]
    try:
        parts = model.loss(latents, lengths, generator=torch.Generator().manual_seed(0)).parts
    finally:
        model.backbone.end_logits = original  # type: ignore[method-assign]
    assert parts["eos"] < 1e-6


def test_guidance_of_one_changes_nothing_and_of_two_moves_away_from_the_unconditional(model: CALM) -> None:
    latents, _, prefixes = batch(model)
    noise = torch.zeros(1, 8)

    def spoken(scale: float | None) -> torch.Tensor:
        state = model.backbone.transformer.init_state(1, 4)
        model.backbone.prompt(prefixes[0][None], state)
        if scale is None:
            return model.step(latents[:1, 0], noise, [state])[0]
        null = model.backbone.transformer.init_state(1, 4)
        return model.step(latents[:1, 0], noise, [state], cfg=[scale], null_state=[null])[0]

    torch.testing.assert_close(spoken(1.0), spoken(None), atol=1e-6, rtol=1e-5)
    null = model.backbone.transformer.init_state(1, 4)
    torch.testing.assert_close(spoken(0.0), model.step(latents[:1, 0], noise, [null])[0], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(spoken(2.0), spoken(1.0), atol=1e-4)


def test_dropout_is_drawn_from_the_generator(model: CALM) -> None:
    first = model.draw_dropout(1000, 0.2, torch.Generator().manual_seed(3))
    assert torch.equal(first, model.draw_dropout(1000, 0.2, torch.Generator().manual_seed(3)))
    assert 150 < first.sum() < 250

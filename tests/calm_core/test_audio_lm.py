"""The audio language model: what it trains on is what it does, with latents and with codes."""

from pathlib import Path

import pytest
import torch

from calm_core.audio_lm import AudioLM, Weights, with_added_noise, with_noise
from calm_core.config import ShortContextConfig
from calm_core.continuation import continue_frames
from calm_core.heads.discrete import DiscreteHead
from calm_core.nn.linear_prediction import LinearPrediction
from calm_core.short_context import ShortContext, windows
from calm_core.text_stream import lay_out
from calm_core.types import ContinuationParams, Losses
from tests.calm_core import tiny

KINDS = ("lsd", "consistency", "rq_transformer", "delay")


def frames_of(model: AudioLM, count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    if model.discrete:
        size = model.embed.codebook_size
        return torch.randint(size, (1, count, len(model.embed.tables)), generator=generator)
    return torch.randn(1, count, model.codec.latent_dim, generator=generator)


def fitted_prediction(model: AudioLM) -> LinearPrediction:
    prediction = LinearPrediction(model.codec.latent_dim)
    prediction.fit([frames_of(model, 60, seed)[0].cumsum(0) / 4 for seed in range(4)], 0.1)
    assert prediction.matrix.abs().max() > 0.5 and prediction.deviation.max() < 0.5
    return prediction


def tokens_of(model: AudioLM, count: int) -> torch.Tensor:
    assert model.text is not None
    return torch.randint(model.text.unknown, (1, count), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_reaches_every_weight(kind: str, tmp_path: Path) -> None:
    model = tiny.build_continuation(tmp_path, kind, short=True).train().requires_grad_(True)
    model.codec.requires_grad_(False)
    frames = frames_of(model, 12).expand(3, -1, -1)
    text, known = tokens_of(model, 14).expand(3, -1), torch.tensor([0, 3, 5])
    weights = Weights(head_multiplier=2, context_noise=1.0)
    for seed in range(8):  # LSD's second term comes with a quarter of the draws
        draws = torch.Generator().manual_seed(seed)
        model.loss(frames, torch.tensor([12, 9, 4]), text, known, generator=draws, weights=weights).total.backward()
    idle = [name for name, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert not idle


@pytest.mark.parametrize("kind", ["lsd", "rq_transformer"])
def test_padding_and_hidden_text_change_nothing(kind: str, tmp_path: Path) -> None:
    model = tiny.build_continuation(tmp_path, kind)
    frames, text = frames_of(model, 10), tokens_of(model, 12)
    other = text.clone()
    other[:, :4] = 0
    more = torch.cat([frames, frames_of(model, 5, seed=2)], 1)
    longer = torch.nn.functional.pad(text, (0, 5))

    def parts(frames: torch.Tensor, text: torch.Tensor, known: int) -> dict[str, float]:
        draws = torch.Generator().manual_seed(3)
        losses = model.loss(frames, torch.tensor([10]), text, torch.tensor([known]), generator=draws)
        return {name: float(value) for name, value in losses.parts.items()}

    assert parts(more, longer, 0) == pytest.approx(parts(frames, text, 0), abs=1e-5)
    assert parts(frames, other, 4) == pytest.approx(parts(frames, text, 4), abs=1e-6)
    assert parts(frames, other, 0)["text"] != pytest.approx(parts(frames, text, 0)["text"], abs=1e-4)


@pytest.mark.parametrize("kind", ["lsd", "rq_transformer"])
def test_conditions_step_by_step_are_those_of_whole_rows(kind: str, tmp_path: Path) -> None:
    model = tiny.build_continuation(tmp_path, kind, short=True)
    frames, text = frames_of(model, 30), tokens_of(model, 30)
    whole = model.conditions(frames, text, model.init_state())[1]
    state = model.init_state(capacity=4)
    steps = [model.conditions(frames[:, i : i + 1], text[:, i : i + 1], state)[1] for i in range(30)]
    torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_the_short_context_hears_exactly_its_frames(layers: int) -> None:
    assert sum(w - 1 for w in windows(10, layers)) == 9
    torch.manual_seed(0)
    short = ShortContext(ShortContextConfig(num_heads=2, num_layers=layers, dim_feedforward=32, frames=10), 16, 16)
    tiny.randomise(short)
    x = torch.randn(1, 30, 16)
    changed = x.clone()
    changed[:, 12] = torch.randn(16)
    moved = (short(changed) - short(x)).abs().amax(-1)[0] > 1e-6
    assert moved.nonzero().flatten().tolist() == list(range(12, 22))


@pytest.mark.parametrize(("kind", "predicts"), [*((kind, False) for kind in KINDS), ("lsd", True)])
def test_continuing_draws_what_the_trained_model_predicts(kind: str, predicts: bool, tmp_path: Path) -> None:
    """Draws are replayed through whole rows as in training: same text logits, same codes, same latents."""
    model = tiny.build_continuation(tmp_path, kind, short=True)
    assert model.text is not None
    if predicts:
        model.linear_prediction = fitted_prediction(model)
    prompt = frames_of(model, 7)
    params = ContinuationParams(temperature=0.7, text_temperature=0.0)
    steps = list(continue_frames(model, prompt, 9, params, torch.Generator().manual_seed(5)))
    made = [s.frame for s in steps if s.frame is not None]
    assert len(made) == 9
    whole = torch.cat([prompt, torch.stack(made, 1)], 1)
    tokens = [s.token for s in steps]
    text = torch.tensor([[model.text.unknown] * 7 + [t for t in tokens if t is not None]])
    if isinstance(model.head, DiscreteHead) and any(model.head.delays):
        whole = tiny.delayed(whole, model.head.delays, model.embed.codebook_size)
    past = torch.cat([model.embed.before(1, 3), whole], 1)[:, : text.shape[1]]
    before = torch.nn.functional.pad(text[:, :-1], (1, 0), value=model.text.unknown)
    before[:, :8] = model.text.unknown
    z_long, z = model.conditions(past, before, model.init_state())
    likeliest = model.text.out(z_long[0, 7:]).argmax(-1).tolist()
    complete = 9  # of late codebooks, the newest codes belong to frames that were never finished
    assert likeliest[:complete] == tokens[:complete]
    if kind == "lsd":  # the draws of a step: one uniform for the text, then the noise of the frame
        draws = torch.Generator().manual_seed(5)
        for place, step in enumerate(steps):
            torch.rand(1, generator=draws)
            if step.frame is not None:
                noise = torch.empty(1, model.head.noise_width(1)).normal_(0.0, 0.7**0.5, generator=draws)
                expected = model.drawn(model.head.sample_from(z[:, 7 + place], noise, 1), past[:, 7 + place])
                torch.testing.assert_close(step.frame, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_repeats_and_nothing_can_be_the_prompt(kind: str, tmp_path: Path) -> None:
    model = tiny.build_continuation(tmp_path, kind)
    nothing = frames_of(model, 3)[:, :0]
    params = ContinuationParams()
    runs = [
        torch.stack(
            [
                step.frame
                for step in continue_frames(model, nothing, 5, params, torch.Generator().manual_seed(seed))
                if step.frame is not None
            ]
        )
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])
    if model.discrete:
        assert runs[0].min() >= 0 and runs[0].max() < model.embed.codebook_size


def test_a_head_over_codes_may_be_asked_for_a_share_of_the_frames(tmp_path: Path) -> None:
    model = tiny.build_continuation(tmp_path, "rq_transformer").train()
    frames, lengths = frames_of(model, 16), torch.tensor([13])
    text = tokens_of(model, 18)
    asked: list[int] = []
    whole = model.head.loss

    def counting(z: torch.Tensor, target: torch.Tensor, generator: torch.Generator | None) -> Losses:
        asked.append(len(z))
        return whole(z, target, generator)

    def loss(share: float, seed: int) -> float:
        draws = torch.Generator().manual_seed(seed)
        given = {"generator": draws, "weights": Weights(head_share=share)}
        return float(model.loss(frames, lengths, text, **given).parts["code"])

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(model.head, "loss", counting)
        parts = [loss(0.3, seed) for seed in range(200)]
        assert set(asked) == {4} and len(set(parts)) > 100  # of 13 frames, others each time
        assert abs(sum(parts) / len(parts) - loss(1.0, 0)) < 0.02
        model.eval()  # what is measured is measured on all
        assert loss(0.3, 0) == loss(1.0, 1) and asked[-1] == 13


def test_words_lie_on_the_frames_where_they_begin() -> None:
    words = [([1], 0.17), ([2, 3, 4], 0.25), ([5], 0.33), ([6], 0.9)]
    #        frame 2       frames 3-5       taken: 6      frame 11
    text = lay_out(words, 12, 12.5, pad=10, epad=11)
    assert text.tolist() == [10, 11, 1, 2, 3, 4, 5, 10, 10, 10, 11, 6]
    assert lay_out(words, 5, 12.5, pad=10, epad=11).tolist() == [10, 11, 1, 2, 3]


def test_noise_keeps_the_variance_and_none_draws_nothing() -> None:
    frames = torch.randn(4, 500, 16, generator=torch.Generator().manual_seed(0))
    draws = torch.Generator().manual_seed(1)
    before = draws.get_state()
    assert with_noise(frames, 0.0, draws) is frames and torch.equal(draws.get_state(), before)
    for most in (0.2, 1.0):
        noisy = with_noise(frames, most, draws)
        assert abs(float(noisy.std()) - 1) < 0.02
        # the mean share is half of the largest
        kept = float((noisy * frames).mean() / frames.square().mean())
        share = torch.rand(100_000, generator=torch.Generator().manual_seed(2)) * most
        assert abs(kept - float((1 - share).sqrt().mean())) < 0.02


def test_drift_reaches_what_both_contexts_hear_but_no_target(tmp_path: Path) -> None:
    model = tiny.build_continuation(tmp_path, "lsd", short=True)
    model.linear_prediction = fitted_prediction(model)
    assert model.short_embed is not None
    frames, text = frames_of(model, 10), tokens_of(model, 12)
    heard: dict[str, list[torch.Tensor]] = {"long": [], "short": [], "asked": []}
    model.embed.register_forward_pre_hook(lambda _, inputs: heard["long"].append(inputs[0]))
    model.short_embed.register_forward_pre_hook(lambda _, inputs: heard["short"].append(inputs[0]))
    model.head.loss = lambda z, target, *_: heard["asked"].append(target) or Losses(z.sum(), {})  # type: ignore[method-assign]
    for most in (0.0, 1.0):
        draws = torch.Generator().manual_seed(3)
        model.loss(frames, torch.tensor([10]), text, generator=draws, weights=Weights(1, drift=most))
    for part in ("long", "short"):
        plain, drifted = heard[part]
        assert torch.equal(plain[:, :3], drifted[:, :3])  # what stands before the first frame
        assert (plain[:, 3:] != drifted[:, 3:]).all()
    assert torch.equal(heard["long"][1], heard["short"][1])
    last = heard["short"][1][0, 2:]
    torch.testing.assert_close(model.drawn(heard["asked"][1], last), model.normalise(frames)[0], atol=1e-4, rtol=1e-4)


def test_added_noise_scales_nothing() -> None:
    frames = torch.randn(1, 100_000, 1, generator=torch.Generator().manual_seed(0))
    assert with_added_noise(frames, 0.0, None) is frames
    added = with_added_noise(frames, 0.4, torch.Generator().manual_seed(1)) - frames
    assert abs(float(added.var()) - 0.2) < 0.01 and abs(float((added * frames).mean())) < 0.01


def test_the_head_is_trained_on_what_linear_prediction_from_noisy_frames_leaves_open(tmp_path: Path) -> None:
    model = tiny.build_continuation(tmp_path, "lsd", short=True)
    model.linear_prediction = fitted_prediction(model)
    frames, text = frames_of(model, 10), tokens_of(model, 12)
    asked: list[torch.Tensor] = []
    heard: list[torch.Tensor] = []
    model.head.loss = lambda z, target, *_: asked.append(target) or Losses(z.sum(), {})  # type: ignore[method-assign]
    assert model.short_embed is not None
    model.short_embed.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    model.loss(frames, torch.tensor([10]), text, generator=torch.Generator().manual_seed(3), weights=Weights(2, 0, 1.0))
    back = model.drawn(asked[0], heard[0][0, 2:].repeat(2, 1))
    torch.testing.assert_close(back, model.normalise(frames)[0].repeat(2, 1), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(heard[0][0, 3:], model.normalise(frames)[0, :-1], atol=0.01)


def test_noise_of_the_short_context_changes_what_it_hears_alone(tmp_path: Path) -> None:
    """Of a model without a short context it changes nothing; of one with it, the loss."""
    for short, same in ((False, True), (True, False)):
        model = tiny.build_continuation(tmp_path, "lsd", short=short)
        frames, text = frames_of(model, 10), tokens_of(model, 12)
        losses = []
        for most in (0.0, 1.0):
            draws = torch.Generator().manual_seed(3)
            z: list[torch.Tensor] = []
            model.head.loss = lambda condition, *_, kept=z: kept.append(condition) or Losses(condition.sum(), {})  # type: ignore[method-assign]
            model.loss(frames, torch.tensor([10]), text, generator=draws, weights=Weights(1, 0.0, most))
            losses.append(z[0])
        assert torch.equal(*losses) is same

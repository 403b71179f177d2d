"""Music told by CLAP what it is to be: the prefix, what dropping it means, guidance, several rows at once."""

from typing import Any

import pytest
import torch

from calm_core.audio_lm import AudioLM, Weights
from calm_core.conditioners.clap import mix
from calm_core.config import parse_config
from calm_core.continuation import continue_frames
from calm_core.errors import InputError
from calm_core.types import ContinuationParams
from tests.calm_core import tiny
from tests.calm_core.test_audio_lm import frames_of

KINDS = ("consistency", "rq_transformer", "delay")
EMBEDDING = tiny.Clap().embed_text(["slow piano"])


def drawn(
    model: AudioLM, prompt: torch.Tensor, seeds: list[int], clap: torch.Tensor | None = None, **values: Any
) -> torch.Tensor:  # fmt: skip
    """Six new frames [B, 6, ...]."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    steps = continue_frames(model, prompt, 6, ContinuationParams(**values), generators, clap=clap)
    return torch.stack([step.frame for step in steps if step.frame is not None], 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_reaches_the_embedding_and_the_null_vector(kind: str) -> None:
    model = tiny.build_music(kind, short=True).train().requires_grad_(True)
    model.codec.requires_grad_(False)
    frames = frames_of(model, 12).expand(3, -1, -1)
    claps, known = EMBEDDING.expand(3, -1), torch.tensor([True, False, True])
    draws = torch.Generator().manual_seed(0)
    losses = model.loss(
        frames, torch.tensor([12, 9, 4]), clap=claps, clap_known=known, generator=draws,
        weights=Weights(head_multiplier=2, context_noise=1.0),
    )  # fmt: skip
    losses.total.backward()
    idle = [name for name, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert not idle


def test_dropped_embeddings_are_as_good_as_none() -> None:
    model = tiny.build_music()
    frames, lengths = frames_of(model, 10).expand(2, -1, -1), torch.tensor([10, 10])

    def loss(clap: torch.Tensor | None, known: list[bool] | None) -> float:
        kept = None if known is None else torch.tensor(known)
        draws = torch.Generator().manual_seed(1)
        return float(model.loss(frames, lengths, clap=clap, clap_known=kept, generator=draws).total)

    claps = EMBEDDING.expand(2, -1)
    assert loss(claps, [False, False]) == loss(None, None)
    assert loss(claps, [True, False]) != loss(claps, [False, True]) != loss(claps, [True, True])


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_behind_a_prefix_are_those_of_whole_rows(kind: str) -> None:
    """The prefix is one step before the first; guidance is equation 4.6 on the two rows' conditions."""
    model = tiny.build_music(kind, short=True)
    past = torch.cat([model.embed.before(1, 1), frames_of(model, 9)], 1)

    def whole(clap: torch.Tensor | None) -> torch.Tensor:
        assert model.clap is not None
        x = torch.cat([model.clap(clap)[:, None], model.embed(past)], 1)
        return model.backbone.condition(model.backbone.features(x))[:, 1:]

    assert model.short is not None and model.short_embed is not None
    short = model.short(model.short_embed(past))
    conditioned, null = whole(EMBEDDING), whole(None)
    for cfg, expected in ((None, conditioned), (1.0, conditioned), (0.0, null), (3.0, 3 * conditioned - 2 * null)):
        state = model.begin(10, EMBEDDING, guided=cfg is not None)
        steps = [model.conditions(past[:, i : i + 1], None, state, cfg)[1] for i in range(10)]
        torch.testing.assert_close(torch.cat(steps, 1), expected + short, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cfg", [1.0, 2.0])
def test_rows_draw_what_they_would_alone(kind: str, cfg: float) -> None:
    model = tiny.build_music(kind, short=True)
    model.optimise()
    prompt = frames_of(model, 5)
    together = drawn(model, prompt, [3, 4, 5], EMBEDDING, cfg=cfg)
    for row, seed in enumerate((3, 4, 5)):
        assert torch.equal(together[row : row + 1], drawn(model, prompt, [seed], EMBEDDING, cfg=cfg))
    assert not torch.equal(together[0], together[1])


def test_guidance_leads_away_from_what_nothing_is_known_of() -> None:
    model = tiny.build_music()
    nothing = frames_of(model, 3)[:, :0]
    unknown, told = drawn(model, nothing, [1]), drawn(model, nothing, [1], EMBEDDING)
    assert not torch.equal(unknown, told)
    torch.testing.assert_close(drawn(model, nothing, [1], EMBEDDING, cfg=0.0), unknown, atol=1e-5, rtol=1e-4)
    first = [frames[:, :1] for frames in (unknown, told, drawn(model, nothing, [1], EMBEDDING, cfg=2.0))]
    assert (first[2] - first[0]).norm() > (first[1] - first[0]).norm()


def test_two_embeddings_are_mixed_and_brought_back_to_length_one() -> None:
    x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    torch.testing.assert_close(mix(x, y, 0.5), torch.tensor([[0.5**0.5, 0.5**0.5]]))
    torch.testing.assert_close(mix(x, y, 0.8), torch.tensor([[0.8, 0.2]]) / 0.68**0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "speech_continuation"}, "clap is for music_continuation"),
        ({"text": {"tokenizer_path": "words", "n_bins": 10}}, "text is a stream of spoken words"),
        ({"clap": {"widht": 16}}, "clap"),
        ({"clap": {"width": 0}}, "clap.width"),
    ],
)
def test_configurations_that_cannot_be_say_why(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_config({**tiny.music(), **change}, "music")

"""Heads of codes, against distributions that are known."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from calm_core.config import AnyHeadConfig, DelayConfig, HeadConfig, RQTransformerConfig
from calm_core.errors import InputError
from calm_core.heads import DiscreteHead, build_head, delay_codes, draw_uniforms, undelay_codes
from calm_core.heads.discrete import choose
from calm_core.nn.packed import pack
from tests.calm_core.tiny import randomise

SHARING: dict[str, dict[str, Any]] = {
    "own": {}, "shared": {"weights_per_level": False}, "tail": {"shared_from": 2},
}  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rq(width: int = 32, **changes: Any) -> RQTransformerConfig:
    sizes = {"d_model": width, "num_heads": 4, "num_layers": 2, "dim_feedforward": 2 * width}
    return RQTransformerConfig(kind="rq_transformer", **{**sizes, **changes})


def build(config: AnyHeadConfig, cond: int = 24, levels: int = 5, codes: int = 11) -> DiscreteHead:
    torch.manual_seed(0)
    head = build_head(config, cond, levels=levels, codebook_size=codes)
    assert isinstance(head, DiscreteHead)
    return head


HEADS = {"delay": DelayConfig(kind="delay"), **{name: rq(**changes) for name, changes in SHARING.items()}}


@pytest.mark.parametrize("name", HEADS)
def test_the_loss_reaches_every_weight_and_leaves_out_what_is_not_judged(name: str) -> None:
    head = build(HEADS[name])
    z, target = torch.randn(7, 24, requires_grad=True), torch.randint(0, 11, (7, 5))
    losses = head.loss(z, target)
    losses.total.backward()
    assert z.grad is not None and all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
    with torch.no_grad():
        chances = head.logits(z, target).log_softmax(-1).gather(-1, target[..., None])[..., 0]
    torch.testing.assert_close(losses.total.detach(), -chances.mean())
    # of the last level only row 0 is left, of the others all
    partly = target.clone()
    partly[1:, 4] = -1
    expected = -(chances[:, :4].mean(0).sum() + chances[0, 4]) / 5
    torch.testing.assert_close(head.loss(z, partly).total.detach(), expected)
    assert head.loss(z, torch.full_like(target, -1)).total == 0


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_draws_what_its_rows_draw(name: str, packed: bool) -> None:
    head = build(HEADS[name], codes=64).requires_grad_(False)
    randomise(head)
    if packed:
        pack(head)
    z = torch.randn(6, 24)
    together = head.sample(z, [generator(s) for s in range(6)], 0.7, 20)
    alone = [head.sample(z[s : s + 1], [generator(s)], 0.7, 20) for s in range(6)]
    assert torch.equal(together, torch.cat(alone))
    assert together.shape == (6, head.noise_width()) and len(together.unique()) > 5


@pytest.mark.parametrize("name", HEADS)
def test_level_by_level_is_the_whole_at_once(name: str) -> None:
    head = build(HEADS[name]).requires_grad_(False)
    randomise(head)
    z = torch.randn(9, 24)
    coldest = head.sample(z, generator(), temperature=0.0)
    assert torch.equal(head.logits(z, coldest).argmax(-1), coldest)
    # every level's draw is the one that its logits behind the levels before it lead to
    uniforms = draw_uniforms(9, 5, generator())
    codes = head.sample_from(z, uniforms, 0.8, 6)
    logits = head.logits(z, codes)
    for level in range(5):
        assert torch.equal(choose(logits[:, level], uniforms[:, level], 0.8, 6), codes[:, level])


def test_levels_hear_those_before_them_and_no_others() -> None:
    for name in SHARING:
        head = build(HEADS[name]).requires_grad_(False)
        randomise(head)
        z, codes = torch.randn(1, 24), torch.randint(0, 11, (1, 5))
        before = head.logits(z, codes)
        for level in range(5):
            other = codes.clone()
            other[:, level] = (other[:, level] + 1) % 11
            changed = (head.logits(z, other) != before).any(-1)[0]
            assert changed.tolist() == [later > level for later in range(5)]


def test_draws_have_the_tempered_and_truncated_probabilities() -> None:
    logits = torch.tensor([2.0, -1.0, 1.0, 0.5, 1.5])
    rows, uniforms = logits.expand(40_000, -1), torch.rand(40_000, generator=generator())
    for temperature, top_k in ((1.0, None), (0.6, None), (1.0, 3), (0.6, 2), (2.0, 9)):
        drawn = torch.bincount(choose(rows, uniforms, temperature, top_k), minlength=5) / 40_000
        kept = sorted(range(5), key=lambda i: -float(logits[i]))[: top_k or 5]
        weight = {i: math.exp(float(logits[i]) / temperature) for i in kept}
        expected = torch.tensor([weight.get(i, 0.0) / sum(weight.values()) for i in range(5)])
        assert (drawn - expected).abs().max() < 0.01
        assert (drawn[expected == 0] == 0).all()
    assert choose(rows[:3], uniforms[:3], 0.0).tolist() == [0, 0, 0]


def test_the_ends_of_the_unit_interval_are_codes_with_mass() -> None:
    logits = torch.full((2, 2048), float("-inf"))
    logits[:, 100:1900] = torch.randn(1800, generator=generator())
    ends = torch.tensor([0.0, 1.0 - 2.0**-24])
    assert choose(logits, ends).tolist() == [100, 1899]


def truth(levels: int, codes: int) -> Tensor:
    """p(q0, q1, q2 | condition): two conditions, every level hangs on all before it. [2, V, V, V]."""
    raw = 1.5 * torch.randn(2, *[codes] * levels, generator=generator(3))
    return raw.flatten(1).softmax(-1).view(2, *[codes] * levels)


def train(head: DiscreteHead, table: Tensor, steps: int, rate: float) -> None:
    levels, codes, draws = head.levels, head.codebook_size, generator()
    frames = torch.tensor(list(itertools.product(range(codes), repeat=levels)))
    optimizer = torch.optim.Adam(head.parameters(), rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    for _ in range(steps):
        picked = table.flatten(1).multinomial(256, replacement=True, generator=draws)
        z = torch.eye(2).repeat_interleave(256, 0)
        optimizer.zero_grad()
        head.loss(z, frames[picked.flatten()]).total.backward()
        optimizer.step()
        schedule.step()


def probabilities(head: DiscreteHead) -> Tensor:
    """What the head draws, by multiplying its levels out: [2, V, V, V]."""
    levels, codes = head.levels, head.codebook_size
    frames = torch.tensor(list(itertools.product(range(codes), repeat=levels)))
    with torch.no_grad():
        chances = [
            head.logits(z.expand(len(frames), -1), frames).softmax(-1).gather(-1, frames[..., None])[..., 0].prod(-1)
            for z in torch.eye(2)
        ]
    return torch.stack(chances).view(2, *[codes] * levels)


def variation(p: Tensor, q: Tensor) -> float:
    """Total variation, the worse of the two conditions."""
    return 0.5 * (p - q).abs().flatten(1).sum(1).max().item()


@pytest.mark.parametrize("sharing", ["own", "shared"])
def test_an_rq_transformer_finds_levels_that_depend_on_each_other(sharing: str) -> None:
    table = truth(3, 4)
    head = build(rq(num_layers=1, **SHARING[sharing]), cond=2, levels=3, codes=4)
    train(head, table, 200, 5e-3)
    assert variation(probabilities(head), table) < 0.07  # 0.5 when levels are taken for independent
    drawn = head.sample(torch.eye(2).repeat_interleave(20_000, 0), generator())
    index = (drawn * torch.tensor([16, 4, 1])).sum(-1).view(2, -1)
    counts = torch.stack([torch.bincount(row, minlength=64) for row in index]) / 20_000
    assert variation(counts.view(2, 4, 4, 4), table) < 0.09


def test_delay_finds_the_levels_and_cannot_find_what_joins_them_at_one_step() -> None:
    """The levels that one z gives are drawn apart: the best it can do is the product of their marginals."""
    table = truth(3, 4)
    alone = [table.sum([d for d in (1, 2, 3) if d != 1 + level]) for level in range(3)]
    product = torch.einsum("ca,cb,cd->cabd", *alone)
    head = build(DelayConfig(kind="delay"), cond=2, levels=3, codes=4)
    train(head, table, 200, 0.1)
    assert variation(probabilities(head), product) < 0.04
    apart = variation(product, table)
    assert apart > 0.3 and variation(probabilities(head), table) > apart - 0.04
    assert head.delays == (0, 1, 2)


def test_delayed_codes_are_what_the_picture_shows_and_come_back() -> None:
    codes = torch.tensor([[[1, 4, 7], [2, 5, 8], [3, 6, 9]]])
    late = delay_codes(codes, (0, 1, 2), -1)
    assert late[0].T.tolist() == [[1, 2, 3, -1, -1], [-1, 4, 5, 6, -1], [-1, -1, 7, 8, 9]]
    assert torch.equal(undelay_codes(late, (0, 1, 2)), codes)
    some = torch.randint(0, 9, (2, 6, 4))
    assert torch.equal(undelay_codes(delay_codes(some, (0, 3, 1, 2), 9), (0, 3, 1, 2)), some)
    assert torch.equal(delay_codes(some, (0,) * 4, 9), some)


def test_a_head_that_does_not_fit_its_codec_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"lsd.*latents.*codes"):
        build_head(HeadConfig(kind="lsd", channels=8, depth=1), 4, levels=8, codebook_size=16)
    with pytest.raises(InputError, match=r"delay.*codes.*latents"):
        build_head(DelayConfig(kind="delay"), 4, latent_dim=8)


def test_the_papers_head_has_the_weights_that_the_configuration_says() -> None:
    with torch.device("meta"):
        head = build_head(
            rq(1024, num_heads=16, num_layers=6, dim_feedforward=4096), 2560, levels=8, codebook_size=2048
        )
    assert sum(p.numel() for p in head.parameters()) == pytest.approx(656e6, rel=0.001)

import pytest
import torch

from calm_core.heads import HEADS, draw_noise
from calm_core.heads.drifting import drift
from calm_core.heads.lsd import LSDHead
from calm_core.nn.packed import pack
from tests.calm_core.tiny import randomise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", HEADS)
def test_the_loss_reaches_every_weight_and_repeats_with_its_seed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LSDHead, "off_diagonal_probability", 1.0)
    torch.manual_seed(0)
    head = HEADS[kind](6, 10, 16, 2)
    randomise(head)
    z, target = torch.randn(12, 10, requires_grad=True), torch.randn(12, 6)
    first = head.loss(z, target, generator())
    assert torch.equal(first.total, head.loss(z, target, generator()).total)
    assert not torch.equal(first.total, head.loss(z, target, generator(1)).total)
    first.total.backward()
    assert z.grad is not None and z.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize("kind", HEADS)
def test_autocast_changes_the_loss_little_and_its_tangents_not_at_all(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LSDHead, "off_diagonal_probability", 1.0)
    head = HEADS[kind](6, 10, 16, 2)
    randomise(head)
    z, target = torch.randn(8, 10), torch.randn(8, 6)
    plain = head.loss(z, target, generator())
    with torch.autocast("cpu", torch.bfloat16):
        cast = head.loss(z, target, generator())
    assert cast.total.dtype == torch.float32
    torch.testing.assert_close(plain.total, cast.total, rtol=0.02, atol=0.0)
    if kind == "lsd":
        assert torch.equal(plain.parts["lsd"], cast.parts["lsd"])


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_a_batch_draws_what_its_rows_draw(kind: str, clamp: float | None) -> None:
    head = HEADS[kind](6, 10, 16, 2)
    randomise(head)
    z = torch.randn(3, 10)
    together = head.sample(z, [generator(s) for s in range(3)], 0.7, 2, clamp)
    alone = torch.cat([head.sample(z[s : s + 1], [generator(s)], 0.7, 2, clamp) for s in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [kind for kind, head in HEADS.items() if head.num_times])
@pytest.mark.parametrize("rows", [1, 5, 20])
def test_times_known_before_are_evaluated_as_they_are_one_by_one(kind: str, rows: int) -> None:
    head = HEADS[kind](6, 10, 16, 2).requires_grad_(False)
    randomise(head)
    z, x = torch.randn(rows, 10), torch.randn(rows, 6)
    times = [(0.1 * i, 0.05 + 0.1 * i)[: head.num_times] for i in range(14)]
    found = [evaluate(x) for evaluate in head.net.evaluations(z, times)]
    expected = [head.net(z, tuple(torch.full((1, 1), t) for t in at), x) for at in times]
    torch.testing.assert_close(torch.stack(found), torch.stack(expected))


@pytest.mark.parametrize("kind", [kind for kind, head in HEADS.items() if head.num_times])
@pytest.mark.parametrize("rounded", [False, True])
def test_a_packed_head_draws_the_same_bits_alone_and_in_company(kind: str, rounded: bool) -> None:
    head = HEADS[kind](32, 64, 64, 2).requires_grad_(False)
    randomise(head)
    head.drop_training_parts()
    pack(head, rounded)
    z = torch.randn(5, 64)
    together = head.sample(z, [generator(s) for s in range(5)], 0.7, 4)
    alone = [head.sample(z[s : s + 1], [generator(s)], 0.7, 4) for s in range(5)]
    assert torch.equal(together, torch.cat(alone))


def test_temperature_is_the_variance_and_the_clamp_truncates() -> None:
    noise = draw_noise(1, 100_000, generator(), temperature=0.25)
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    clamped = draw_noise(1, 100_000, generator(), temperature=1.0, clamp=0.8)
    assert clamped.abs().max() <= 0.8
    # Truncated, not piled up at the limit.
    assert (clamped.abs() > 0.799).float().mean() < 0.01
    assert draw_noise(2, 4, generator(), temperature=0.0, clamp=1.0).abs().max() == 0


def test_the_jvp_of_the_lsd_head_is_the_derivative_in_its_second_time() -> None:
    head = LSDHead(4, 6, 16, 2).double()
    randomise(head)
    z, x = torch.randn(5, 6).double(), torch.randn(5, 4).double()
    s, t = torch.full((5, 1), 0.2).double(), torch.full((5, 1), 0.7).double()
    slope = torch.func.jvp(lambda to: head.net(z, (s, to), x), (t,), (torch.ones_like(t),))[1]
    step = 1e-5
    difference = (head.net(z, (s, t + step), x) - head.net(z, (s, t - step), x)) / (2 * step)
    torch.testing.assert_close(slope, difference, atol=1e-6, rtol=1e-5)


def test_drift_pulls_towards_data_and_vanishes_when_draws_lie_on_it() -> None:
    data = torch.zeros(1, 1, 2)
    away = torch.tensor([[[1.0, 0.0], [1.2, 0.1], [0.9, -0.1]]])
    pull = drift(away, data, (0.3,))
    assert (pull[..., 0] < 0).all()
    assert drift(torch.zeros(1, 3, 2), data, (0.3,)).abs().max() < 1e-6

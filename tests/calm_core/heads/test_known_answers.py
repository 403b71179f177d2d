"""Heads against distributions and solutions that are known."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from torch import Tensor, nn

from calm_core.heads import HEADS, Head
from calm_core.heads.consistency import ConsistencyHead
from calm_core.heads.diffusion import Schedule
from calm_core.heads.trigflow import NOISE, TrigFlowHead
from tests.calm_core.tiny import randomise

STEPS = 400


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Of the last two conditions: mean and covariance.
MEANS = torch.tensor([[0.6, -0.4], [-0.6, 0.2]])
COVARIANCES = torch.tensor([[[0.5, 0.3], [0.3, 0.4]], [[0.4, -0.3], [-0.3, 0.6]]])


def four_distributions(which: Tensor, draws: torch.Generator) -> Tensor:
    """Points [N, 2]: two clouds on one diagonal (0) or on the other (1), or the Gaussians of `MEANS` (2, 3)."""
    noise = torch.randn(which.shape[0], 2, generator=draws)
    side = torch.randint(0, 2, (which.shape[0], 1), generator=draws) * 2.0 - 1.0
    centres = torch.cat([side, torch.where(which[:, None] == 0, side, -side)], 1)
    shape = torch.linalg.cholesky(COVARIANCES)[which % 2]
    gaussian = MEANS[which % 2] + (shape @ noise[..., None])[..., 0]
    return torch.where(which[:, None] < 2, 0.98 * centres + 0.2 * noise, gaussian)


def energy_distance(a: Tensor, b: Tensor) -> float:
    """0 for the same distribution; here 0.001 between two draws of the truth and 1.2 from its mean."""
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


@functools.cache
def trained(kind: str) -> Head:
    """A head after a short training on all four, each with a condition of its own."""
    torch.manual_seed(0)
    draws = generator()
    head = HEADS[kind](2, 4, 64, 2)
    optimizer = torch.optim.Adam(head.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, STEPS)
    for step in range(STEPS):
        which = torch.randint(0, 4, (320,), generator=draws)
        head.at_step(step, STEPS)
        optimizer.zero_grad()
        head.loss(torch.eye(4)[which], four_distributions(which, draws), draws).total.backward()
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return head.requires_grad_(False)


@pytest.mark.parametrize(
    ("kind", "steps", "bound"),
    [
        ("lsd", 1, 0.05), ("consistency", 1, 0.12), ("trigflow", 50, 0.02), ("flow_matching", 50, 0.04),
        ("diffusion", 100, 0.04),
    ],
)  # fmt: skip
def test_a_short_training_finds_the_clouds_of_each_condition(kind: str, steps: int, bound: float) -> None:
    draws = generator(1)
    for condition in range(2):
        which = torch.full((1000,), condition)
        samples = trained(kind).sample(torch.eye(4)[which], draws, 1.0, steps)
        assert energy_distance(samples, four_distributions(which, draws)) < bound
        others = energy_distance(samples, four_distributions(1 - which, draws))
        assert others > 0.3  # the other condition's are elsewhere


@pytest.mark.parametrize(
    ("kind", "steps", "bound"),
    [
        # One jump of LSD is still blurred after so short a training, by up to 0.3; the means alone would be 0.5 off.
        ("lsd", 1, 0.45), ("lsd", 2, 0.2), ("consistency", 1, 0.25), ("trigflow", 50, 0.1), ("flow_matching", 50, 0.1),
        ("diffusion", 100, 0.1),
    ],
)  # fmt: skip
def test_a_short_training_finds_mean_and_covariance_of_each_condition(kind: str, steps: int, bound: float) -> None:
    """Between the two conditions the means lie 1.2 apart and the covariances 0.6."""
    for condition in range(2):
        samples = trained(kind).sample(torch.eye(4)[2 + condition].expand(2000, -1), generator(1), 1.0, steps)
        assert (samples.mean(0) - MEANS[condition]).abs().max() < bound
        assert (samples.T.cov() - COVARIANCES[condition]).abs().max() < bound


def test_a_consistency_head_leaves_data_alone() -> None:
    head = ConsistencyHead(4, 6, 16, 2)
    randomise(head)
    z, x = torch.randn(5, 6), torch.randn(5, 4)
    assert torch.equal(head.answer(z, x, torch.zeros(5, 1)), x)


def test_the_tangent_is_the_slope_of_the_answer_along_the_path() -> None:
    head = ConsistencyHead(4, 6, 16, 2).double()
    randomise(head)
    z, x, velocity = (torch.randn(5, n).double() for n in (6, 4, 4))
    t = torch.linspace(0.1, 1.4, 5).double()[:, None]
    step = 1e-6
    after = head.answer(z, x + step * velocity, t + step)
    before = head.answer(z, x - step * velocity, t - step)
    expected = torch.cos(t) * (after - before) / (2 * step)
    torch.testing.assert_close(head.tangent(z, x, t, velocity), expected, atol=1e-7, rtol=1e-6)
    # without the consistency term it is the step of velocity matching
    matching = -(torch.cos(t) ** 2) * (head.net(z, (t,), x) - velocity)
    torch.testing.assert_close(head.tangent(z, x, t, velocity, share=0.0), matching)


class Known(nn.Module):
    """A network with an answer that is known, in place of a head's own."""

    def evaluations(self, z: Tensor, times: Sequence[Sequence[float]]) -> Iterator[Callable[[Tensor], Tensor]]:
        for at in times:
            yield functools.partial(self, z, tuple(torch.full((1, 1), t) for t in at))


class Standing(Known):
    """F of normal data, whose paths stand still: f(x, t) = x."""

    def forward(self, z: Tensor, times: tuple[Tensor], x: Tensor) -> Tensor:
        return -torch.tan(times[0] / 2) * x


def test_normal_data_is_a_fixed_point_of_consistency_at_any_number_of_steps() -> None:
    head = ConsistencyHead(3, 2, 8, 1)
    head.net = Standing()  # type: ignore[assignment]
    z, x = torch.zeros(6, 2), torch.randn(6, 3)
    t = torch.linspace(0.05, 1.5, 6)[:, None]
    torch.testing.assert_close(head.answer(z, x, t), x)
    # the velocity that normal data has on average is 0, and so is the tangent then
    assert head.tangent(z, x, t, torch.zeros_like(x)).abs().max() < 1e-6
    torch.testing.assert_close(head.sample_from(z, x, 1), x)
    many = head.sample(torch.zeros(20_000, 2), generator(), 1.0, 4)
    assert many.std().item() == pytest.approx(1.0, rel=0.02)


def test_the_consistency_term_comes_in_step_by_step() -> None:
    head = ConsistencyHead(3, 2, 8, 1)
    shares = []
    for step, steps in ((0, 40_000), (5_000, 40_000), (30_000, 40_000), (250, 1_000), (0, 1)):
        head.at_step(step, steps)
        shares.append(head.share)
    assert shares == [0.0, 0.5, 1.0, 0.5, 0.0]


def test_trigflow_turns_along_a_known_circle() -> None:
    """Data that is one point, c: F = cos(t) noise - sin(t) c leads from any noise to c in any number of steps."""

    class Circle(Known):
        def forward(self, z: Tensor, times: tuple[Tensor], x: Tensor) -> Tensor:
            t = times[0].clamp(min=1e-6)
            noise = (x - torch.cos(t) * 0.7) / torch.sin(t)
            return torch.cos(t) * noise - torch.sin(t) * 0.7

    head = TrigFlowHead(3, 2, 8, 1)
    head.net = Circle()  # type: ignore[assignment]
    for steps in (1, 2, 7, 50):
        found = head.sample_from(torch.zeros(4, 2), torch.randn(4, 3), steps)
        torch.testing.assert_close(found, torch.full((4, 3), 0.7), atol=1e-4, rtol=0)
    assert math.pi / 2 == NOISE


@pytest.mark.parametrize("kind", ["lsd", "flow_matching"])
def test_straight_lines_to_one_point_are_the_same_walk_in_any_number_of_steps(kind: str) -> None:
    """Data that is one point, c: x_t = (1 - t) noise + t c, whose velocity c - noise never changes."""

    class Line(Known):
        def forward(self, z: Tensor, times: tuple[Tensor, ...], x: Tensor) -> Tensor:
            return (0.7 - x) / (1 - times[0])

    head = HEADS[kind](3, 2, 8, 1)
    head.net = Line()  # type: ignore[assignment]
    for steps in (1, 2, 7, 50):
        found = head.sample_from(torch.zeros(4, 2), torch.randn(4, 3), steps)
        torch.testing.assert_close(found, torch.full((4, 3), 0.7), atol=1e-4, rtol=0)


def test_the_cosine_schedule_keeps_what_its_authors_say() -> None:
    schedule = Schedule.cosine(1000)
    expected = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (0, 1, 501)]
    assert schedule.abar[0].item() == pytest.approx(expected[1] / expected[0])
    assert schedule.abar[500].item() == pytest.approx(expected[2] / expected[0])
    assert schedule.beta.max() <= 0.999 and (schedule.beta > 0).all()
    # the mean of a step weighs data and noisy point so that a noiseless point stays on its path
    x0, at = torch.tensor([[1.3]], dtype=torch.float64), 500
    on_path = schedule.abar[at].sqrt() * x0
    torch.testing.assert_close(schedule.mean(x0, on_path, at), schedule.abar[at - 1].sqrt() * x0)

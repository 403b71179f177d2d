"""Consistency distillation: a head of one step from a TrigFlow head of many."""

import torch

from calm_core.heads import HEADS
from calm_core.heads.consistency import ConsistencyHead
from calm_core.heads.trigflow import TrigFlowHead

DIM, COND, ROWS = 2, 4, 256


def drawn(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Conditions, and data near either of two points that each of them names."""
    z = torch.randn(ROWS, COND, generator=generator)
    side = torch.where(torch.rand(ROWS, 1, generator=generator) < 0.5, -1.0, 1.0)
    return z, side * torch.tanh(z[:, :DIM]) + 0.1 * torch.randn(ROWS, DIM, generator=generator)


def trained(head: TrigFlowHead, steps: int, generator: torch.Generator) -> None:
    optimizer = torch.optim.Adam(head.parameters(), lr=3e-3)
    for step in range(steps):
        head.at_step(step, steps)
        optimizer.zero_grad()
        head.loss(*drawn(generator), generator).total.backward()
        optimizer.step()


def test_one_step_comes_near_the_many_of_its_teacher() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    teacher = HEADS["trigflow"](DIM, COND, 32, 2)
    assert isinstance(teacher, TrigFlowHead)
    trained(teacher, 400, generator)
    pupil = HEADS["consistency"](DIM, COND, 32, 2)
    assert isinstance(pupil, ConsistencyHead)
    pupil.net.load_state_dict(teacher.net.state_dict())
    names = set(pupil.state_dict())
    pupil.learn_from_itself()
    z, noise = torch.randn(ROWS, COND, generator=generator), torch.randn(ROWS, DIM, generator=generator)

    @torch.no_grad()
    def error() -> float:
        far = teacher.sample_from(z, noise, 64) - pupil.sample_from(z, noise, 1)
        return float(far.square().mean())

    before = error()
    trained(pupil, 600, generator)
    assert error() < 0.4 * before
    assert set(pupil.state_dict()) == names, "the teacher's weights are none of the head's"
    for mine, kept in zip(teacher.net.parameters(), pupil._teacher[0].parameters(), strict=True):
        assert torch.equal(mine, kept) and kept.grad is None

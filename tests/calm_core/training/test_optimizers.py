"""Which optimizer takes which parameter, what a step of Muon is, and its state in checkpoints."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from calm_core.training import checkpoint
from calm_core.training.muon import Muon
from calm_core.training.optimizers import build_optimizers, parameter_groups
from calm_core.training.recipes import Schedule

RATE = 1e-2


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.hidden, self.out = nn.Embedding(40, 32), nn.Linear(32, 32), nn.Linear(32, 1)

    def forward(self, rows: Tensor) -> Tensor:
        return self.out(torch.tanh(self.hidden(self.table(rows)))).squeeze(-1)


def build(optimizer: str, **values: object) -> tuple[Net, dict[str, torch.optim.Optimizer]]:
    torch.manual_seed(0)
    net = Net()
    schedule = Schedule.model_validate(
        {"steps": 9, "batch": 1, "learning_rate": RATE, "optimizer": optimizer, "weight_decay": 0.0, **values}
    )
    return net, build_optimizers(net, parameter_groups(net, schedule), schedule)


def step(net: Net, optimizers: dict[str, torch.optim.Optimizer], seed: int) -> None:
    rows = torch.randint(40, (64,), generator=torch.Generator().manual_seed(seed))
    net.zero_grad()
    (net(rows) - rows.float() / 40).square().mean().backward()
    for optimizer in optimizers.values():
        optimizer.step()


def test_muon_takes_hidden_matrices_and_adamw_the_rest() -> None:
    net, optimizers = build("muon", weight_decay=0.1)
    assert optimizers.keys() == {"optimizer", "muon"}
    (matrices,) = optimizers["muon"].param_groups
    assert [p is net.hidden.weight for p in matrices["params"]] == [True]
    assert matrices["weight_decay"] == 0.1 and matrices["peak_lr"] == RATE
    kept = [(g["weight_decay"], len(g["params"])) for g in optimizers["optimizer"].param_groups]
    assert kept == [(0.1, 2), (0.0, 2)]  # table and thin output; two biases
    assert build("adamw")[1].keys() == {"optimizer"}


def test_a_step_of_muon_is_as_long_in_every_direction() -> None:
    net, optimizers = build("muon")
    before = net.hidden.weight.detach().clone()
    step(net, optimizers, 0)
    moved = torch.linalg.svdvals(before - net.hidden.weight.detach()) / (RATE * 0.2 * 32**0.5)
    # Five Newton-Schulz steps bring every singular value of the gradient that is not tiny to between 0.7 and 1.2.
    assert float(moved[:16].min()) > 0.5 and float(moved.max()) < 1.3


@pytest.mark.parametrize("shape", [(48, 32), (32, 48)])
def test_muon_steps_as_torchs_does(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
    muon = Muon([ours], RATE, 0.95, 0.1)
    reference = torch.optim.Muon([theirs], RATE, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        before = theirs.detach().clone()
        muon.step()
        reference.step()
        # torch's multiplies in bfloat16
        assert (ours - theirs).norm() < 0.02 * (theirs - before).norm()
        with torch.no_grad():
            ours.copy_(theirs)


def test_muon_refuses_what_is_no_matrix_and_leaves_what_has_no_gradient() -> None:
    with pytest.raises(ValueError, match=r"\(3,\)"):
        Muon([nn.Parameter(torch.ones(3))])
    still, zero = (nn.Parameter(torch.ones(32, 32)) for _ in range(2))
    zero.grad = torch.zeros(32, 32)
    Muon([still, zero]).step()
    assert torch.equal(still, zero) and torch.equal(still, torch.ones(32, 32))


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_checkpoint_keeps_the_state_of_every_optimizer(tmp_path: Path, kind: str) -> None:
    net, optimizers = build(kind)
    step(net, optimizers, 0)
    checkpoint.save(tmp_path, 1, {"net": net}, optimizers, {})
    other, restored = build(kind)
    checkpoint.load(tmp_path, {"net": other}, restored)
    for each, every in ((net, optimizers), (other, restored)):
        step(each, every, 1)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))

"""The common trainer and its loop: accumulation, order, schedules, and runs that go wrong."""

import contextlib
import json
import os
import pty
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from calm_core.errors import InputError
from calm_core.training import checkpoint
from calm_core.training.guard import LossGuard
from calm_core.training.loop import run
from calm_core.training.progress import Progress, duration
from calm_core.training.recipes import Schedule
from calm_core.training.schedule import BucketedOrder, count_shares, learning_rate, step_generator
from calm_core.training.trainer import LossTrainer
from calm_core.types import Losses

TARGET = torch.randn(32, generator=torch.Generator().manual_seed(1))


class Fit(nn.Module):
    """A line through points; `scale` multiplies the loss of row 13."""

    def __init__(self, spoilt: float = 1.0):
        super().__init__()
        self.line, self.spoilt, self.spoilt_from, self.calls = nn.Linear(3, 1), spoilt, 0, 0

    def forward(self, batch: tuple[Tensor, Tensor], generator: torch.Generator) -> Losses:
        rows, points = batch
        errors = (self.line(points).squeeze(-1) - TARGET[rows]).square()
        self.calls += 1
        factor = self.spoilt if self.calls > self.spoilt_from else 1.0
        loss = torch.where(rows == 13, factor, 1.0).mul(errors).mean()
        return Losses(loss, {"square": loss.detach()})


class FitTrainer(LossTrainer):
    def __init__(self, folder: Path, spoilt: float = 1.0, **schedule: object):
        values = {"steps": 6, "batch": 8, "learning_rate": 0.1, "warmup": 0, "bf16": False, "log_every": 1, **schedule}
        super().__init__(Schedule.model_validate(values), folder, Accelerator(cpu=True))
        torch.manual_seed(0)
        self.points = torch.randn(32, 3)
        self.build(Fit(spoilt), torch.arange(32))

    def batch(self, rows: list[int], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return torch.tensor(rows), self.points[rows]

    def row_id(self, row: int) -> str:
        return f"point {row}"

    def evaluate(self, step: int) -> dict[str, float]:
        return {"weight": self.model.line.weight.sum().item()}  # type: ignore[union-attr, operator]

    def export(self, step: int) -> None:
        (self.folder / "exported").write_text(str(step))


def weights(trainer: FitTrainer) -> list[Tensor]:
    return [p.detach().clone() for p in (*trainer.model.parameters(), *trainer.ema.average.parameters())]


@pytest.mark.parametrize("accumulate", [2, 4, 8])
def test_parts_of_a_batch_add_up_to_the_batch(tmp_path: Path, accumulate: int) -> None:
    whole, parts = FitTrainer(tmp_path / "a"), FitTrainer(tmp_path / "b", accumulate=accumulate)
    for step in range(6):
        values = [t.step(step, step_generator(0, step)) for t in (whole, parts)]
        for name in values[0]:
            torch.testing.assert_close(values[0][name], values[1][name], rtol=1e-5, atol=1e-6)
    for a, b in zip(weights(whole), weights(parts), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_gradient_is_clipped_and_weights_alone_decay(tmp_path: Path) -> None:
    trainer = FitTrainer(tmp_path, clip=1e-3)
    trainer.step(0, step_generator(0, 0))
    norm = torch.stack([p.grad.norm() for p in trainer.model.parameters() if p.grad is not None]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)
    decays = {g["weight_decay"]: [p.ndim for p in g["params"]] for g in trainer.optimizers["optimizer"].param_groups}
    assert decays == {0.01: [2], 0.0: [1]}


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    straight = FitTrainer(tmp_path / "a", final_learning_rate=0.1)
    run(straight, straight.accelerator, resume=False)
    half = FitTrainer(tmp_path / "b", final_learning_rate=0.1, steps=3)
    run(half, half.accelerator, resume=False)
    resumed = FitTrainer(tmp_path / "b", final_learning_rate=0.1)
    run(resumed, resumed.accelerator, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(weights(straight), weights(resumed), strict=True))
    lines = [(tmp_path / name / "curves.csv").read_text().splitlines() for name in ("a", "b")]
    losses = [[line for line in each if ",square," in line] for each in lines]
    assert losses[0] == losses[1] and len(losses[0]) == 6
    assert (tmp_path / "b" / "exported").read_text() == "6"


def test_checkpoints_of_the_first_trainer_still_load(tmp_path: Path) -> None:
    """Their optimizer states are `index.name` and their modules plain state dicts."""
    trainer = FitTrainer(tmp_path)
    trainer.step(0, step_generator(0, 0))
    state = trainer.optimizers["optimizer"].state_dict()["state"]
    flat = {f"{i}.{n}": torch.as_tensor(v) for i, values in state.items() for n, v in values.items()}
    (tmp_path / "old").mkdir()
    checkpoint.write_tensors(tmp_path / "old" / "model-1.safetensors", trainer.model.state_dict())
    checkpoint.write_tensors(tmp_path / "old" / "ema-1.safetensors", trainer.ema.average.state_dict())
    checkpoint.write_tensors(tmp_path / "old" / "optimizer-1.optimizer.safetensors", flat)
    (tmp_path / "old" / "checkpoint.json").write_text('{"step": 1, "seconds": 2.5}')
    other = FitTrainer(tmp_path)
    assert checkpoint.load(tmp_path / "old", other.modules, other.optimizers) == (1, {"seconds": 2.5})
    for t in (trainer, other):
        t.step(1, step_generator(0, 1))
    assert all(torch.equal(a, b) for a, b in zip(weights(trainer), weights(other), strict=True))


@pytest.mark.parametrize(
    ("spoilt", "words"), [(float("nan"), "square is not finite at step"), (1e6, "square exploded: it is")]
)
def test_a_loss_that_goes_wrong_stops_the_run(tmp_path: Path, spoilt: float, words: str) -> None:
    run(FitTrainer(tmp_path, steps=3), Accelerator(cpu=True), resume=False)
    before = (tmp_path / "checkpoint" / "model-3.safetensors").read_bytes()
    # From here on every batch holds row 13.
    trainer = FitTrainer(tmp_path, spoilt, steps=200, batch=32, explosion_steps=1, clip=1e9)
    assert isinstance(trainer.model, Fit)
    if spoilt == 1e6:
        trainer.model.spoilt_from = 60  # when the guard knows what is usual
    with pytest.raises(InputError, match=words) as error:
        run(trainer, trainer.accelerator, resume=True)
    said = str(error.value)
    assert "point 13" in said or "16 more" in said
    assert f"the last good checkpoint is {tmp_path / 'checkpoint'} of step 3" in said
    assert (tmp_path / "checkpoint" / "model-3.safetensors").read_bytes() == before
    assert json.loads((tmp_path / "checkpoint" / "checkpoint.json").read_text())["step"] == 3


def test_the_guard_waits_for_a_habit_and_forgives_a_spike() -> None:
    guard = LossGuard(ratio=10, patience=3, window=50)
    assert not any(guard.look(1000.0) for _ in range(9))  # too early to know what is usual
    guard = LossGuard(ratio=10, patience=3, window=50)
    assert not any(guard.look(1.0 + 0.01 * i) for i in range(50))
    assert [guard.look(v) for v in (50.0, 50.0, 2.0, 50.0, 50.0)] == [False] * 5 and not guard.calm
    assert guard.look(50.0) and guard.usual == pytest.approx(1.255, abs=0.02)


def test_every_row_is_seen_once_an_epoch_beside_rows_of_its_length() -> None:
    lengths = torch.randint(10, 400, (103,), generator=torch.Generator().manual_seed(0))
    order = BucketedOrder(lengths, batch=4, seed=3)
    epoch = [order.rows(step) for step in range(25)]
    seen = sorted(row for rows in epoch for row in rows)
    assert len(set(seen)) == 100 and order.batches == 25
    spread = [int(lengths[rows].max() - lengths[rows].min()) for rows in epoch]
    assert sum(spread) / 25 < 0.35 * int(lengths.max() - lengths.min())
    assert [order.rows(s) for s in (24, 3, 26)] == [epoch[24], epoch[3], BucketedOrder(lengths, 4, 3).rows(26)]
    assert {tuple(order.rows(25 + s)) for s in range(25)} != {tuple(rows) for rows in epoch}
    assert sorted(set(BucketedOrder(lengths[:3], batch=8, seed=0).rows(5))) == [0, 1, 2]
    with pytest.raises(InputError, match="no rows"):
        BucketedOrder(lengths[:0], 4, 0)


def test_the_stable_schedule_is_flat_and_then_falls_like_one_minus_a_root() -> None:
    schedule = Schedule.model_validate(
        {"steps": 100, "batch": 1, "learning_rate": 1.0, "final_learning_rate": 0.2, "warmup": 10, "decay": "wsd"}
    )
    assert [learning_rate(schedule, s) for s in (0, 10, 50, 80)] == pytest.approx([0.1, 1, 1, 1])
    assert learning_rate(schedule, 85) == pytest.approx(0.6)  # a quarter into the decay: 1 - sqrt(1/4)
    assert learning_rate(schedule, 100) == pytest.approx(0.2)


def test_shares_must_divide() -> None:
    schedule = Schedule.model_validate({"steps": 1, "batch": 12, "learning_rate": 1.0})
    assert count_shares(schedule, 1) == 1 and count_shares(schedule, 4) == 4
    six = schedule.model_copy(update={"accumulate": 6})
    assert count_shares(six, 3) == 6
    with pytest.raises(InputError, match="multiple of 4"):
        count_shares(six, 4)
    with pytest.raises(InputError, match="12, which does not fall into 5"):
        count_shares(schedule, 5)


def test_times_are_told_in_two_units() -> None:
    assert [duration(s) for s in (7.4, 61, 7322)] == ["7 s", "1 min 01 s", "2 h 02 min"]


def test_a_terminal_sees_a_bar_and_a_file_sees_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def use(shown: bool = True) -> None:
        progress = Progress(10, 4, shown)
        progress.advance()
        assert progress.report(5, {"flow": 0.5}) > 0
        progress.note("a [note]")
        progress.close()

    use()
    lines = capsys.readouterr().err
    assert "step 5/10 flow 0.5 | " in lines and "left" in lines and "a [note]" in lines
    use(shown=False)
    assert capsys.readouterr().err == ""
    terminal, end = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with os.fdopen(end, "w", encoding="utf-8") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        use()
    said = b""
    with contextlib.suppress(OSError):  # at the end of what was written
        while part := os.read(terminal, 4096):
            said += part
    os.close(terminal)
    shown = said.decode()
    assert "5/10" in shown and "steps/s" in shown and "a [note]" in shown and "step 5/10" not in shown

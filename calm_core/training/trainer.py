"""What the loop asks of a trainer, and what most trainers have in common."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from calm_core.training.compiled import compile_layers
from calm_core.training.ema import EMA
from calm_core.training.optimizers import build_optimizers, parameter_groups
from calm_core.training.recipes import Schedule
from calm_core.training.schedule import BucketedOrder, count_shares, step_generator


class Trainer:
    """What the loop asks of a trainer.

    Attributes:
        schedule: Steps, learning rate and the rest.
        folder: Of the run.
        modules: What a checkpoint holds, by name.
        optimizers: The same; their groups have a `peak_lr`.
    """

    schedule: Schedule
    folder: Path
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    def step(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """One optimisation step.

        Args:
            step: Counted from 0.
            generator: The same on every process: what draws from it draws for the whole batch, and each process
                then takes its part (`schedule.own_rows`).

        Returns:
            Named scalars for the curves. The first one is watched for explosions.
        """
        raise NotImplementedError

    def batch_ids(self) -> list[str]:
        """Which rows the last step saw on this process, for the message of a run that fails."""
        return []

    def evaluate(self, step: int) -> dict[str, float]:
        """Figures on held-out data; also writes listening samples. Called on the first process alone."""
        raise NotImplementedError

    def export(self, step: int) -> None:
        """Write the model as it will be used. Called on the first process alone."""
        raise NotImplementedError


class LossTrainer(Trainer):
    """A trainer of one module that turns a batch into its loss: optimizer, average, shares, accumulation, clipping.

    A subclass calls `build` at the end of its constructor and says what a batch is.

    Args:
        schedule: Of the recipe.
        folder: Of the run.
        accelerator: `accelerate.Accelerator`.

    Raises:
        InputError: The batch cannot be divided, see `schedule.count_shares`.
    """

    order: BucketedOrder
    model: nn.Module
    ema: EMA

    def __init__(self, schedule: Schedule, folder: Path, accelerator: Any):
        self.schedule, self.folder, self.accelerator = schedule, folder, accelerator
        self.shares = count_shares(schedule, accelerator.num_processes)
        self._seen: list[int] = []

    def build(self, model: nn.Module, lengths: Tensor, groups: list[dict[str, Any]] | None = None) -> None:
        """Take the module that learns.

        Args:
            model: `model(batch, generator)` gives `Losses`; a single forward, so that wrappers see all of it.
            lengths: `[N]`, frames of each row that there is to train on.
            groups: Of the optimizer; those of `parameter_groups` when None.
        """
        self.order = BucketedOrder(lengths, self.schedule.batch, self.schedule.seed)
        self.optimizers = build_optimizers(model, groups or parameter_groups(model, self.schedule), self.schedule)
        self.ema = EMA(model.to(self.accelerator.device), self.schedule.ema)
        self.model = model
        self.modules = {"model": model, "ema": self.ema.average}
        if self.schedule.compile:
            compile_layers(model)
        self.wrapped, *self.steppers = self.accelerator.prepare(model, *self.optimizers.values())

    def batch(self, rows: list[int], generator: torch.Generator) -> Any:
        """The rows with these indices as what the module takes, on the accelerator's device."""
        raise NotImplementedError

    def row_id(self, row: int) -> str:
        """The name of a row."""
        return str(row)

    def before_step(self, step: int) -> None:
        """Called before each step; for what changes during training."""

    def batch_ids(self) -> list[str]:
        """See `Trainer`."""
        return [self.row_id(row) for row in self._seen]

    def step(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """See `Trainer`. Each share draws from a generator of its own."""
        accelerator = self.accelerator
        self.before_step(step)
        rows = self.order.rows(step)
        mine = range(accelerator.process_index, self.shares, accelerator.num_processes)
        self._seen = [row for share in mine for row in rows[share :: self.shares]]
        for optimizer in self.steppers:
            optimizer.zero_grad()
        parts: dict[str, list[Tensor]] = {}
        for share in mine:
            own = step_generator(self.schedule.seed, step, share)
            batch = self.batch(rows[share :: self.shares], own)
            # Gradients travel between processes once a step, with the last share.
            alone = share != mine[-1] and accelerator.num_processes > 1
            with accelerator.no_sync(self.wrapped) if alone else nullcontext():
                with accelerator.autocast():
                    losses = self.wrapped(batch, own)
                accelerator.backward(losses.total / len(mine))
            for name, value in {**losses.parts, "loss": losses.total}.items():
                parts.setdefault(name, []).append(value.detach())
        norm = accelerator.clip_grad_norm_(self.wrapped.parameters(), self.schedule.clip)
        for optimizer in self.steppers:
            optimizer.step()
        self.ema.update(self.model, step)
        means = {name: torch.stack(values).mean() for name, values in parts.items()}
        return {**means, "gradient": norm.detach()}

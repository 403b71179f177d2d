"""The training loop that every trainer shares: step, judge, log, save, evaluate.

Every random draw of step n comes from generators seeded by (recipe seed, n, share), so a resumed run draws what an
uninterrupted one would have drawn, and nothing random needs to be saved.
"""

import contextlib
import importlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from calm_core.errors import InputError
from calm_core.training import checkpoint
from calm_core.training.cost import bf16_notice
from calm_core.training.guard import LossGuard, fault, first_not_finite
from calm_core.training.progress import Curves, Progress
from calm_core.training.recipes import CodecRecipe, read_recipe
from calm_core.training.schedule import learning_rate, step_generator
from calm_core.training.trainer import Trainer

# The trainer of every kind of recipe, imported when it is used.
TRAINERS = {
    "clap": "calm_core.training.clap:ClapTrainer",
    "codec": "calm_core.training.codec:CodecTrainer",
    "continuation": "calm_core.training.continuation:ContinuationTrainer",
    "distillation": "calm_core.training.distill:DistillationTrainer",
    "tts": "calm_core.training.tts:TTSTrainer",
}


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, so that the step in progress ends and is saved.

    A second signal ends the process at once. Elsewhere than in the main thread signals stay as they are.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(*_: object) -> None:
        asked.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _floats(values: dict[str, Tensor]) -> dict[str, float]:
    """Scalars from the device in one transfer."""
    return dict(zip(values, torch.stack([value.float() for value in values.values()]).tolist(), strict=True))


def _add_up(accelerator: Any, numbers: list[float]) -> list[float]:
    """Sums over processes, so that all of them decide alike."""
    if accelerator.num_processes == 1:
        return numbers
    return accelerator.reduce(torch.tensor(numbers, device=accelerator.device), "sum").tolist()


def _gather(accelerator: Any, value: Any) -> list[Any]:
    """One value of every process, on all of them."""
    if accelerator.num_processes == 1:
        return [value]
    from accelerate.utils import gather_object

    return gather_object([value])


class _Window:
    """Values since the last line of the curves, as sums and counts."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}

    def add(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = total + value, count + 1

    def means(self, accelerator: Any) -> dict[str, float]:
        """Means over steps and processes; empties the window."""
        together: dict[str, tuple[float, int]] = {}
        for sums in _gather(accelerator, self.sums):
            for name, (total, count) in sums.items():
                before = together.get(name, (0.0, 0))
                together[name] = before[0] + total, before[1] + count
        self.sums = {}
        return {name: total / count for name, (total, count) in together.items()}


class Run:
    """One run of a trainer; see `run`."""

    def __init__(self, trainer: Trainer, accelerator: Any, resume: bool):
        self.trainer, self.accelerator = trainer, accelerator
        self.main = accelerator.is_main_process
        folder = trainer.folder
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = folder / "checkpoint"
        self.start, self.elapsed = 0, 0.0
        self.saved: int | None = None  # step of the last checkpoint that this run has made or begun with
        if resume:
            self.start, extra = checkpoint.load(self.checkpoint, trainer.modules, trainer.optimizers)
            self.elapsed, self.saved = float(extra.get("seconds", 0.0)), self.start
        elif (self.checkpoint / "checkpoint.json").exists():
            raise InputError(f"{folder} holds a checkpoint; add --resume to go on, or choose another folder.")
        self.guard = LossGuard(trainer.schedule.explosion, trainer.schedule.explosion_steps)
        self.began = self.saved_at = time.monotonic()

    def go(self, asked: threading.Event) -> dict[str, float]:
        """Train until the schedule ends or `asked` is set; returns the last evaluation."""
        schedule = self.trainer.schedule
        curves = Curves(self.trainer.folder) if self.main else None
        progress = Progress(schedule.steps, self.start, self.main)
        figures: dict[str, float] = {}
        window = _Window()
        try:
            for step in range(self.start, schedule.steps):
                self._set_learning_rates(step)
                values = _floats(self.trainer.step(step, step_generator(schedule.seed, step)))
                window.add(values)
                done, last = step + 1, step + 1 == schedule.steps
                stopping, due = self._judge(step, values, asked.is_set())
                progress.advance()
                if done % schedule.log_every == 0 or last:
                    means = window.means(self.accelerator)
                    if curves is not None:
                        curves.add(done, {**means, "steps_per_second": progress.report(done, means)})
                if stopping or last or (due and self.guard.calm):
                    self._save(done)
                if done % schedule.evaluate_every == 0 or last:
                    if curves is not None:
                        figures = self.trainer.evaluate(done)
                        progress.note(f"step {done} evaluation " + " ".join(f"{k} {v:.4g}" for k, v in figures.items()))
                        curves.add(done, {f"valid/{k}": v for k, v in figures.items()})
                    progress.pause()
                if stopping:
                    progress.note(f"stopped after step {done}; --resume goes on from there")
                    break
        finally:
            progress.close()
            if curves is not None:
                curves.close()
        return figures

    def _set_learning_rates(self, step: int) -> None:
        schedule = self.trainer.schedule
        share = learning_rate(schedule, step) / schedule.learning_rate
        for group in (g for o in self.trainer.optimizers.values() for g in o.param_groups):
            group["lr"] = group["peak_lr"] * share

    def _judge(self, step: int, values: dict[str, float], asked: bool) -> tuple[bool, bool]:
        """Whether to stop and whether to save, the same on all processes.

        Raises:
            InputError: A value is not finite, or the loss explodes; on all processes alike.
        """
        bad = first_not_finite(values)
        watched = next(iter(values))
        due = time.monotonic() - self.saved_at > self.trainer.schedule.save_minutes * 60
        flags = [float(bad is not None), float(asked), float(due and self.main), 0.0 if bad else values[watched]]
        broken, stop, save, total = _add_up(self.accelerator, flags)
        loss = total / self.accelerator.num_processes
        reason = None
        if broken:
            names = [name for name in _gather(self.accelerator, bad) if name]
            reason = f"{names[0]} is not finite"
        elif self.guard.look(loss):
            reason = (
                f"{watched} exploded: it is {loss:.4g} and has been above {self.guard.ratio:g} times its usual "
                f"{self.guard.usual:.4g} for {self.guard.streak} steps"
            )
        if reason is not None:
            mine = self.trainer.batch_ids() if bad or not broken else []
            ids = [row for part in _gather(self.accelerator, mine) for row in part]
            raise fault(reason, step, ids, self.checkpoint, self.saved)
        return stop > 0, save > 0

    def _save(self, done: int) -> None:
        seconds = self.elapsed + time.monotonic() - self.began
        trainer = self.trainer
        checkpoint.save(
            self.checkpoint, done, trainer.modules, trainer.optimizers, {"seconds": seconds}, write=self.main
        )
        if self.main:
            trainer.export(done)
        self.saved, self.saved_at = done, time.monotonic()


def run(trainer: Trainer, accelerator: Any, resume: bool) -> dict[str, float]:
    """Train to the end of the schedule, or to a signal, and save; returns the last evaluation.

    Raises:
        InputError: `resume` without a checkpoint, a checkpoint in the folder without `resume`, a value that is not
            finite, or a loss that explodes (the last checkpoint stays as it is).
    """
    with stop_signals() as asked:
        return Run(trainer, accelerator, resume).go(asked)


def train_recipe(path: Path, overrides: list[str], resume: bool) -> dict[str, float]:
    """`calm train RECIPE.yaml [key=value ...] [--resume]`.

    Raises:
        InputError: The recipe is wrong or needs what is not there, before any work; and what `run` raises.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs

    from calm_core.training.check import check

    recipe = read_recipe(path, overrides)
    check(recipe)
    codec = isinstance(recipe, CodecRecipe)
    # A share in which every condition is dropped leaves weights without a gradient.
    wrapping = DistributedDataParallelKwargs(find_unused_parameters=not codec)
    accelerator = Accelerator(mixed_precision="bf16" if recipe.schedule.bf16 else "no", kwargs_handlers=[wrapping])
    notice = bf16_notice(recipe.schedule, accelerator.device)
    if notice is not None and accelerator.is_main_process:
        print(notice, file=sys.stderr, flush=True)
    if accelerator.distributed_type.value == "FSDP" and (codec or not accelerator.is_fsdp2):
        way_out = "train it with DDP" if codec else "give accelerate fsdp_version: 2"
        raise InputError(
            f"FSDP's first version, and FSDP for codecs with their two optimizers, are not used; {way_out}."
        )
    module, _, name = TRAINERS[recipe.kind].partition(":")
    trainer = getattr(importlib.import_module(module), name)(recipe, accelerator)
    return run(trainer, accelerator, resume)

"""The training loop that every trainer shares: evaluate, sample, save, step.

Every random draw of step n comes from a generator seeded by (recipe seed, n, process), so a resumed run draws what an
uninterrupted one would have drawn, and nothing random needs to be saved.
"""

import contextlib
import csv
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from calm_core.errors import InputError
from calm_core.training import checkpoint
from calm_core.training.recipes import CodecRecipe, ContinuationRecipe, DistillationRecipe, Schedule, read_recipe


class Trainer(Protocol):
    """What the loop asks of a trainer."""

    schedule: Schedule
    folder: Path
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    def step(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """One optimisation step; returns named scalars for the curves."""
        ...

    def evaluate(self, step: int) -> dict[str, float]:
        """Figures on held-out data; also writes listening samples."""
        ...

    def export(self, step: int) -> None:
        """Write the model as it will be used."""
        ...


def learning_rate(schedule: Schedule, step: int) -> float:
    """Linear warm-up, then a cosine from `learning_rate` to `final_learning_rate`."""
    if step < schedule.warmup:
        return schedule.learning_rate * (step + 1) / schedule.warmup
    progress = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return schedule.final_learning_rate + (schedule.learning_rate - schedule.final_learning_rate) * cosine


def step_generator(seed: int, step: int, process: int) -> torch.Generator:
    """The generator of one step of one process."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) * 1024 + process)


class Curves:
    """Training curves as CSV (always) and TensorBoard (where installed)."""

    def __init__(self, folder: Path):
        self.path = folder / "curves.csv"
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.writer: Any = SummaryWriter(str(folder / "tensorboard"))
        except ImportError:
            self.writer = None

    def add(self, step: int, values: dict[str, float]) -> None:
        """Append one row a value: step, name, value."""
        fresh = not self.path.exists()
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            if fresh:
                rows.writerow(["step", "name", "value"])
            rows.writerows([step, name, f"{value:.6g}"] for name, value in values.items())
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)


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


def run(trainer: Trainer, accelerator: Any, resume: bool) -> dict[str, float]:
    """Train to the end of the schedule, or to a signal; returns the last evaluation. For errors see `_run`."""
    with stop_signals() as asked:
        return _run(trainer, accelerator, resume, asked)


def _run(trainer: Trainer, accelerator: Any, resume: bool, asked: threading.Event) -> dict[str, float]:
    """Train until the schedule ends or `asked` is set, and save.

    Raises:
        InputError: `resume` without a checkpoint, a checkpoint in the folder without `resume`, or a loss that is not
            finite (the last checkpoint stays as it is).
    """
    schedule, folder, main = trainer.schedule, trainer.folder, accelerator.is_main_process
    folder.mkdir(parents=True, exist_ok=True)
    start, elapsed = 0, 0.0
    if resume:
        start, extra = checkpoint.load(folder / "checkpoint", trainer.modules, trainer.optimizers)
        elapsed = float(extra.get("seconds", 0.0))
    elif (folder / "checkpoint" / "checkpoint.json").exists():
        raise InputError(f"{folder} holds a checkpoint; add --resume to go on, or choose another folder.")
    curves = Curves(folder) if main else None
    began = saved = logged = time.monotonic()
    figures: dict[str, float] = {}
    window: dict[str, list[float]] = {}
    for step in range(start, schedule.steps):
        for group in (g for o in trainer.optimizers.values() for g in o.param_groups):
            group["lr"] = group["peak_lr"] / schedule.learning_rate * learning_rate(schedule, step)
        values = trainer.step(step, step_generator(schedule.seed, step, accelerator.process_index))
        for name, value in values.items():
            window.setdefault(name, []).append(float(value))
            if not math.isfinite(window[name][-1]):
                raise InputError(f"{name} is not finite at step {step}; the last checkpoint in {folder} is intact.")
        done = step + 1
        if main and (done % schedule.log_every == 0 or done == schedule.steps):
            means = {name: sum(v) / len(v) for name, v in window.items() if v}
            rate = len(next(iter(window.values()))) / (time.monotonic() - logged)
            left = (schedule.steps - done) / rate
            text = " ".join(f"{name} {value:.4g}" for name, value in means.items())
            print(
                f"step {done}/{schedule.steps} {text} | {rate:.2f} steps/s, {left / 60:.0f} min left",
                file=sys.stderr,
                flush=True,
            )
            assert curves is not None
            curves.add(done, {**means, "steps_per_second": rate})
            window, logged = {}, time.monotonic()
        stopping = asked.is_set()
        due = stopping or time.monotonic() - saved > schedule.save_minutes * 60
        if main and (due or done == schedule.steps):
            seconds = elapsed + time.monotonic() - began
            checkpoint.save(folder / "checkpoint", done, trainer.modules, trainer.optimizers, {"seconds": seconds})
            trainer.export(done)
            saved = time.monotonic()
        if main and (done % schedule.evaluate_every == 0 or done == schedule.steps):
            figures = trainer.evaluate(done)
            print(
                f"step {done} evaluation " + " ".join(f"{k} {v:.4g}" for k, v in figures.items()),
                file=sys.stderr,
                flush=True,
            )
            assert curves is not None
            curves.add(done, {f"valid/{k}": v for k, v in figures.items()})
            logged = time.monotonic()
        if stopping:
            if main:
                print(f"stopped after step {done}; --resume goes on from there", file=sys.stderr, flush=True)
            break
    return figures


def train_recipe(path: Path, overrides: list[str], resume: bool) -> dict[str, float]:
    """`calm train RECIPE.yaml [key=value ...] [--resume]`."""
    from accelerate import Accelerator

    recipe = read_recipe(path, overrides)
    accelerator = Accelerator(mixed_precision="bf16" if recipe.schedule.bf16 else "no")
    if isinstance(recipe, CodecRecipe):
        from calm_core.training.codec import CodecTrainer

        return run(CodecTrainer(recipe, accelerator), accelerator, resume)
    if isinstance(recipe, ContinuationRecipe):
        from calm_core.training.continuation import ContinuationTrainer

        return run(ContinuationTrainer(recipe, accelerator), accelerator, resume)
    if isinstance(recipe, DistillationRecipe):
        from calm_core.training.distill import DistillationTrainer

        return run(DistillationTrainer(recipe, accelerator), accelerator, resume)
    from calm_core.training.tts import TTSTrainer

    return run(TTSTrainer(recipe, accelerator), accelerator, resume)

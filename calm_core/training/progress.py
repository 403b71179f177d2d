"""What a run shows while it runs: curves in files, and a bar or lines on stderr."""

import csv
import sys
import time
from pathlib import Path
from typing import Any


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

    def close(self) -> None:
        """Write out what TensorBoard still holds back."""
        if self.writer is not None:
            self.writer.close()


def duration(seconds: float) -> str:
    """Seconds in the two largest units that say something."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Progress:
    """A bar with the time left where stderr is a terminal, plain lines elsewhere; silent unless `shown`.

    Args:
        steps: Of the whole run.
        start: Steps that are done already.
        shown: False on all processes but the first.
    """

    def __init__(self, steps: int, start: int, shown: bool):
        self.steps, self.shown = steps, shown
        self.bar: Any = None
        self._since, self._steps_since = time.monotonic(), 0
        self.rate = 0.0
        if shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(elapsed_when_finished=True),
                TextColumn("{task.description}"),
                console=Console(stderr=True),
            )
            self.task = self.bar.add_task("", total=steps, completed=start, rate="")
            self.bar.start()

    def advance(self) -> None:
        """One step is done."""
        self._steps_since += 1
        if self.bar is not None:
            self.bar.advance(self.task)

    def pause(self) -> None:
        """Leave what took time since the last step, such as an evaluation, out of the rate."""
        self._since, self._steps_since = time.monotonic(), 0

    def report(self, done: int, values: dict[str, float]) -> float:
        """Show the mean values since the last report; returns the steps a second since then."""
        self.rate = self._steps_since / max(time.monotonic() - self._since, 1e-9)
        self.pause()
        text = " ".join(f"{name} {value:.4g}" for name, value in values.items())
        if self.bar is not None:
            self.bar.update(self.task, description=text, rate=f"{self.rate:.2f} steps/s")
        else:
            left = duration((self.steps - done) / max(self.rate, 1e-9))
            self.note(f"step {done}/{self.steps} {text} | {self.rate:.2f} steps/s, {left} left")
        return self.rate

    def note(self, text: str) -> None:
        """A line of its own, above the bar where there is one."""
        if self.bar is not None:
            self.bar.console.print(text, highlight=False, markup=False)
        elif self.shown:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.bar is not None:
            self.bar.stop()

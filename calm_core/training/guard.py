"""Stopping a run that has gone wrong: a value that is not finite, or a loss that explodes and stays there."""

import math
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from calm_core.errors import InputError


class LossGuard:
    """Compares a loss with its own running median.

    Args:
        ratio: How many times its median the loss may be.
        patience: Steps in succession above that before the run is stopped.
        window: Steps that the median looks back on; judgement begins when a fifth of them are there.
    """

    def __init__(self, ratio: float, patience: int, window: int = 200):
        self.ratio, self.patience = ratio, patience
        self.past: deque[float] = deque(maxlen=window)
        self.streak = 0

    def look(self, value: float) -> bool:
        """Take in the loss of one step; true when the run should stop."""
        if len(self.past) * 5 >= (self.past.maxlen or 0) and abs(value) > self.ratio * self.usual:
            self.streak += 1  # a value that is judged too high does not move the median
        else:
            self.streak = 0
            self.past.append(abs(value))
        return self.streak >= self.patience

    @property
    def usual(self) -> float:
        """The running median."""
        return median(self.past)

    @property
    def calm(self) -> bool:
        """Whether the last loss was as usual: what is saved now is a good checkpoint."""
        return self.streak == 0


def first_not_finite(values: dict[str, float]) -> str | None:
    """The name of the first value that is NaN or infinite."""
    return next((name for name, value in values.items() if not math.isfinite(value)), None)


def fault(reason: str, step: int, ids: Sequence[str], checkpoint: Path, saved: int | None) -> InputError:
    """The error that stops a run.

    Args:
        reason: What was seen, as the start of a sentence.
        step: The step that saw it, counted from 0.
        ids: Rows of the batch.
        checkpoint: Folder of the checkpoints.
        saved: The step of the last good checkpoint, or None.
    """
    rows = ", ".join(ids[:16]) + (f" and {len(ids) - 16} more" if len(ids) > 16 else "")
    seen = f" on the rows {rows}" if ids else ""
    good = (
        f"the last good checkpoint is {checkpoint} of step {saved}; go on from it with --resume and a lower "
        "schedule.learning_rate or schedule.clip"
        if saved is not None
        else "there is no checkpoint yet; start again with a lower schedule.learning_rate"
    )
    return InputError(f"{reason} at step {step}{seen}; {good}.")

"""What depends on the step alone: the learning rate, the draws, and which rows are seen.

Nothing here remembers anything, so a resumed run goes on exactly as an uninterrupted one would have. And nothing
depends on how many processes there are: a batch is cut into *shares*, each with its rows and its own generator,

    batch of step n     r0 r1 r2 r3 r4 r5 r6 r7
    4 shares            (r0 r4) (r1 r5) (r2 r6) (r3 r7)
    on 1 process        one after another, gradients added up
    on 2 processes      0 and 2 on the first, 1 and 3 on the second

and the step's gradient is the mean over shares. The same number of shares gives the same training anywhere.
"""

import math
from typing import Any

import torch
from torch import Tensor

from calm_core.errors import InputError
from calm_core.training.recipes import Schedule


def learning_rate(schedule: Schedule, step: int) -> float:
    """Linear warm-up, then the decay that `schedule.decay` names.

    `cosine` falls from `learning_rate` to `final_learning_rate` along half a period. `wsd` (warm-up, stable, decay; Hu
    et al. 2024) stays at the peak and falls in the last `decay_share` of the steps as 1 - sqrt(progress), the
    shape that Hägele et al. 2024 found best.
    """
    peak, final = schedule.learning_rate, schedule.final_learning_rate
    if step < schedule.warmup:
        return peak * (step + 1) / schedule.warmup
    if schedule.decay == "wsd":
        length = max(1.0, schedule.decay_share * schedule.steps)
        progress = (step - (schedule.steps - length)) / length
        return final + (peak - final) * (1 - math.sqrt(min(1.0, max(0.0, progress))))
    progress = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def step_generator(seed: int, step: int, share: int = 0) -> torch.Generator:
    """The generator of one share of one step; share 0 is also what draws for the whole step."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) * 1024 + share)


def count_shares(schedule: Schedule, processes: int) -> int:
    """Into how many shares a batch is cut: `accumulate`, or one for each process where that is 1.

    Raises:
        InputError: The processes cannot divide the shares, or the shares the batch, evenly.
    """
    shares = processes if schedule.accumulate == 1 else schedule.accumulate
    if shares % processes:
        raise InputError(
            f"schedule.accumulate is {shares}, which {processes} processes cannot divide evenly; "
            f"make it a multiple of {processes}, or 1 for one part on each process."
        )
    if schedule.batch % shares:
        raise InputError(
            f"schedule.batch is {schedule.batch}, which does not fall into {shares} equal parts; make it a multiple."
        )
    return shares


def own_rows(batch: int, accelerator: Any) -> slice:
    """Which rows of a batch this process takes when every process draws the whole of it: every n-th.

    Raises:
        InputError: The processes cannot divide the batch evenly.
    """
    processes = accelerator.num_processes
    if batch % processes:
        raise InputError(f"schedule.batch is {batch}; make it a multiple of the {processes} processes.")
    return slice(accelerator.process_index, None, processes)


class BucketedOrder:
    """Which rows every step sees: all of them once an epoch, those of similar length together.

    An epoch is a permutation of the rows, cut into pools of `pool` batches; each pool is sorted by length and cut into
    batches, whose order is drawn anew. Rows that fill no whole batch wait for another epoch.

    Args:
        lengths: `[N]`, frames of each row.
        batch: Rows a step; a corpus with fewer rows is repeated.
        seed: Of the order.
        pool: Batches that are sorted together; more means less padding and less mixing.

    Raises:
        InputError: There are no rows.
    """

    def __init__(self, lengths: Tensor, batch: int, seed: int, pool: int = 8):
        if not len(lengths):
            raise InputError("There are no rows to train on; look at what the corpus and its filters leave.")
        self.lengths = lengths
        self.batch, self.seed, self.pool = batch, seed, pool
        self.batches = max(1, len(lengths) // batch)
        self._epoch: tuple[int, Tensor] = (-1, lengths)

    def rows(self, step: int) -> list[int]:
        """Indices of the rows of one step, shortest first."""
        epoch, place = divmod(step, self.batches)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._permute(epoch))
        return self._epoch[1][place].tolist()

    def _permute(self, epoch: int) -> Tensor:
        """`[batches, batch]`, the rows of one epoch."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        count, needed = len(self.lengths), self.batches * self.batch
        order = torch.randperm(count, generator=generator).repeat(-(-needed // count))[:needed]
        cut = [part[self.lengths[part].argsort(stable=True)] for part in order.split(self.pool * self.batch)]
        batches = torch.cat(cut).unflatten(0, (self.batches, self.batch))
        return batches[torch.randperm(self.batches, generator=generator)]

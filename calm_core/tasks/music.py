"""What the two tasks of music share: several variants at once, guidance by CLAP, notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from calm_core.audio import Audio
from calm_core.conditioners import ClapEmbedder
from calm_core.errors import InputError
from calm_core.tasks.continuation import ContinuationTask, Prompt, SoundStream
from calm_core.tasks.limits import MAX_SEED, LinkedStop, checked_seed
from calm_core.types import ContinuationParams

# A guided variant is two rows of the backbone, and up to `nn.packed.MAX_ROWS` of them a row's bits are its own.
MAX_VARIANTS = 6
# FAD in CALM's Table 9: of consistency 0.71 with 4 steps, 0.73 with 10, 2.05 with 100; of TrigFlow 28.8 with 4, 4.62
# with 10, 0.79 with 25.
_MOST_CONSISTENCY_STEPS, _LEAST_TRIGFLOW_STEPS = 10, 25


def step_notices(kind: str, steps: int) -> tuple[str, ...]:
    """A sentence about a number of steps that harms a head of this kind."""
    if kind == "consistency" and steps > _MOST_CONSISTENCY_STEPS:
        return (
            f"A consistency head sounds best with up to {_MOST_CONSISTENCY_STEPS} steps; {steps} are slower and sound "
            "worse.",
        )
    if kind == "trigflow" and steps < _LEAST_TRIGFLOW_STEPS:
        return (f"A TrigFlow head needs {_LEAST_TRIGFLOW_STEPS} steps or more for clean sound; {steps} are too few.",)
    return ()


class MusicTask(ContinuationTask):
    """A loaded model that makes music; see `ContinuationTask`."""

    loudness_lufs: ClassVar[float] = -18.0

    def music(
        self,
        prompt: Prompt,
        seconds: float,
        asked: dict[str, float | None],
        *,
        count: int,
        seed: int | None,
        stop: threading.Event | None,
        clap: Tensor | None,
        facts: dict[str, Any],
        notices: tuple[str, ...] = (),
    ) -> tuple[Iterator[Tensor], dict[str, Any], threading.Event]:
        """Chunks [R, N], their `meta`, and what stops them.

        Args:
            prompt: see `ContinuationTask.ready`.
            seconds: of new sound.
            asked: values of `ContinuationParams`; None leaves one to the model.
            count: R, variants with seeds one after the other.
            seed: of the first.
            stop: see `ContinuationTask.chunks`.
            clap: embedding [1, E], or None.
            facts: what else `meta` says.
            notices: what is to be told to whoever asked.

        Raises:
            InputError: a value cannot be used.
        """
        values = self.checked(seconds, asked)
        if isinstance(count, bool) or int(count) != count or not 1 <= count <= MAX_VARIANTS:
            raise InputError(f"count is {count} and must be a whole number from 1 to {MAX_VARIANTS}; change it.")
        first = checked_seed(seed)
        if first + count - 1 > MAX_SEED:
            raise InputError(f"The seed {first} leaves no room for {count} variants; choose a smaller one.")
        kind = self.model.config.head.kind
        meta: dict[str, Any] = {
            "model": self.info.id,
            **facts,
            "prompt_seconds": round(len(prompt.samples) / self.sample_rate, 4),
            "asked_seconds": seconds,
            "seed": first,
            **values,
            "notices": [*prompt.notices, *notices, *step_notices(kind, values["steps"])],
        }
        halt = LinkedStop(stop)
        seeds = [first + row for row in range(int(count))]
        params = ContinuationParams(**values)
        return self.chunks(prompt, seconds, params, seeds, meta, halt, clap=clap), meta, halt

    def collected(self, stream: SoundStream) -> list[Audio]:
        """The rows of a stream of chunks [R, N], each with the seed that makes it alone."""
        with stream:
            whole = torch.cat(list(stream), dim=1)
        return [
            Audio(row.clone(), self.sample_rate, {**stream.meta, "seed": stream.meta["seed"] + index})
            for index, row in enumerate(whole)
        ]


def one_row(chunks: Iterator[Tensor]) -> Iterator[Tensor]:
    """Chunks [N] of chunks [1, N]."""
    for chunk in chunks:
        yield chunk[0]


def expect_width(clap: ClapEmbedder, width: int, model: str) -> None:
    """Refuse a CLAP model whose embeddings a music model was not trained on.

    Raises:
        InputError: they have another width.
    """
    if clap.width != width:
        raise InputError(
            f"'{model}' was trained on CLAP embeddings of {width} numbers and its CLAP model gives {clap.width}; set "
            "clap.model in its configuration to the one that it was trained with."
        )

"""From conditions to latents to audio, one frame after the other.

A `Row` is one piece of text on its way: its backbone state, its random numbers, its end. `advance`
moves any number of rows by one frame in a single pass over the weights; rows may be at different
places, and a row gives the same latents alone and in company. A `Sound` turns the latents of one row
into samples. `latents` and `audio` are the two joined for one row in one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

import torch
from torch import Tensor

from calm_core.audio_lm import AudioLM
from calm_core.heads import draw_noise
from calm_core.model import CALM
from calm_core.nn.packed import MAX_ROWS
from calm_core.state import State
from calm_core.types import Condition, SamplingParams
from calm_core.voices import Voice

# Frames decoded together: the first alone, so that sound starts at once, then more, because a pass
# over the decoder's weights costs nearly the same for four frames as for one.
GROUPS = (1, 1, 2)
LATER_GROUPS = 4


class Row:
    """One piece of text being spoken.

    Args:
        model: loaded model.
        voice: of the speaker; its state is copied.
        condition: of the piece.
        params: how to sample.
        generator: source of the row's noise; pieces of one utterance share it.
    """

    def __init__(
        self,
        model: CALM,
        voice: Voice,
        condition: Condition,
        params: SamplingParams,
        generator: torch.Generator,
    ):
        transformer = model.backbone.transformer
        room = condition.prefix.shape[0] + condition.max_frames + 1
        self.state: State = transformer.with_room(voice.state, room)
        model.backbone.prompt(condition.prefix[None], self.state)
        self.null_state: State | None = None
        self.null_frames: Tensor | None = None
        if params.cfg != 1.0:
            room = condition.max_frames + 1
            if model.config.sampling.cfg_on == "text":
                self.null_state = transformer.with_room(voice.state, room)
                self.null_frames = condition.textless_frames
            else:
                self.null_state = transformer.init_state(1, room, model.latent_mean.device)
                self.null_frames = condition.null_frames
        self.condition = condition
        self.params = params
        self.generator = generator
        self.previous = model.backbone.start(1)
        self.index = 0
        self.end: int | None = None

    @property
    def done(self) -> bool:
        """Whether no further frame will come."""
        return self.index >= self.condition.max_frames

    def frame(self, frames: Tensor | None) -> Tensor | None:
        """The condition [1, M] of the frame to come, out of [T, M]."""
        return None if frames is None else frames[self.index : self.index + 1]


@torch.inference_mode()
def advance(model: CALM, rows: Sequence[Row]) -> list[Tensor | None]:
    """Move rows by one frame.

    Args:
        model: loaded model.
        rows: none of them done.

    Returns:
        For each row its next latent [1, D], normalised, or None where the row has ended.
    """
    results: dict[int, Tensor | None] = {}
    # Rows that evaluate the head equally often go together, guided ones first (see `CALM.step`).
    for steps in sorted({row.params.steps for row in rows}):
        group = [row for row in rows if row.params.steps == steps]
        group.sort(key=lambda row: row.null_state is None)
        for part in _parts(group):
            for row, latent in zip(part, _advance_group(model, part, steps), strict=True):
                results[id(row)] = latent
    return [results[id(row)] for row in rows]


def _parts(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows for one pass each: no more than give the same bits in any company; a guided row counts twice."""
    part: list[Row] = []
    room = MAX_ROWS
    for row in rows:
        need = 1 if row.null_state is None else 2
        if need > room:
            yield part
            part, room = [], MAX_ROWS
        part.append(row)
        room -= need
    if part:
        yield part


def _advance_group(model: CALM, rows: list[Row], steps: int) -> list[Tensor | None]:
    guided = [row for row in rows if row.null_state is not None]
    device = model.latent_mean.device
    width = model.head.noise_width(steps)
    noise = [draw_noise(1, width, r.generator, r.params.temperature, r.params.noise_clamp) for r in rows]
    latents, logits = model.step(
        torch.cat([row.previous for row in rows]),
        torch.cat(noise).to(device),
        [row.state for row in rows],
        _stack([row.frame(row.condition.frames) for row in rows]),
        steps=steps,
        cfg=[row.params.cfg for row in guided],
        null_state=[row.null_state for row in guided if row.null_state is not None],
        null_frames=_stack([row.frame(row.null_frames) for row in guided]),
    )
    threshold = model.config.sampling.eos_threshold
    ended = (logits > threshold).tolist()
    results: list[Tensor | None] = []
    for row, latent, is_end in zip(rows, latents.split(1), ended, strict=True):
        results.append(_record(model, row, latent, is_end))
    return results


def _record(model: CALM, row: Row, latent: Tensor, is_end: bool) -> Tensor | None:
    """Book one frame of a row; None when it lies behind the end."""
    if row.condition.frames is None:
        if is_end and row.end is None and row.index >= model.config.sampling.min_frames:
            row.end = row.index
        if row.end is not None and row.index >= row.end + row.condition.frames_after_eos:
            row.index = row.condition.max_frames
            return None
    row.previous = latent
    row.index += 1
    return latent


def _stack(parts: Sequence[Tensor | None]) -> Tensor | None:
    """Join frame conditions; None unless every row has one."""
    present = [p for p in parts if p is not None]
    assert not present or len(present) == len(parts), "rows of one model have the same condition"
    return torch.cat(present) if present else None


class Sound:
    """The audio side of one row: frames in, samples out.

    Args:
        model: loaded model.
    """

    def __init__(self, model: CALM | AudioLM):
        self._model = model
        self._state = model.codec.init_state(1, model.latent_mean.device)
        self._skip = model.codec.delay
        # A decoder that starts from silence makes a small step, heard as a click: fade 5 ms in.
        self._fade = torch.linspace(0, 1, model.codec.sample_rate // 200)

    @torch.inference_mode()
    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Samples [N] on the CPU for the next frames, each [1, D] (or [1, K], codes)."""
        stacked = self._model.decoded(torch.stack(list(latents), dim=1))
        wave = self._model.codec.decode(stacked, self._state)[0, 0].float().cpu()
        if self._skip:
            dropped = min(self._skip, wave.shape[0])
            self._skip -= dropped
            wave = wave[dropped:]
        if len(self._fade):
            count = min(len(self._fade), wave.shape[0])
            faded = self._fade[:count] * wave[:count]
            wave = torch.cat([faded, wave[count:]])
            self._fade = self._fade[count:]
        return wave


def group_sizes() -> Iterator[int]:
    """How many frames to decode at a time: 1, 1, 2, 4, 4, 4, ..."""
    return chain(GROUPS, repeat(LATER_GROUPS))


def latents(model: CALM, row: Row, stop: threading.Event | None = None) -> Iterator[Tensor]:
    """All latents [1, D] of one row, normalised."""
    while not row.done and not (stop is not None and stop.is_set()):
        (latent,) = advance(model, [row])
        if latent is not None:
            yield latent


def audio(model: CALM, frames: Iterable[Tensor]) -> Iterator[Tensor]:
    """Chunks of samples [N] of the latents of one row; the first chunk is one frame."""
    sound, sizes = Sound(model), group_sizes()
    waiting: list[Tensor] = []
    size = next(sizes)
    for latent in frames:
        waiting.append(latent)
        if len(waiting) == size:
            yield sound.decode(waiting)
            waiting, size = [], next(sizes)
    if waiting:
        yield sound.decode(waiting)

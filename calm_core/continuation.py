"""From the frames of a prompt to the frames that follow, with the text thought meanwhile.

    step        0 ... P - 1 | P ... P + delay - 1      | P + delay ...
    text heard  unknown     | thought                  | thought
    sound       the prompt  | the end of the prompt    | new frames

The text of a prompt is unknown; the model writes from the step where the prompt ends, `delay` frames ahead of the
sound. Several rows can go on from one prompt, each with draws of its own: one pass over the weights for all of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from calm_core.audio_lm import AudioLM
from calm_core.heads import delay_codes, draw_noise, draw_uniforms
from calm_core.heads.discrete import DiscreteHead
from calm_core.types import ContinuationParams


@dataclass(frozen=True)
class Step:
    """What one step gave.

    Attributes:
        token: of the text, or None for a model without text.
        frame: the next new frame of each row, [B, D] normalised or [B, K] codes; None while the prompt is still
            sounding.
        sampler_seconds: of computing that the head took.
    """

    token: int | None
    frame: Tensor | None
    sampler_seconds: float = 0.0


class _Frames:
    """The stream of frames: given ones first, then drawn ones; codebooks that come late are sorted out here.

    Rows share the prompt, so that until something is drawn there is one.
    """

    def __init__(self, model: AudioLM, prompt: Tensor, rows: int):
        self.head = model.head
        self.delays = model.head.delays if isinstance(model.head, DiscreteHead) else (0,)
        self.late = max(self.delays)
        self.rows = rows
        self.empty = model.embed.before(1, 1)[:, 0]
        self.given = delay_codes(prompt, self.delays, -1) if self.late else prompt
        self.items: list[Tensor] = []

    def heard(self, steps: int, delay: int) -> Tensor:
        """What the first `steps` steps hear, [1, steps, ...]; `items` then holds the given frames among them."""
        self.items = [self._filled(self.given[:, i]) for i in range(max(0, min(steps - 1 - delay, self._known())))]
        before = [self.empty] * min(steps, 1 + delay)
        return torch.stack([*before, *self.items[: steps - len(before)]], dim=1)

    def _known(self) -> int:
        return self.given.shape[1] - self.late

    def _filled(self, item: Tensor) -> Tensor:
        return torch.where(item < 0, self.empty, item) if self.late else item

    def last(self) -> Tensor:
        """What the next step hears, [B or 1, 1, ...]."""
        return (self.items[-1] if self.items else self.empty)[:, None]

    def needs_draw(self) -> bool:
        """Whether any part of the next item is not given."""
        return len(self.items) >= self._known()

    def add(self, drawn: Tensor | None) -> None:
        """The next item: what is given, and what was drawn for the rest."""
        place = len(self.items)
        if place < self._known():
            self.items.append(self._filled(self.given[:, place]))
            return
        assert drawn is not None
        if place < self.given.shape[1]:  # late codebooks of the prompt's last frames are given still
            drawn = torch.where(self.given[:, place] >= 0, self.given[:, place], drawn)
        if self.late:
            early = torch.tensor([place < d for d in self.delays], device=drawn.device)
            drawn = torch.where(early, self.empty, drawn)
        self.items.append(drawn)

    def finished(self) -> Tensor | None:
        """The frame that the newest item completes, unless it belongs to the prompt."""
        place = len(self.items) - 1 - self.late
        if place < self._known():
            return None
        if not self.late:
            return self.items[-1]
        codes = [self.items[place + d][:, k].expand(self.rows) for k, d in enumerate(self.delays)]
        return torch.stack(codes, dim=-1)


@torch.inference_mode()
def continue_frames(
    model: AudioLM,
    prompt: Tensor,
    count: int,
    params: ContinuationParams,
    generator: torch.Generator | Sequence[torch.Generator],
    stop: threading.Event | None = None,
    clap: Tensor | None = None,
) -> Iterator[Step]:
    """Draw `count` frames after a prompt.

    Args:
        model: loaded, in evaluation mode.
        prompt: [1, P, D] normalised latents or [1, P, K] codes; P = 0 starts from nothing.
        count: frames to draw.
        params: how to sample.
        generator: source of all draws; several for as many rows, each of which draws what it would alone. A model with
            text has one row.
        stop: set it to end early.
        clap: embedding [1, E] of what the music is to be, for models with CLAP; None for rows that know nothing.

    Yields:
        A `Step` for every step after the prompt; `count` of them have a frame.
    """
    draws = [generator] if isinstance(generator, torch.Generator) else list(generator)
    rows, device = len(draws), model.latent_mean.device
    assert model.text is None or rows == 1
    frames, delay, known = _Frames(model, prompt, rows), model.delay, prompt.shape[1]
    cfg = None if clap is None or params.cfg == 1.0 else params.cfg
    state = model.begin(known + count + delay + frames.late + 1, clap, guided=cfg is not None)
    unknown = None if model.text is None else model.text.unknown
    past = frames.heard(known + 1, delay)
    if known:
        text = None if unknown is None else torch.full((1, known), unknown, device=device)
        model.conditions(past[:, :known], text, state, cfg)
    if rows > 1:
        state = model.repeat(state, rows)
    token: int | None = None
    made = step = 0
    while made < count and not (stop is not None and stop.is_set()):
        here = known + step
        heard = past[:, -1:] if step == 0 else (frames.last() if here > delay else frames.empty[:, None])
        text = None
        if unknown is not None:
            text = torch.full((1, 1), unknown if token is None else token, device=device)
        # In memory, since of a row that is repeated by its strides some kernels make other bits.
        heard = heard.expand(rows, 1, -1).contiguous()
        z_long, z = model.conditions(heard, text, state, cfg)
        if model.text is not None:
            uniforms = torch.rand(1, generator=draws[0]).to(device)
            token = int(model.text.sample(z_long[:, 0], uniforms, params.text_temperature))
        frame, took = None, 0.0
        if here >= delay:
            drawn = None
            if frames.needs_draw():
                began = time.perf_counter()
                drawn = model.drawn(_draw(model, z[:, 0], params, draws), heard[:, 0])
                took = time.perf_counter() - began
            frames.add(drawn)
            frame = frames.finished()
        made += frame is not None
        step += 1
        yield Step(token, frame, took)


def _draw(model: AudioLM, z: Tensor, params: ContinuationParams, draws: Sequence[torch.Generator]) -> Tensor:
    rows, width = len(draws), model.head.noise_width(params.steps)
    if isinstance(model.head, DiscreteHead):
        uniforms = draw_uniforms(rows, width, draws, z.device)
        return model.head.sample_from(z, uniforms, params.temperature, params.top_k)
    noise = draw_noise(rows, width, draws, params.temperature, None, z.device)
    return model.head.sample_from(z, noise, params.steps)

"""From the frames of a prompt to the frames that follow, with the text thought meanwhile.

    step        0 ... P - 1 | P ... P + delay - 1      | P + delay ...
    text heard  unknown     | thought                  | thought
    sound       the prompt  | the end of the prompt    | new frames

The text of a prompt is unknown; the model writes from the step where the prompt ends, `delay` frames ahead of the
sound.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from calm_core.audio_lm import AudioLM
from calm_core.heads import delay_codes, draw_noise
from calm_core.heads.discrete import DiscreteHead
from calm_core.types import ContinuationParams


@dataclass(frozen=True)
class Step:
    """What one step gave.

    Attributes:
        token: of the text, or None for a model without text.
        frame: the next new frame, [1, D] normalised or [1, K] codes; None while the prompt is still sounding.
    """

    token: int | None
    frame: Tensor | None


class _Frames:
    """The stream of frames: given ones first, then drawn ones; codebooks that come late are sorted out here."""

    def __init__(self, model: AudioLM, prompt: Tensor):
        self.head = model.head
        self.delays = model.head.delays if isinstance(model.head, DiscreteHead) else (0,)
        self.late = max(self.delays)
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
        """What the next step hears, [1, 1, ...]."""
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
        codes = [self.items[place + d][:, k] for k, d in enumerate(self.delays)]
        return torch.stack(codes, dim=-1)


@torch.inference_mode()
def continue_frames(
    model: AudioLM,
    prompt: Tensor,
    count: int,
    params: ContinuationParams,
    generator: torch.Generator,
    stop: threading.Event | None = None,
) -> Iterator[Step]:
    """Draw `count` frames after a prompt.

    Args:
        model: loaded, in evaluation mode.
        prompt: [1, P, D] normalised latents or [1, P, K] codes; P = 0 starts from nothing.
        count: frames to draw.
        params: how to sample.
        generator: source of all draws.
        stop: set it to end early.

    Yields:
        A `Step` for every step after the prompt; `count` of them have a frame.
    """
    device = model.latent_mean.device
    frames, delay, known = _Frames(model, prompt), model.delay, prompt.shape[1]
    state = model.init_state(1, known + count + delay + frames.late + 1)
    unknown = None if model.text is None else model.text.unknown
    past = frames.heard(known + 1, delay)
    if known:
        text = None if unknown is None else torch.full((1, known), unknown, device=device)
        model.conditions(past[:, :known], text, state)
    token: int | None = None
    made = step = 0
    width = model.head.noise_width(params.steps)
    while made < count and not (stop is not None and stop.is_set()):
        here = known + step
        heard = past[:, -1:] if step == 0 else (frames.last() if here > delay else frames.empty[:, None])
        text = None
        if unknown is not None:
            text = torch.full((1, 1), unknown if token is None else token, device=device)
        z_long, z = model.conditions(heard, text, state)
        if model.text is not None:
            uniforms = torch.rand(1, generator=generator).to(device)
            token = int(model.text.sample(z_long[:, 0], uniforms, params.text_temperature))
        frame = None
        if here >= delay:
            drawn = None
            if frames.needs_draw():
                drawn = _draw(model, z[:, 0], width, params, generator)
            frames.add(drawn)
            frame = frames.finished()
        made += frame is not None
        step += 1
        yield Step(token, frame)


def _draw(
    model: AudioLM, z: Tensor, width: int, params: ContinuationParams, generator: torch.Generator
) -> Tensor:  # fmt: skip
    if isinstance(model.head, DiscreteHead):
        uniforms = torch.rand(1, width, generator=generator).to(z.device)
        return model.head.sample_from(z, uniforms, params.temperature, params.top_k)
    noise = draw_noise(1, width, generator, params.temperature, None, z.device)
    return model.head.sample_from(z, noise, params.steps)

"""What the sampler benchmark times: the engine's own modules at given sizes, with random weights.

Weights are kept in 16 bits and widened inside the products, as inference on the CPU keeps those of a release; each
layer has its own, so that every frame brings all of them from memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

SEED = 0
# That one run may have: the room of the caches behind their context.
MOST_FRAMES = 64


@dataclass(frozen=True)
class Sizes:
    """A Transformer or a network of residual blocks.

    Attributes:
        width: of the model.
        layers: layers or blocks.
        feedforward: width inside the feed-forward halves; 0 for residual blocks, which are as wide as the model.
        heads: of the attention.
    """

    width: int
    layers: int
    feedforward: int = 0
    heads: int = 1


@dataclass(frozen=True)
class System:
    """One way to draw a frame.

    Attributes:
        name: as the table shows it.
        kind: of the head.
        levels: codebooks, for heads of codes.
        steps: evaluations, for heads of latents.
        frame_rate: backbone steps a second of sound.
        clean: whether a short-context Transformer stands beside the backbone.
        rare: whether it is so slow that a few frames have to do.
    """

    name: str
    kind: str
    levels: int = 0
    steps: int = 1
    frame_rate: float = 12.5
    clean: bool = False
    rare: bool = False


@dataclass(frozen=True)
class Task:
    """Sizes of one column of the paper's table 14; the systems, the baseline first and the headline second.

    Attributes:
        context: frames that the key/value cache holds: half of 30 s, the mean over such a generation.
        text: pieces that are scored at every step, 0 for none.
        shared_from: level from which the RQ-Transformer's levels share weights.
    """

    name: str
    backbone: Sizes
    context: int
    latent_dim: int
    codes: int
    rq: Sizes
    mlp: Sizes
    systems: tuple[System, ...]
    short: Sizes | None = None
    short_frames: int = 10
    text: int = 0
    shared_from: int | None = None


@dataclass(frozen=True)
class Took:
    """Seconds of one frame: backbone with text, short context, sampler."""

    backbone: float
    short: float
    sampler: float


class Bench:
    """All systems of a task in memory, around one backbone.

    Args:
        task: sizes and systems.
        clock: gives seconds.
        temperature: of the draws.
    """

    def __init__(self, task: Task, clock: Callable[[], float] = time.perf_counter, temperature: float = 0.8):
        import torch

        from calm_core.nn.packed import pack

        torch.manual_seed(SEED)  # of the weights
        self._task = task
        self._clock = clock
        self._temperature = temperature
        self._draws = torch.Generator().manual_seed(SEED)
        self._backbone = _backbone(task.backbone, task.latent_dim)
        self._state = self._filled(self._backbone.transformer, task.context)
        self._text = None
        if task.text:
            self._text = torch.nn.Sequential(torch.nn.Linear(task.backbone.width, task.text, bias=False))
            pack(self._text, rounded=True)
        self._short = None
        if task.short is not None:
            self._short = _backbone(task.short, task.latent_dim)
            self._short_state = self._filled(self._short.transformer, task.short_frames - 1)
        self.parameters: dict[str, int] = {}
        self._networks: dict[int, nn.Module] = {}
        self._samplers = {system.name: self._sampler(system) for system in task.systems}

    def frames(self, system: System, count: int) -> list[Took]:
        """Time `count` frames of one stream, one after the other, behind the task's context."""
        import torch

        took, clock = [], self._clock
        with torch.inference_mode():
            self._rewind(self._state, self._task.context)
            for _ in range(count):
                latent = torch.randn(1, 1, self._task.latent_dim, generator=self._draws)
                start = clock()
                z = self._backbone.condition(self._backbone.features(self._backbone.embed(latent), self._state)[:, 0])
                if self._text is not None:
                    self._text(z).argmax(-1)
                thought = clock()
                if system.clean and self._short is not None:
                    self._rewind(self._short_state, self._task.short_frames - 1)
                    z = z + self._short.features(self._short.embed(latent), self._short_state)[:, 0]
                ready = clock()
                self._samplers[system.name](z)
                took.append(Took(thought - start, ready - thought, clock() - ready))
        return took

    def _sampler(self, system: System) -> Callable[[Tensor], Tensor]:
        from calm_core.config import DelayConfig, HeadConfig, RQTransformerConfig
        from calm_core.heads import Head, build_head
        from calm_core.nn.packed import pack

        task, width = self._task, self._task.backbone.width
        if system.levels:
            config: Any = DelayConfig(kind="delay")
            if system.kind == "rq_transformer":
                config = RQTransformerConfig(
                    kind="rq_transformer", d_model=task.rq.width, num_heads=task.rq.heads, num_layers=task.rq.layers,
                    dim_feedforward=task.rq.feedforward, shared_from=task.shared_from,
                )  # fmt: skip
            codes = build_head(config, width, levels=system.levels, codebook_size=task.codes)
            self.parameters[system.name] = sum(p.numel() for p in codes.parameters())
            pack(codes.requires_grad_(False), rounded=True)
            return lambda z: codes.sample(z, self._draws, self._temperature)
        config = HeadConfig.model_validate({"kind": system.kind, "channels": task.mlp.width, "depth": task.mlp.layers})
        head = build_head(config, width, latent_dim=task.latent_dim)
        assert isinstance(head, Head)
        head.drop_training_parts()
        self.parameters[system.name] = sum(p.numel() for p in head.parameters())
        if head.net.num_times in self._networks:  # the systems differ in how they walk, not in the network
            head.net = self._networks[head.net.num_times]  # type: ignore[assignment]
        else:
            for parameter in head.requires_grad_(False).parameters():
                parameter.normal_(0.0, 0.02)  # training starts with gates of 0, which would hide what a block does
            pack(head, rounded=True)
            self._networks[head.net.num_times] = head.net
        return lambda z: head.sample(z, self._draws, self._temperature, system.steps)

    def _filled(self, transformer: Any, frames: int) -> dict[str, Any]:
        """A state behind `frames` frames of noise."""
        state = transformer.init_state(1, frames + MOST_FRAMES)
        for name in ("k", "v"):
            state[name].normal_(0.0, 1.0, generator=self._draws)
        self._rewind(state, frames)
        return state

    @staticmethod
    def _rewind(state: dict[str, Any], frames: int) -> None:
        state["offset"] = state["offset"] * 0 + frames


def _backbone(sizes: Sizes, latent_dim: int) -> Any:
    """A packed backbone, made layer by layer, so that only one of them is ever there in 32 bits."""
    from calm_core.backbone import Backbone
    from calm_core.config import BackboneConfig
    from calm_core.nn.packed import pack

    whole: Any = None
    for _ in range(sizes.layers):
        config = BackboneConfig(
            d_model=sizes.width, num_heads=sizes.heads, num_layers=1, dim_feedforward=sizes.feedforward
        )
        one = Backbone(config, latent_dim).requires_grad_(False)
        pack(one, rounded=True)
        if whole is None:
            whole = one
        else:
            whole.transformer.layers.append(one.transformer.layers[0])
    return whole

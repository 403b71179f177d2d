"""What the sampler benchmark times: the engine's own modules at given sizes, with random weights.

Weights are kept in 16 bits and widened inside the products, as inference on the CPU keeps those of a release; each
layer has its own, so that every frame brings all of them from memory. A `plain` sampler is what its users run today:
the same network in float32 and torch's own layers. On another device than the CPU all are plain.
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
        plain: whether its sampler is not packed; the backbone is, for all of them.
    """

    name: str
    kind: str
    levels: int = 0
    steps: int = 1
    frame_rate: float = 12.5
    clean: bool = False
    rare: bool = False
    plain: bool = False


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
        device: of the weights and of the work.
        temperature: of the draws.
    """

    def __init__(
        self,
        task: Task,
        clock: Callable[[], float] = time.perf_counter,
        device: str = "cpu",
        temperature: float = 0.8,
    ):
        import torch

        self._task = task
        self._clock = clock
        self._device = torch.device(device)
        self._temperature = temperature
        self._draws = torch.Generator().manual_seed(SEED)  # of the CPU, as generation draws
        self._backbone = self._transformer(task.backbone)
        self._state = self._filled(self._backbone.transformer, task.context)
        self._text: Any = None
        if task.text:
            self._text = self._made(lambda: torch.nn.Sequential(torch.nn.Linear(task.backbone.width, task.text)))
        self._short: Any = None
        if task.short is not None:
            self._short = self._transformer(task.short)
            self._short_state = self._filled(self._short.transformer, task.short_frames - 1)
        self.parameters: dict[str, int] = {}
        self._networks: dict[int, nn.Module] = {}
        self._samplers = {system.name: self._sampler(system) for system in task.systems}

    def frames(self, system: System, count: int) -> list[Took]:
        """Time `count` frames of one stream, one after the other, behind the task's context."""
        import torch

        took: list[Took] = []

        def clock() -> float:
            if self._device.type != "cpu":
                torch.accelerator.synchronize(self._device)
            return self._clock()

        with torch.inference_mode():
            self._rewind(self._state, self._task.context)
            for _ in range(count):
                latent = torch.randn(1, 1, self._task.latent_dim, generator=self._draws).to(self._device)
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
        from calm_core.heads import build_head

        task, width = self._task, self._task.backbone.width
        if system.levels:
            config: Any = DelayConfig(kind="delay")
            if system.kind == "rq_transformer":
                config = RQTransformerConfig(
                    kind="rq_transformer", d_model=task.rq.width, num_heads=task.rq.heads, num_layers=task.rq.layers,
                    dim_feedforward=task.rq.feedforward, shared_from=task.shared_from,
                )  # fmt: skip

            def of_codes() -> Any:
                return self._counted(system, build_head(config, width, levels=system.levels, codebook_size=task.codes))

            codes = self._made(of_codes, packed=not system.plain)
            return lambda z: codes.sample(z, self._draws, self._temperature)
        config = HeadConfig.model_validate({"kind": system.kind, "channels": task.mlp.width, "depth": task.mlp.layers})

        def without_training_parts() -> Any:
            head = build_head(config, width, latent_dim=task.latent_dim)
            head.drop_training_parts()
            self._counted(system, head)
            # The systems of a task differ in how they walk, not in the network.
            head.net = self._networks.setdefault(head.net.num_times, head.net)  # type: ignore[assignment]
            return head

        latents = self._made(without_training_parts)
        return lambda z: latents.sample(z, self._draws, self._temperature, system.steps)

    def _counted(self, system: System, module: nn.Module) -> nn.Module:
        self.parameters[system.name] = sum(p.numel() for p in module.parameters())
        return module

    def _transformer(self, sizes: Sizes) -> Any:
        from calm_core.backbone import Backbone
        from calm_core.config import BackboneConfig

        config = BackboneConfig(
            d_model=sizes.width, num_heads=sizes.heads, num_layers=sizes.layers, dim_feedforward=sizes.feedforward
        )
        return self._made(lambda: Backbone(config, self._task.latent_dim))

    def _made(self, build: Callable[[], nn.Module], packed: bool = True) -> Any:
        """A module with random weights, packed one by one, so that only one of them is ever there in 32 bits.

        Args:
            build: makes it.
            packed: whether it is to be packed where that can be.
        """
        import torch

        from calm_core.nn.packed import linear

        def drawn(like: Tensor) -> Tensor:
            return torch.empty(like.shape).uniform_(-0.03, 0.03, generator=self._draws).to(self._device)

        with torch.device("meta"):
            module = build().requires_grad_(False)
        for part in list(module.modules()) if packed and self._device.type == "cpu" else []:
            for key, child in list(part.named_children()):
                if isinstance(child, torch.nn.Linear):
                    bias = None if child.bias is None else drawn(child.bias)
                    setattr(part, key, linear(drawn(child.weight), bias, rounded=True))
        for part in module.modules():
            for key, parameter in list(part.named_parameters(recurse=False)):
                if parameter.is_meta:
                    setattr(part, key, torch.nn.Parameter(drawn(parameter), requires_grad=False))
            for key, buffer in list(part.named_buffers(recurse=False)):
                if buffer.is_meta:
                    setattr(part, key, drawn(buffer))
        return module

    def _filled(self, transformer: Any, frames: int) -> dict[str, Any]:
        """A state behind `frames` frames of noise."""
        import torch

        state = transformer.init_state(1, frames + MOST_FRAMES, self._device)
        for name in ("k", "v"):
            state[name].copy_(torch.randn(state[name].shape, generator=self._draws))
        self._rewind(state, frames)
        return state

    @staticmethod
    def _rewind(state: dict[str, Any], frames: int) -> None:
        state["offset"] = state["offset"] * 0 + frames

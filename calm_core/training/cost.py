"""What a training step costs, without doing one: operations and memory by tracing tensors that have no storage."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from calm_core.training.recipes import Schedule

aten = torch.ops.aten

# What a number read from a tensor is in turn, and how much each case counts. Losses that toss a coin do so for a
# term that is computed on a quarter of the calls (`heads.lsd`).
COINS = {0.125: 0.25, 0.625: 0.75}


class _Assume(TorchDispatchMode):
    """Answers what tensors without storage cannot: every mask is true everywhere, every number is `coin`."""

    def __init__(self, coin: float):
        super().__init__()
        self.coin, self.tossed = coin, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is aten._local_scalar_dense.default:
            self.tossed = True
            return self.coin
        if func is aten.index.Tensor and _masks(args[1]):
            mask = args[1][0]
            return args[0].new_empty(mask.numel(), *args[0].shape[mask.ndim :])
        if func in (aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default) and _masks(args[1]):
            return torch.empty_like(args[0]) if func is aten.index_put.default else args[0]
        # Forward-mode derivatives of fused kernels come out on the meta device.
        if any(isinstance(x, Tensor) and x.is_meta for x in args):
            args = [_beside_others(x) if isinstance(x, Tensor) and x.is_meta else x for x in args]
        return func(*args, **(kwargs or {}))


def _beside_others(x: Tensor) -> Tensor:
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="cpu")


def _masks(indices: Sequence[Tensor | None]) -> bool:
    return bool(indices) and indices[0] is not None and indices[0].dtype == torch.bool


@dataclass(frozen=True)
class Cost:
    """Of one step.

    Attributes:
        flops: Floating-point operations of matrix products, convolutions and attention, forward and backward;
            an addition and a multiplication are two.
        activation_bytes: What the forward pass keeps for the backward pass, at its largest.
    """

    flops: float
    activation_bytes: int


def trace(build: Callable[[], Callable[[], Tensor]]) -> Cost:
    """Cost of a step, the mean over `COINS` where one is tossed.

    Args:
        build: Makes modules and a batch, and returns what computes the loss. Called without storage.
    """
    flops, largest = 0.0, 0
    for coin, share in COINS.items():
        kept: dict[int, tuple[Any, int]] = {}

        def keep(tensor: Tensor, kept: dict[int, tuple[Any, int]] = kept) -> Tensor:
            if not isinstance(tensor, nn.Parameter):
                storage = tensor.untyped_storage()
                kept[id(storage)] = (storage, storage.nbytes())  # held, so that no other gets its id
            return tensor

        counter, assume = FlopCounterMode(display=False), _Assume(coin)
        with counter, FakeTensorMode(allow_non_fake_inputs=True), assume:  # tables made at import have storage
            loss = build()
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                total = loss()
            total.backward()
        largest = max(largest, sum(size for _, size in kept.values()))
        if not assume.tossed:
            return Cost(float(counter.get_total_flops()), largest)
        flops += share * counter.get_total_flops()
    return Cost(flops, largest)


def clock(device: torch.device) -> float:
    """Seconds, for differences: of this process alone on a CPU, so that other work on the machine weighs less.

    Processor seconds are divided by the threads; on an accelerator the wall's clock counts, after its work is done.
    """
    if device.type == "cpu":
        return time.process_time() / torch.get_num_threads()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def matrix_peak(
    device: torch.device, dtype: torch.dtype, seconds: float = 0.5, size: int | None = None
) -> float:  # fmt: skip
    """Floating-point operations a second of this machine's matrix products, measured (see `clock`).

    Args:
        device: Where.
        dtype: Of the factors.
        seconds: To spend.
        size: Of the square factors; 1024 on a CPU and 8192 elsewhere when None.

    Returns:
        The best of several.
    """
    size = size or (1024 if device.type == "cpu" else 8192)
    a, b = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(2))

    def once() -> float:
        began = clock(device)
        torch.mm(a, b)
        return clock(device) - began

    once()
    took, end = once(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        took = min(took, once())
    return 2 * size**3 / max(took, 1e-9)


def bf16_notice(schedule: Schedule, device: torch.device) -> str | None:
    """What to say when a schedule asks for bfloat16 of a processor that has to emulate it."""
    if device.type != "cpu" or not schedule.bf16:
        return None
    full, half = (matrix_peak(device, dtype, 0.02, 256) for dtype in (torch.float32, torch.bfloat16))
    if half > 0.5 * full:
        return None
    return (
        f"This processor multiplies in bfloat16 at {half / 1e9:.1f} GFLOP/s and in float32 at {full / 1e9:.0f}: "
        "schedule.bf16=false will be faster."
    )

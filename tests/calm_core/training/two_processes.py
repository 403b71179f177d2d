"""What two processes do together; started from `test_distributed`, with a folder of recipes."""

import sys
from pathlib import Path

import torch
from accelerate import PartialState
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from calm_core.cli import main
from calm_core.training import checkpoint
from calm_core.training.ema import EMA


def cut_module(folder: Path) -> None:
    """Step, average, save and load a module that FSDP has cut in two; the files hold whole tensors."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 1))
    ema = EMA(module, 0.9)
    fully_shard(module, mesh=init_device_mesh("cpu", (2,)))
    optimizer = torch.optim.AdamW(module.parameters(), 0.1)

    def step(number: int) -> None:
        module(torch.ones(2, 3) * (number + 1)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        ema.update(module, number)

    step(0)
    parts = {"modules": {"model": module, "ema": ema.average}, "optimizers": {"optimizer": optimizer}}
    first = PartialState().is_main_process
    checkpoint.save(folder / "cut", 1, **parts, extra={}, write=first)
    PartialState().wait_for_everyone()
    step(1)
    after = [checkpoint.whole(p).clone() for p in module.parameters()]
    checkpoint.load(folder / "cut", **parts)
    step(1)
    assert all(torch.equal(a, checkpoint.whole(p)) for a, p in zip(after, module.parameters(), strict=True))


if __name__ == "__main__":
    where = Path(sys.argv[1])
    statuses = [main(["train", str(recipe)]) for recipe in sorted(where.glob("*.yaml"))]
    cut_module(where)
    # in one piece: both processes write to one file
    sys.stdout.write(f"statuses {statuses}\n")
    sys.stdout.flush()

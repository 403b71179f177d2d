"""Checkpoints without pickle: tensors in safetensors, everything else in JSON, each written whole or not at all."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from calm_core.errors import InputError
from calm_core.weights import read_tensors


def write_json(path: Path, value: Any) -> None:
    """Write JSON through a temporary file, so that a reader never sees half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write safetensors through a temporary file."""
    part = path.with_name(path.name + ".part")
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, part, metadata=metadata)
    os.replace(part, path)


def whole(tensor: Tensor) -> Tensor:
    """A tensor that FSDP cut over processes, gathered (a call that all processes must make); any other as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor  # type: ignore[operator]


def _like(value: Tensor, model: Tensor) -> Tensor:
    """A whole tensor, cut over processes as `model` is."""
    if not hasattr(model, "full_tensor"):
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(model, DTensor)
    return distribute_tensor(value.to(model.device), model.device_mesh, model.placements)


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    flat = {}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            flat[f"{index}.{name}"] = whole(value) if isinstance(value, Tensor) else torch.tensor(float(value))
    return flat


def _restore_optimizer(optimizer: torch.optim.Optimizer, flat: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        index, name = key.split(".", 1)
        place = state.setdefault(int(index), {})
        place[name] = _like(value, parameters[int(index)]) if value.ndim else value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _restore(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    mine = module.state_dict()
    module.load_state_dict({k: _like(v, mine[k]) if k in mine else v for k, v in tensors.items()})


def save(
    folder: Path,
    step: int,
    modules: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
    extra: dict[str, Any],
    write: bool = True,
) -> None:
    """Write `modules`, `optimizers` and the step into `folder`; the previous checkpoint stays valid until the end.

    The tensors of a step go to files named after it; `checkpoint.json`, replaced last, says which ones count. All
    processes call this, since cut tensors are gathered; the one with `write` has the files.
    """
    files: dict[str, Callable[[], dict[str, Tensor]]] = {}
    for name, module in modules.items():
        files[f"{name}-{step}.safetensors"] = module.state_dict
    for name, optimizer in optimizers.items():
        files[f"{name}-{step}.optimizer.safetensors"] = partial(_optimizer_tensors, optimizer)
    if write:
        folder.mkdir(parents=True, exist_ok=True)
    for name, tensors in files.items():
        gathered = {key: whole(value) for key, value in tensors().items()}
        if write:
            write_tensors(folder / name, gathered)
    if not write:
        return
    write_json(folder / "checkpoint.json", {"step": step, **extra})
    for old in folder.glob("*.safetensors"):
        if f"-{step}." not in old.name:
            old.unlink()


def load(
    folder: Path, modules: dict[str, nn.Module], optimizers: dict[str, torch.optim.Optimizer]
) -> tuple[int, dict[str, Any]]:
    """Restore what `save` wrote; returns the step and the extra values.

    Raises:
        InputError: There is no checkpoint, or it does not fit the recipe.
    """
    path = folder / "checkpoint.json"
    if not path.exists():
        raise InputError(f"There is no checkpoint in {folder} to resume from; start without --resume.")
    extra = json.loads(path.read_text(encoding="utf-8"))
    step = extra.pop("step")
    for name, module in modules.items():
        try:
            _restore(module, load_file(folder / f"{name}-{step}.safetensors"))
        except (RuntimeError, FileNotFoundError) as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(f"The checkpoint in {folder} does not fit this recipe's {name}: {reason}") from None
    for name, optimizer in optimizers.items():
        state = folder / f"{name}-{step}.optimizer.safetensors"
        if state.exists():  # a checkpoint carried without its optimizer starts the moments anew
            _restore_optimizer(optimizer, load_file(state))
    return step, extra


def load_fitting(module: nn.Module, path: Path, without: tuple[str, ...] = ()) -> set[str]:
    """Take from a safetensors file every tensor that has a place of the same shape; the rest of `module` stays.

    Args:
        module: What is filled.
        path: The file.
        without: Beginnings of names that are left out.

    Returns:
        The names of what was taken.

    Raises:
        InputError: The file is missing or damaged, or nothing in it fits.
    """
    mine = module.state_dict()
    found = {k: v for k, v in read_tensors(path).items() if not k.startswith(without)}
    theirs = {k: v for k, v in found.items() if k in mine and v.shape == mine[k].shape}
    if not theirs:
        raise InputError(f"Nothing in {path} fits this recipe's model; start_from needs weights of the same kind.")
    module.load_state_dict(mine | {k: v.to(mine[k].dtype) for k, v in theirs.items()})
    return set(theirs)

"""Streaming state: plain nested dictionaries of tensors, passed as an argument.

Every streaming layer has `init_state(...) -> State` and takes that state in `forward`, which
updates the dictionary it was given. Nothing is kept inside modules, so one set of weights serves
any number of streams, and copying or saving a stream is copying or saving a dictionary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

# A leaf is a tensor, a branch is another state: {"conv": {"previous": Tensor}, "offset": Tensor}.
State = dict[str, Any]


def clone(state: State) -> State:
    """A deep copy that shares no storage with `state`."""
    return {k: clone(v) if isinstance(v, dict) else v.clone() for k, v in state.items()}


def flatten(state: State, prefix: str = "") -> dict[str, Tensor]:
    """One level: {"conv": {"previous": t}} becomes {"conv/previous": t}."""
    flat: dict[str, Tensor] = {}
    for key, value in state.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}/"))
        else:
            flat[prefix + key] = value
    return flat


def unflatten(flat: dict[str, Tensor]) -> State:
    """The inverse of `flatten`."""
    state: State = {}
    for path, value in flat.items():
        *branches, leaf = path.split("/")
        node = state
        for branch in branches:
            node = node.setdefault(branch, {})
        node[leaf] = value
    return state


def size_in_bytes(state: State) -> int:
    """Bytes held by all tensors of the state."""
    return sum(t.numel() * t.element_size() for t in flatten(state).values())


# A layer may be given one state, whose rows move together, or one state per row. The three
# functions below let a layer be written once for both.


def child(state: State | Sequence[State] | None, name: str) -> Any:
    """The branch `name` of one state or of each of several."""
    if state is None or isinstance(state, dict):
        return None if state is None else state[name]
    return [s[name] for s in state]


def read(state: State | Sequence[State], name: str) -> Tensor:
    """The leaf `name`; leaves of several one-row states are joined along the batch."""
    if isinstance(state, dict):
        return state[name]
    return torch.cat([s[name] for s in state])


def write(state: State | Sequence[State], name: str, value: Tensor) -> None:
    """Replace the leaf `name` (never in place, so that shared copies stay as they were)."""
    if isinstance(state, dict):
        state[name] = value
    else:
        for s, row in zip(state, value.split(1), strict=True):
            s[name] = row

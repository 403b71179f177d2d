"""What callers may ask for: numbers inside limits, seeds, and a way to stop."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping

from calm_core.errors import InputError

MAX_SEED = 2**63 - 1


def check(limits: Mapping[str, tuple[float, float]], values: Mapping[str, float | None]) -> None:
    """Compare values with their limits; None and names without limits are left alone.

    Raises:
        InputError: a value is outside, or `steps` or `top_k` is no whole number.
    """
    for name, (low, high) in limits.items():
        value = values.get(name)
        if value is None:
            continue
        if not low <= value <= high:
            raise InputError(f"{name} is {value:g} and must be between {low:g} and {high:g}; change it.")
        if name in ("steps", "top_k") and value != int(value):
            raise InputError(f"{name} is {value:g} and must be a whole number.")


def checked_seed(seed: int | None) -> int:
    """The seed, or a drawn one for None.

    Raises:
        InputError: it is no whole number from 0 to 2^63 - 1.
    """
    if seed is None:
        return secrets.randbelow(2**31)
    if isinstance(seed, bool) or int(seed) != seed or not 0 <= seed <= MAX_SEED:
        raise InputError(f"The seed {seed} must be a whole number from 0 to {MAX_SEED}.")
    return int(seed)


class LinkedStop(threading.Event):
    """Set when the caller's own event is set, or for one call alone."""

    def __init__(self, outer: threading.Event | None):
        super().__init__()
        self._outer = outer

    def is_set(self) -> bool:
        """Whether either is set."""
        return super().is_set() or (self._outer is not None and self._outer.is_set())

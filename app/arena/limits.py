"""How often somebody may ask: counted in a window that moves, for each key."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

KEPT_KEYS = 10_000


class Limiter:
    """At most `times` in `seconds` for each key.

    Args:
        times: how often.
        seconds: length of the window.
        clock: seconds that never go back.
    """

    def __init__(self, times: int, seconds: float, clock: Callable[[], float] = time.monotonic):
        self.times = times
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Count one more; seconds to wait when that is one too many, which is then not counted, else 0."""
        with self._lock:
            now = self._clock()
            seen = self._seen.setdefault(key, deque())
            self._seen.move_to_end(key)
            while seen and seen[0] <= now - self._seconds:
                seen.popleft()
            if len(seen) >= self.times:
                return seen[0] + self._seconds - now
            seen.append(now)
            while len(self._seen) > KEPT_KEYS:  # the key that asked longest ago
                self._seen.popitem(last=False)
            return 0.0

"""What is done about damaged data: named and skipped with a count, or an end."""

import sys
from typing import Literal

from calm_core.errors import InputError

OnCorrupt = Literal["stop", "skip"]


class Faults:
    """Meets damaged shards and records.

    Args:
        on_corrupt: `stop` raises at the first, `skip` names each on stderr and goes on.
        setting: The key that chooses between the two, for messages.
    """

    def __init__(self, on_corrupt: OnCorrupt, setting: str = "on_corrupt"):
        self.on_corrupt, self.setting = on_corrupt, setting
        self.skipped: list[str] = []

    def meet(self, name: str, reason: object) -> None:
        """A damaged thing and what is wrong with it.

        Raises:
            InputError: The setting is `stop`.
        """
        why = " ".join(str(reason).split()) or type(reason).__name__
        if self.on_corrupt == "stop":
            raise InputError(
                f"{name} is damaged ({why}); mend or remove it, or set {self.setting}=skip to go on without."
            )
        self.skipped.append(name)
        print(f"skipped {name}: {why} ({len(self.skipped)} so far)", file=sys.stderr, flush=True)

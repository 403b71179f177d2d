"""A residual one-step head without time: the noise plus the network's answer, e + F(e)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from calm_core.heads.drifting import DriftingHead


class PointwiseHead(DriftingHead):
    """As `drifting`, with the noise carried over: an LSD jump from 0 to 1 with its times fixed."""

    kind: ClassVar[str] = "pointwise"

    def sample_from(self, z: Tensor, noise: Tensor, steps: int | None = None) -> Tensor:
        """Noise + F(noise); `steps` has no meaning here and is ignored."""
        return noise + self.net(z, (), noise)

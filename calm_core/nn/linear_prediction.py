"""Linear prediction of latents: the head draws what a linear map of the last frame leaves open.

Sound that lasts changes little in 40 ms. A head that draws whole frames has to bring its condition to each frame anew,
and what it misses is noise on a note that should only be held. With x_t = A x_(t-1) + s e_t the head draws the
innovation e_t alone, its errors are smaller by s, and a model begins where the map is. The paper's models have none.

A is fitted to frames with as much noise on top as the short context hears (`AudioLM.loss`), which is ridge regression:
it draws towards the mean, and errors die away.

Shapes: D latent width.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from calm_core.nn.draws import normal, uniform

_RIDGE = 1e-4  # of a channel's variance: keeps the map finite where channels repeat each other


class LinearPrediction(nn.Module):
    """The map A [D, D] and the deviations s [D] of what it leaves open; zero and one until `fit`."""

    matrix: Tensor
    deviation: Tensor

    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("matrix", torch.zeros(dim, dim))
        self.register_buffer("deviation", torch.ones(dim))

    def innovation(self, frames: Tensor, last: Tensor) -> Tensor:
        """Innovations e [..., D] of normalised frames [..., D] that come after `last` [..., D]."""
        return (frames - last @ self.matrix.T) / self.deviation

    def frames(self, innovation: Tensor, last: Tensor) -> Tensor:
        """Normalised frames [..., D] with an innovation [..., D], after `last` [..., D]."""
        return last @ self.matrix.T + self.deviation * innovation

    @torch.no_grad()
    def drift(self, rows: Tensor, most: float, generator: torch.Generator | None) -> Tensor:
        """Errors [B, T, D] that build up along rows [B, T, D] as those of a model do that hears its own frames.

        n_t = A n_(t-1) + sqrt(v) s noise, with v drawn for each row from 0 to `most`, small ones more often. White
        noise is over with its frame; this stays, as a sound does that has become too loud, and a model that has met it
        leads back to where the row was.
        """
        count, length, dim = rows.shape
        share = uniform((count, 1), rows, generator)
        fresh = normal((length, count, dim), rows, generator) * (most**0.5 * share * self.deviation)
        errors = [fresh[0]]
        for each in fresh[1:]:
            errors.append(errors[-1] @ self.matrix.T + each)
        return torch.stack(errors, dim=1)

    def fit(self, rows: Iterable[Tensor], noise: float) -> None:
        """Fit to normalised latents.

        Args:
            rows: each [T, D], T at least 2.
            noise: mean variance of the noise on top of what the map will hear.
        """
        dim = self.matrix.shape[0]
        past, coming, both = (torch.zeros(dim, dim, dtype=torch.float64) for _ in range(3))
        count = 0
        for row in rows:
            before, after = row[:-1].double(), row[1:].double()
            past += before.T @ before
            coming += after.T @ after
            both += after.T @ before
            count += len(after)
        heard = past / count + (noise + _RIDGE) * torch.eye(dim, dtype=torch.float64)
        matrix = torch.linalg.solve(heard, both.T / count).T
        left = (coming / count - matrix @ both.T / count).diagonal()
        self.matrix.copy_(matrix)
        self.deviation.copy_(left.clamp(min=_RIDGE).sqrt())

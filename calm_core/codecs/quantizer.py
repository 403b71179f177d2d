"""Residual vector quantization with codebooks that follow their vectors by moving averages.

    latent  ->  nearest code of level 1  ->  what is left  ->  nearest code of level 2  ->  ...  ->  sum of all codes

Residual levels, k-means start and quantizer dropout: SoundStream (Zeghidour et al. 2021). Moving averages and the
commitment loss: VQ-VAE (van den Oord et al. 2017, equation 3 and appendix A.1). Codes that nothing is near to begin
anew at a vector of the batch, since the averages can never move them.

In distributed training every process computes the same codebooks: sums go over all processes, random picks come from
the first.

Shapes: B rows, T frames, D latent width, K levels, N codes a level, C codebook width, M vectors.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

# Lloyd's algorithm: further rounds move nothing that the averages would not move anyway.
KMEANS_ROUNDS = 10


class Quantized(NamedTuple):
    """What a training pass gives.

    Attributes:
        latents: `[B, T, D]`, with the gradient of the latents that went in.
        codes: `[B, T, K]`, long, of all levels whether or not `latents` uses them.
        commitment: Scalar, mean squared distance of what each level was given from its code, over the levels in use.
    """

    latents: Tensor
    codes: Tensor
    commitment: Tensor


class ResidualVectorQuantizer(nn.Module):
    """K codebooks, each for what the ones before it leave over.

    Args:
        dim: D.
        levels: K.
        codebook_size: N.
        codebook_dim: C; where it differs from D, linear maps go in and out.
        decay: Weight of the past in the moving averages.
        dead_usage: A code is replaced when it is used less than this, where 1 is what each code would get if all were
            used alike.
    """

    codebooks: Tensor
    usage: Tensor
    started: Tensor

    def __init__(
        self,
        dim: int,
        levels: int,
        codebook_size: int,
        codebook_dim: int | None = None,
        decay: float = 0.99,
        dead_usage: float = 0.1,
    ):
        super().__init__()
        width = codebook_dim or dim
        self.levels, self.codebook_size, self.decay, self.dead_usage = levels, codebook_size, decay, dead_usage
        self.project_in = nn.Identity() if width == dim else nn.Linear(dim, width)
        self.project_out = nn.Identity() if width == dim else nn.Linear(width, dim)
        self.register_buffer("codebooks", torch.zeros(levels, codebook_size, width))
        # Moving average of each code's share of the vectors, times N. The average of the sums of VQ-VAE is this times
        # the code, so that it needs no buffer of its own.
        self.register_buffer("usage", torch.ones(levels, codebook_size))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def quantize(self, latents: Tensor) -> Tensor:
        """Codes `[B, T, K]`, long, of `latents [B, T, D]`."""
        with torch.autocast(latents.device.type, enabled=False):
            residual = self.project_in(latents.float())
            codes = []
            for codebook in self.codebooks:
                codes.append(nearest(residual, codebook))
                residual = residual - F.embedding(codes[-1], codebook)
        return torch.stack(codes, dim=-1)

    def dequantize(self, codes: Tensor) -> Tensor:
        """Latents `[B, T, D]` of the first levels' `codes [B, T, k]`, `1 <= k <= K`."""
        return self.project_out(sum_of_codes(codes, self.codebooks))

    def forward(self, latents: Tensor, generator: torch.Generator, dropout: float = 0.0) -> Quantized:
        """Quantize for training; in training mode the codebooks then move towards what they were given.

        Args:
            latents: `[B, T, D]`.
            generator: Source of the draws, on the CPU.
            dropout: Share of the rows that use a random number of levels from 1 to K instead of all.
        """
        with torch.autocast(latents.device.type, enabled=False):
            projected = self.project_in(latents.float())
            if self.training and not self.started:
                self._start(projected.detach().flatten(0, 1), generator)
            in_use = self._levels_in_use(latents.shape[0], dropout, generator).to(latents.device)  # [B, K]
            residual, total = projected, torch.zeros_like(projected)
            given, codes, distances = [], [], []
            for level, codebook in enumerate(self.codebooks):
                given.append(residual.detach().flatten(0, 1))
                codes.append(nearest(residual.detach(), codebook))
                nearby = F.embedding(codes[-1], codebook)
                distances.append((residual - nearby).square().mean((1, 2)))
                total = total + nearby * in_use[:, level, None, None]
                residual = residual - nearby
            commitment = (torch.stack(distances, dim=1) * in_use).sum() / in_use.sum()
            if self.training:
                for level, (vectors, assigned) in enumerate(zip(given, codes, strict=True)):
                    self._follow(level, vectors, assigned.flatten(), generator)
            through = projected + (total - projected).detach()
            return Quantized(self.project_out(through), torch.stack(codes, dim=-1), commitment)

    @torch.no_grad()
    def start(self, latents: Tensor, generator: torch.Generator) -> None:
        """Begin the codebooks at clusters of `latents [B, T, D]`; the next training pass otherwise does so itself.

        A pass over a few seconds has fewer vectors than codes; a trainer that wants good first codes gives many more.
        """
        with torch.autocast(latents.device.type, enabled=False):
            self._start(self.project_in(latents.float()).flatten(0, 1), generator)

    def perplexity(self) -> Tensor:
        """Exponential of the entropy of each level's recent codes `[K]`: N when all are used alike."""
        share = self.usage / self.usage.sum(1, keepdim=True)
        return torch.special.entr(share).sum(1).exp()

    def _levels_in_use(self, rows: int, dropout: float, generator: torch.Generator) -> Tensor:
        count = torch.randint(1, self.levels + 1, (rows,), generator=generator)
        whole = torch.rand(rows, generator=generator) >= dropout
        count = torch.where(whole, self.levels, count)
        return (torch.arange(self.levels) < count[:, None]).float()

    @torch.no_grad()
    def _start(self, vectors: Tensor, generator: torch.Generator) -> None:
        vectors = _everywhere(vectors)
        for level in range(self.levels):
            centres, counts = kmeans(vectors, self.codebook_size, generator)
            self.codebooks[level] = _agreed(centres)
            self.usage[level] = _agreed(counts) * (self.codebook_size / vectors.shape[0])
            vectors = vectors - F.embedding(nearest(vectors, self.codebooks[level]), self.codebooks[level])
        self.started.fill_(True)

    @torch.no_grad()
    def _follow(self, level: int, vectors: Tensor, codes: Tensor, generator: torch.Generator) -> None:
        """Move one codebook towards its `vectors [M, C]` with `codes [M]`."""
        counts, sums = _cluster(vectors, codes, self.codebook_size)
        together = _summed(torch.cat([counts[:, None], sums], dim=1))
        new = together * ((1 - self.decay) * self.codebook_size / together[:, 0].sum())
        kept = self.decay * self.usage[level]
        usage = kept + new[:, 0]
        codebook = (kept[:, None] * self.codebooks[level] + new[:, 1:]) / usage[:, None].clamp(min=1e-12)
        dead = usage < self.dead_usage
        pool = _everywhere(vectors)
        picks = torch.randint(pool.shape[0], (self.codebook_size,), generator=generator).to(pool.device)
        self.codebooks[level] = torch.where(dead[:, None], _agreed(pool[picks]), codebook)
        self.usage[level] = torch.where(dead, 1.0, usage)


def nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Index, `[...]`, of the row of `codebook [N, C]` that is nearest to each of `vectors [..., C]`."""
    return (codebook.square().sum(1) - 2 * (vectors @ codebook.T)).argmin(-1)


def sum_of_codes(codes: Tensor, codebooks: Tensor) -> Tensor:
    """Sum over levels, `[..., C]`, of the rows that `codes [..., k]` name in the first k of `codebooks [K, N, C]`."""
    total = F.embedding(codes[..., 0], codebooks[0])
    for level in range(1, codes.shape[-1]):
        total = total + F.embedding(codes[..., level], codebooks[level])
    return total


def kmeans(vectors: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Lloyd's algorithm from random vectors.

    Args:
        vectors: `[M, C]`; where M is less than `count`, the centres that are left over repeat vectors.
        count: N.
        generator: Source of the draws, on the CPU.

    Returns:
        Centres `[N, C]` and how many vectors are nearest to each, `[N]`. A centre without vectors stays where it is.
    """
    order = torch.randperm(vectors.shape[0], generator=generator)
    centres = vectors[order.repeat(-(-count // len(order)))[:count].to(vectors.device)]
    counts = vectors.new_zeros(count)
    for _ in range(KMEANS_ROUNDS):
        counts, sums = _cluster(vectors, nearest(vectors, centres), count)
        centres = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp(min=1), centres)
    return centres, counts


def _cluster(vectors: Tensor, codes: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """How many vectors, `[count]`, and which sum of them, `[count, C]`, belong to each code."""
    counts = torch.bincount(codes, minlength=count).to(vectors.dtype)
    return counts, vectors.new_zeros(count, vectors.shape[1]).index_add_(0, codes, vectors)


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _summed(x: Tensor) -> Tensor:
    """The sum over processes."""
    if _distributed():
        dist.all_reduce(x)
    return x


def _everywhere(x: Tensor) -> Tensor:
    """The rows of all processes, which have as many each."""
    if not _distributed():
        return x
    parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, x.contiguous())
    return torch.cat(parts)


def _agreed(x: Tensor) -> Tensor:
    """What the first process has."""
    if _distributed():
        x = x.contiguous()
        dist.broadcast(x, 0)
    return x

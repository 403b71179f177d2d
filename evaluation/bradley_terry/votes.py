"""Votes as columns and as a table of counts.

Shapes: N systems, V votes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from evaluation.errors import InputError
from evaluation.records import Comparison

OUTCOMES = ("a", "b", "tie")


@dataclass(frozen=True)
class VoteTable:
    """How often each system beat each other one; everything that a model without raters or positions needs.

    Attributes:
        systems: Names, `N`.
        wins: `[N, N]`; row i, column j is the weight of the votes in which i beat j.
        ties: `[N, N]`, symmetric; the weight of the ties between i and j.
    """

    systems: tuple[str, ...]
    wins: np.ndarray
    ties: np.ndarray

    def __post_init__(self) -> None:
        shape = (len(self.systems),) * 2
        assert self.wins.shape == self.ties.shape == shape
        assert (self.wins >= 0).all() and (self.ties >= 0).all() and (self.ties == self.ties.T).all()
        assert not self.wins.diagonal().any() and not self.ties.diagonal().any()

    @property
    def compared(self) -> np.ndarray:
        """`[N, N]`: votes between each two systems."""
        return self.wins + self.wins.T + self.ties

    @property
    def won(self) -> np.ndarray:
        """`[N]`: votes won."""
        return self.wins.sum(axis=1)

    @property
    def lost(self) -> np.ndarray:
        """`[N]`: votes lost."""
        return self.wins.sum(axis=0)

    @property
    def tied(self) -> np.ndarray:
        """`[N]`: votes that were ties."""
        return self.ties.sum(axis=1)

    @property
    def votes(self) -> float:
        """The weight of all votes."""
        return float(self.wins.sum() + self.ties.sum() / 2)

    def groups(self) -> list[tuple[str, ...]]:
        """Systems joined by votes, directly or through others; votes say nothing across two groups."""
        count, labels = connected_components(csr_array(self.compared), directed=False)
        return [tuple(name for name, own in zip(self.systems, labels, strict=True) if own == k) for k in range(count)]


@dataclass(frozen=True)
class Votes:
    """Votes in columns of codes, `[V]` each.

    Attributes:
        systems: Names of the systems.
        first, second: Index of the system shown as A and as B.
        outcome: Index into `OUTCOMES`.
        raters: Names of the raters.
        rater: Index of the rater.
        weight: What a vote counts for; 1 where nothing else is known.
    """

    systems: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray
    outcome: np.ndarray
    raters: tuple[str, ...] = ("",)
    rater: np.ndarray | None = None
    weight: np.ndarray | None = None

    def table(self) -> VoteTable:
        """Count the votes."""
        n = len(self.systems)
        cell = (self.outcome.astype(np.intp) * n + self.first) * n + self.second
        flat = np.bincount(cell, weights=self.weight, minlength=3 * n * n).astype(float)
        won_a, won_b, tied = flat.reshape(3, n, n)
        return VoteTable(self.systems, won_a + won_b.T, tied + tied.T)


def from_records(records: Iterable[Comparison], systems: Sequence[str] = (), weight: ArrayLike | None = None) -> Votes:
    """Votes of records; systems that nobody has voted on yet can be named beside them.

    Args:
        records: The comparisons.
        systems: Names to hold a place beside those of the records.
        weight: What each record counts for, `[V]`, positive.

    Raises:
        InputError: An outcome that is none of a, b and tie, or a system compared with itself; the record is numbered.
    """
    rows = list(records)
    for number, row in enumerate(rows, start=1):
        if row.outcome not in OUTCOMES:
            raise InputError(f"Comparison {number}: the outcome '{row.outcome}' is none of a, b and tie.")
        if row.system_a == row.system_b:
            raise InputError(f"Comparison {number}: '{row.system_a}' is compared with itself.")
    names = tuple(sorted({*systems, *(r.system_a for r in rows), *(r.system_b for r in rows)}))
    raters = tuple(sorted({r.rater for r in rows}))
    code, rater_code = {name: i for i, name in enumerate(names)}, {name: i for i, name in enumerate(raters)}
    return Votes(
        names,
        np.array([code[r.system_a] for r in rows], dtype=np.intp),
        np.array([code[r.system_b] for r in rows], dtype=np.intp),
        np.array([OUTCOMES.index(r.outcome) for r in rows], dtype=np.intp),
        raters,
        np.array([rater_code[r.rater] for r in rows], dtype=np.intp),
        None if weight is None else np.asarray(weight, dtype=float),
    )

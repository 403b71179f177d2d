"""The shared vocabulary of listening tests: what one person said about one item.

Field names are the columns of the CSV files that the commands read and the exports write.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

Outcome = Literal["a", "b", "tie"]


@dataclass(frozen=True)
class Comparison:
    """One choice between two systems; a tie where both were as good."""

    system_a: str
    system_b: str
    outcome: Outcome
    rater: str = ""
    item: str = ""


@dataclass(frozen=True)
class OpinionScore:
    """One opinion on one system, from 1 (worst) to the number of the scale's labels (5 in ITU-T P.800)."""

    rater: str
    system: str
    item: str
    score: float


@dataclass(frozen=True)
class MushraScore:
    """One grade of one system, 0 to 100 (ITU-R BS.1534-3)."""

    rater: str
    item: str
    system: str
    score: float


Record = Comparison | OpinionScore | MushraScore


def columns(kind: type[Record]) -> list[str]:
    """The columns of a file of such records, in their order."""
    return [field.name for field in fields(kind)]

"""What sections of reports work with: the settings of those on speech, sums by unit, tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.reproduction.orders import Order, Pairs
from evaluation.tables import markdown_table


@dataclass(frozen=True)
class Settings:
    """What the report compares.

    Attributes:
        calm: The model that continues speech over latents.
        baseline: The RQ-Transformer over codes.
        codecs: Of the two, VAE first.
        prompts: Held-out prompts.
        seconds: Of new sound for the comparison.
        long_seconds: Of new sound for the look at stability.
        seeds: Of generation.
        steady: Low temperature, the CALM model's own, that stands beside the paper's two.
        diversity_clips: Made-up voices a temperature.
        sentences: Read by the codecs and the text-to-speech models.
        teacher: The text-to-speech model with guidance.
        student: The smaller one that learnt from it.
        consistency: The teacher with a consistency head.
        processes: Of the recogniser.
    """

    calm: str = "calm-continuation-en"
    baseline: str = "rq-continuation-en"
    codecs: Sequence[str] = ("calm-codec-speech", "rq-codec-speech")
    prompts: int = 20
    seconds: float = 15.0
    long_seconds: float = 30.0
    seeds: Sequence[int] = (0, 1, 2)
    steady: float = 0.3
    diversity_clips: int = 20
    sentences: int = 50
    teacher: str = "calm-tts-en-teacher"
    student: str = "calm-tts-en"
    consistency: str = "calm-tts-en-consistency"
    processes: int = 2


@dataclass(frozen=True)
class Section:
    """A part of the report: text, and the orders that it found."""

    title: str
    text: str
    orders: list[Order]


@dataclass(frozen=True)
class Prepared:
    """A report that is ready to be made.

    Attributes:
        introduction: Its head.
        sections: By name, in order.
        whole: Whether sections that were not asked for are written as well.
    """

    introduction: str
    sections: Mapping[str, Callable[[], Section]]
    whole: bool = False


def sums(rows: Sequence[Any], unit: str, values: Callable[[Any], tuple[float, float]]) -> Pairs:
    """Numerators and denominators added up for each unit, such as the seeds of one prompt, which are alike.

    Args:
        rows: Of one system.
        unit: Attribute that names a row's unit.
        values: Numerator and denominator of a row.
    """
    added: dict[str, tuple[float, float]] = {}
    for row in rows:
        name, more = str(getattr(row, unit)), values(row)
        had = added.get(name, (0.0, 0.0))
        added[name] = (had[0] + more[0], had[1] + more[1])
    return added


def total(pairs: Pairs, perplexity: bool = False) -> float:
    """The pooled figure of one system; NaN where there is nothing to count."""
    top, bottom = np.array(list(pairs.values())).sum(axis=0)
    ratio = top / bottom if bottom else np.nan
    return float(np.exp(ratio)) if perplexity else float(ratio)


def show(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as a Markdown table."""
    return markdown_table(list(rows[0]), [list(row.values()) for row in rows])

"""From what was heard of clips to the figures of a set, and from records to lines and orders of a table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.errors import InputError
from evaluation.intervals import bootstrap_ratio
from evaluation.metrics.frechet import distance_and_resamples, frechet_infinity
from evaluation.reproduction.orders import (
    Difference,
    Order,
    Pairs,
    Resampled,
    paired_difference,
    resampled_difference,
)
from evaluation.reproduction.records import Figures, Record

FAD = "fad"
CLIP_FIGURES = {"kld": False, "clap": True}
"""Figures of single clips, and whether more is better."""

_TITLES = {FAD: "FAD", "kld": "KLD", "clap": "CLAP", "visqol_audio": "ViSQOL", "si_snr": "SI-SNR"}


def distances(reference: Sequence[np.ndarray], clips: Sequence[np.ndarray], figures: Figures) -> None:
    """Add the Frechet distances of clips `[W, E]` each to the reference's.

    Resamples are drawn by one seed for all systems, so that those of two systems pair. The distance of endless sets is
    left out where there are too few embeddings for it.
    """
    value, resamples = distance_and_resamples(reference, clips, np.random.default_rng(0))
    figures.sets[FAD] = {"value": value, "resamples": resamples.tolist()}
    frames, width = min(sum(map(len, reference)), sum(map(len, clips))), clips[0].shape[1]
    figures.facts |= {"clips": len(clips), "frames": frames, "width": width, "reference": len(reference)}
    smallest = (width + 1) / frames
    if smallest < 0.5:
        try:
            rng, share = np.random.default_rng(1), max(smallest, 0.25)
            figures.sets["fad_infinity"] = {"value": frechet_infinity(reference, clips, rng, share)}
        except InputError:  # too few clips for a line
            pass


def gathered(rows: Sequence[Mapping[str, Any]], reference: Sequence[np.ndarray], seed: int) -> Figures:
    """The figures of one seed's clips, each row with `item`, `seed`, `windows` and figures of `CLIP_FIGURES`."""
    mine = [row for row in rows if row["seed"] == seed]
    figures = Figures()
    distances(reference, [np.array(row["windows"]) for row in mine], figures)
    for name in CLIP_FIGURES:
        known = {row["item"]: row[name] for row in mine if row.get(name) is not None}
        if known:
            figures.clips[name] = known
    return figures


def chosen(record: Record, seeds: Sequence[int]) -> list[Figures]:
    """The figures of those seeds that were measured."""
    return [record.seeds[str(seed)] for seed in seeds if str(seed) in record.seeds]


def resampled(figures: Sequence[Figures], name: str) -> Resampled | None:
    """A figure of sets, averaged over seeds; None where it was not measured."""
    known = [one.sets[name] for one in figures if name in one.sets]
    if not known or len(known) < len(figures):
        return None
    resamples = np.mean([one.get("resamples", []) for one in known], axis=0)
    return Resampled(float(np.mean([one["value"] for one in known])), np.asarray(resamples, dtype=float))


def pairs(figures: Sequence[Figures], name: str) -> Pairs:
    """A figure of clips, its sum and count by unit over the seeds."""
    added: dict[str, tuple[float, float]] = {}
    for one in figures:
        for unit, value in one.clips.get(name, {}).items():
            had = added.get(unit, (0.0, 0.0))
            added[unit] = (had[0] + value, had[1] + 1.0)
    return added


def line(label: str, figures: Sequence[Figures], names: Sequence[str], paper: str = "-") -> dict[str, Any]:
    """A row of a table: the FAD with its interval, the FAD of endless sets, and figures of clips with theirs.

    Args:
        label: Of the system.
        figures: Of its seeds.
        names: Figures of clips.
        paper: What the paper has in this place.
    """
    row: dict[str, Any] = {"system": label, "paper": paper, "clips": figures[0].facts["clips"], "seeds": len(figures)}
    found = resampled(figures, FAD)
    assert found is not None
    row |= {FAD: found.value, "fad_low": found.interval[0], "fad_high": found.interval[1]}
    endless = [one.sets["fad_infinity"]["value"] for one in figures if "fad_infinity" in one.sets]
    row["fad_infinity"] = float(np.mean(endless)) if len(endless) == len(figures) else "-"
    for name in names:
        row |= with_interval(name, pairs(figures, name))
    return row


def with_interval(name: str, known: Pairs) -> dict[str, Any]:
    """Mean and 95 % bootstrap interval over units, or dashes."""
    found: Sequence[Any] = ("-", "-", "-")
    if known:
        found = bootstrap_ratio(list(known.values()), np.random.default_rng(0))
    return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))


def too_few(records: Sequence[Record]) -> str:
    """A sentence where the embeddings of some set are no more than their dimensions."""
    for record in records:
        for figures in record.seeds.values():
            frames, width = figures.facts.get("frames", 1), figures.facts.get("width", 0)
            if frames <= width:
                return (
                    f"{record.system} has {frames} embeddings of {width} dimensions, too few for a distance that means "
                    "much; more prompts are needed."
                )
    return ""


def orders(
    records: Mapping[str, Record], claims: Sequence[tuple[str, str]], seeds: Sequence[int], source: str,
    paper: Mapping[str, Mapping[str, float | None]], figures: Sequence[str] = (FAD,),
) -> list[Order]:  # fmt: skip
    """Every claimed order of two systems that were both measured, with the seeds that both have.

    Args:
        records: By label.
        claims: Labels, better first.
        seeds: Of generation.
        source: Table or figure.
        paper: The paper's figures by label and figure.
        figures: By which the paper orders them: `fad` or figures of clips.
    """
    found = []
    for better, worse in claims:
        if better not in records or worse not in records:
            continue
        both = [s for s in seeds if str(s) in records[better].seeds and str(s) in records[worse].seeds]
        sides = [[records[label].seeds[str(s)] for s in both] for label in (better, worse)]
        for name in figures if both else ():
            compared = _compared(sides, name)
            if compared is None:
                continue
            ours, difference = compared
            said = (paper.get(better, {}).get(name), paper.get(worse, {}).get(name))
            found.append(Order(better, worse, _TITLES.get(name, name), source, said, ours, difference))
    return found


def _compared(sides: Sequence[Sequence[Figures]], name: str) -> tuple[tuple[float, float], Difference] | None:
    if name == FAD:
        a, b = (resampled(side, name) for side in sides)
        if a is None or b is None or a.resamples.shape != b.resamples.shape:
            return None
        return (a.value, b.value), resampled_difference(a, b, sides[0][0].facts["clips"])
    one, other = (pairs(side, name) for side in sides)
    shared = sorted(one.keys() & other.keys())
    if len(shared) < 2:
        return None
    one, other = ({unit: side[unit] for unit in shared} for side in (one, other))
    means = tuple(float(np.divide(*np.array(list(side.values())).sum(axis=0))) for side in (one, other))
    higher = CLIP_FIGURES.get(name, True)
    found = paired_difference(one, other, np.random.default_rng(0), higher_is_better=higher)
    return (means[0], means[1]), found

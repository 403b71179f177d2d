"""Continuations: table 2 and figure 2 of CALM, and whether half a minute holds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.bundled import continuation, diversity
from evaluation.bundled.passages import Speakers
from evaluation.metrics.perplexity import NGram
from evaluation.reproduction.cache import Cache
from evaluation.reproduction.orders import Order, paired_difference, seed_difference
from evaluation.reproduction.section import Section, Settings, show, sums, total

# Table 2 of the paper: PPX and VERT by head and temperature.
_TABLE_2 = {
    ("calm", 0.8): (23.8, 31.2), ("calm", 1.0): (42.9, 34.3), ("rq", 0.8): (26.8, 33.1), ("rq", 1.0): (52.4, 36.3),
}  # fmt: skip
_CLAIMS = (
    (("calm", 0.8), ("calm", 1.0)),
    (("rq", 0.8), ("rq", 1.0)),
    (("calm", 0.8), ("rq", 0.8)),
    (("calm", 1.0), ("rq", 1.0)),
)


def continuations(settings: Settings, cache: Cache, speakers: Speakers = "held-out") -> Section:
    """Table 2: perplexity, diversity and content of continuations by temperature and head."""
    shared = continuation.Settings(
        models=(), codecs=settings.codecs, prompts=settings.prompts, seconds=settings.seconds, seeds=settings.seeds,
        processes=settings.processes, speakers=speakers,
    )  # fmt: skip
    systems = [(m, t) for m in (settings.calm, settings.baseline) for t in (settings.steady, 0.8, 1.0)]
    rows = _by_system("continuations", shared, systems, cache, continuation.measure)
    told = [continuation.Told(**row) for row in rows]
    language = NGram.train(continuation.training_texts())
    names = {"calm": Path(settings.calm).name, "rq": Path(settings.baseline).name}
    orders: list[Order] = []
    for better, worse in _CLAIMS:
        labels = tuple(f"{names[head]} at {temperature:g}" for head, temperature in (better, worse))
        sides = tuple([row for row in told if row.system == label] for label in labels)
        orders += _orders(labels, sides, (_TABLE_2[better], _TABLE_2[worse]), language)
    text = (
        f"{settings.prompts} prompts of 2.96 s from held-out stories, told by "
        f"{'held-out speakers' if speakers == 'held-out' else WELL_KNOWN}, {settings.seconds:g} s of new sound, seeds "
        f"{', '.join(map(str, settings.seeds))}. Transcripts by pocketsphinx; perplexity under a trigram model of the "
        "training stories (the paper: Whisper and Mistral 7B, so that only orders compare).\n\n"
        + show(continuation.summarise(told))
    )
    title = "Continuations (table 2)" if speakers == "held-out" else "Continuations by flite's own voices (table 2)"
    return Section(title, text, orders)


def _by_system(
    name: str,
    shared: continuation.Settings,
    systems: Sequence[tuple[str, float]],
    cache: Cache,
    measure: Callable[[continuation.Settings], list[Any]],
) -> list[dict[str, Any]]:
    """Rows of what is real and of each model at a temperature, each kept apart: a new model leaves the rest alone."""
    parts = [replace(shared, temperatures=())]
    parts += [replace(shared, models=(m,), temperatures=(t,), codecs=(), real=False) for m, t in systems]
    rows = []
    for part in parts:
        rows += cache.rows(name, vars(part), lambda asked=part: measure(asked))
    return rows


def well_known(settings: Settings, cache: Cache) -> Section:
    """Table 2 again, in the voices that the recogniser understands best."""
    return continuations(settings, cache, "flite")


WELL_KNOWN = "flite's own four voices in turn, which training heard and the recogniser understands best"
Sides = tuple[list[continuation.Told], ...]


def _orders(
    labels: tuple[str, ...], sides: Sides, paper: Sequence[tuple[float, float]], language: NGram
) -> list[Order]:
    """The figures of one claimed order: better side first."""

    def surprise(row: continuation.Told) -> tuple[float, float]:
        found = language.surprise(row.heard)
        return (found.nats, float(found.tokens)) if found else (0.0, 0.0)

    rng = np.random.default_rng(0)
    orders = []
    for figure, values, options in (
        ("PPX", surprise, {"perplexity": True}),
        ("WER of content", lambda row: (100.0 * row.wrong, float(row.words)), {}),
        ("speaker similarity", lambda row: (row.own, 1.0), {"higher_is_better": True}),
    ):
        pairs = [sums(side, "prompt", values) for side in sides]
        ours = tuple(total(side, figure == "PPX") for side in pairs)
        claimed = (paper[0][0], paper[1][0]) if figure == "PPX" else (None, None)
        found = paired_difference(pairs[0], pairs[1], rng, **options)
        orders.append(Order(labels[0], labels[1], figure, "table 2", claimed, (ours[0], ours[1]), found))
    verts = [continuation.vert_by_seed(side) for side in sides]
    means = float(np.mean(verts[0])), float(np.mean(verts[1]))
    found = seed_difference(verts[0], verts[1])
    orders.insert(1, Order(labels[0], labels[1], "VERT", "table 2", (paper[0][1], paper[1][1]), means, found))
    return orders


def stability(settings: Settings, cache: Cache) -> Section:
    """Whether half a minute holds: its last five seconds beside its first."""
    shared = continuation.Settings(
        models=(), codecs=(), prompts=settings.prompts, seconds=settings.long_seconds, seeds=settings.seeds[:1],
        processes=settings.processes,
        speakers="flite",  # too few of the speakers that were kept out tell stories of this length
    )  # fmt: skip
    systems = [(settings.calm, settings.steady), (settings.calm, 0.8), (settings.baseline, 0.8)]
    rows = _by_system("stability", shared, systems, cache, continuation.ends)
    ends = [continuation.End(**row) for row in rows]
    table = []
    for system in dict.fromkeys(row.system for row in ends):
        for end in ("first", "last"):
            members = [row for row in ends if row.system == system and row.end == end]
            levels = [row.level_db for row in members]
            table.append(
                {
                    "system": system,
                    "seconds": f"{end} 5",
                    "clips": len(members),
                    "level dB": float(np.mean(levels)),
                    "quietest dB": min(levels),
                    "loudest dB": max(levels),
                    "content WER": total(sums(members, "prompt", lambda row: (100.0 * row.wrong, float(row.words)))),
                    "similarity": float(np.mean([row.own for row in members])),
                }
            )
    text = (
        f"{settings.long_seconds:g} s of new sound after each of {settings.prompts} prompts from held-out stories, "
        f"told by {WELL_KNOWN}.\n\n" + show(table)
    )
    return Section("Half a minute", text, [])


def voices(settings: Settings, cache: Cache) -> Section:
    """Figure 2: how alike made-up voices are, by temperature."""
    asked = diversity.Settings(models=(settings.calm, settings.baseline), clips=settings.diversity_clips)
    rows = cache.rows("voices", vars(asked), lambda: diversity.measure(asked))
    text = (
        f"Mean pairwise cosine of resemblyzer's embeddings over {settings.diversity_clips} clips of {asked.seconds:g} "
        "s that start from nothing; the paper's figure falls with temperature for both heads.\n\n" + show(rows)
    )
    return Section("Voices by temperature (figure 2)", text, [])

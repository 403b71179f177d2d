"""Codecs: table 1 of CALM, a VAE against an RVQ codec with the same encoder and decoder."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from evaluation.bundled import codec
from evaluation.bundled.sentences import Sentence, read_sentences
from evaluation.errors import InputError
from evaluation.reproduction.cache import Cache
from evaluation.reproduction.orders import Order, paired_difference, seed_difference
from evaluation.reproduction.section import Section, Settings, show, sums, total

# Table 1 of the paper, VAE then RVQ; None for what it does not measure.
_CLAIMS: dict[str, tuple[float | None, float | None]] = {
    "pesq": (2.42, 2.13), "stoi": (0.90, 0.87), "visqol": (None, None), "wer": (None, None),
}  # fmt: skip
_ABX = (8.1, 9.4)
_LOWER = ("wer",)


def codecs(settings: Settings, cache: Cache) -> Section:
    """Table 1: reconstruction and phone discrimination on the same clips of held-out speakers."""
    vae, rvq = settings.codecs[:2]
    read = read_sentences(limit=settings.sentences)
    asked = codec.Settings(read, (vae, rvq))
    kept = {"codecs": asked.codecs, "sentences": len(read)}
    rows = [codec.Scored(**row) for row in cache.rows("codecs", kept, lambda: codec.score(asked, codec.load(asked)))]
    systems = list(dict.fromkeys(row.codec for row in rows if row.codec != codec.ORIGINAL))
    orders, table = [], []
    for figure in codec.FIGURE_ORDER:
        pairs = {
            system: sums([r for r in rows if (r.figure, r.codec) == (figure, system)], "clip", _values)
            for system in (*systems, codec.ORIGINAL)
        }
        table.append({"figure": figure} | {name: total(found) if found else "-" for name, found in pairs.items()})
        if figure in _CLAIMS:
            better, worse = (pairs[system] for system in systems)
            found = paired_difference(better, worse, np.random.default_rng(0), higher_is_better=figure not in _LOWER)
            ours = (total(better), total(worse))
            orders.append(Order(systems[0], systems[1], figure, "table 1", _CLAIMS[figure], ours, found))
    errors, note = _abx(settings, cache, kept, read)
    for figure in dict.fromkeys(name for name, _ in errors):
        better, worse = (errors[figure, system] for system in systems)
        ours = (float(np.mean(better)), float(np.mean(worse)))
        table.append({"figure": figure, systems[0]: ours[0], systems[1]: ours[1], codec.ORIGINAL: "-"})
        orders.append(Order(systems[0], systems[1], figure, "table 1", _ABX, ours, seed_difference(better, worse)))
    text = (
        f"{len(read)} sentences read by held-out speakers. ABX is that of table 1 with flite's own phone times, "
        f"its range that over the draws of the seeds.{note}\n\n" + show(table)
    )
    return Section("Codecs (table 1)", text, orders)


def _abx(
    settings: Settings, cache: Cache, kept: dict[str, Any], read: Sequence[Sentence]
) -> tuple[dict[tuple[str, str], list[float]], str]:
    """Errors by figure and codec, one a seed; with them what there is to say, where the sentences do not suffice."""
    errors: dict[tuple[str, str], list[float]] = {}
    for seed in settings.seeds:
        drawn = codec.Settings(read, settings.codecs[:2], seed=seed)
        try:
            rows = cache.rows(
                "abx", {**kept, "seed": seed}, lambda drawn=drawn: codec.discriminate(drawn, codec.load(drawn))
            )
        except InputError as error:
            return {}, f" ABX is left out: {error}"
        for row in rows:
            errors.setdefault((row["figure"], row["codec"]), []).append(row["error"])
    return errors, ""


def _values(row: codec.Scored) -> tuple[float, float]:
    return row.top, row.bottom

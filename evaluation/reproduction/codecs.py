"""Codecs: table 1 of CALM, a VAE against an RVQ codec with the same encoder and decoder."""

from typing import Any

import numpy as np

from evaluation.bundled import codec
from evaluation.bundled.sentences import read_sentences
from evaluation.errors import InputError
from evaluation.reproduction.cache import Cache
from evaluation.reproduction.orders import Order, paired_difference
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
    for figure in codec.SCORED:
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
    told, note = _abx(asked, cache, kept)
    for figure in dict.fromkeys(row.figure for row in told):
        better, worse = (
            sums([r for r in told if (r.figure, r.codec) == (figure, system)], "phones", _values) for system in systems
        )
        found, ours = paired_difference(better, worse, np.random.default_rng(0)), (total(better), total(worse))
        table.append({"figure": figure, systems[0]: ours[0], systems[1]: ours[1], codec.ORIGINAL: "-"})
        orders.append(Order(systems[0], systems[1], figure, "table 1", _ABX, ours, found))
    text = (
        f"{len(read)} sentences read by held-out speakers. ABX is that of table 1 with flite's own phone times, "
        f"its interval over pairs of phones.{note}\n\n" + show(table)
    )
    return Section("Codecs (table 1)", text, orders)


def _abx(asked: codec.Settings, cache: Cache, kept: dict[str, Any]) -> tuple[list[codec.Discriminated], str]:
    """ABX by pair of phones; with it what there is to say, where the sentences do not suffice."""
    try:
        rows = cache.rows("phones", kept, lambda: codec.discriminate(asked, codec.load(asked)))
    except InputError as error:
        return [], f" ABX is left out: {error}"
    return [codec.Discriminated(**row) for row in rows], ""


def _values(row: codec.Scored | codec.Discriminated) -> tuple[float, float]:
    return row.top, row.bottom

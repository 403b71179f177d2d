"""Where measurements come from: a record that still holds, or the models, the corpus and the judges that are here."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.reproduction import fingerprints
from evaluation.reproduction.cache import Cache
from evaluation.reproduction.music.settings import Settings
from evaluation.reproduction.records import Figures, Record, Records, agreeing

if TYPE_CHECKING:
    from evaluation.bundled.hearing import Ear
    from evaluation.bundled.pieces import HeldOut, Piece

Measure = Callable[[list[int]], dict[int, Figures]]
PER_PART = 8
"""Prompts that are measured before what was heard of them is kept: a run that is stopped loses no more."""
SHARED = ("corpus", "embedder_weights")
"""Settings that all records of one table must agree in."""


class Desk:
    """All that sections measure with.

    Args:
        settings: What is asked for.
        records: Measurements that are kept with the project.
        cache: What was heard of single clips, so that a measurement that was stopped goes on.
        measuring: Whether what is not kept is measured.

    Raises:
        InputError: The corpus is not there, or holds too few pieces.
    """

    def __init__(self, settings: Settings, records: Records, cache: Cache, measuring: bool = True):
        self.settings, self.records, self.cache, self.measuring = settings, records, cache, measuring
        self.judge, self.tags, self.classifier = settings.judge, settings.tags, settings.classifier
        self.held_out = _opened(settings)
        self.corpus: str | None = None
        if self.held_out is not None:
            self.corpus = fingerprints.of_values(self.held_out.facts())
            assert self.prompts and self.others  # too few pieces are found before any work

    @cached_property
    def ear(self) -> "Ear":
        """The judges, loaded when they are first needed."""
        from evaluation.bundled.hearing import Ear

        asked = self.settings
        attributes = asked.attributes if self.classifier else None
        return Ear(asked.embedder, asked.tagger if self.tags else None, attributes, asked.device)

    @cached_property
    def prompts(self) -> "list[Piece]":
        """The pieces that are gone on from; those of captions are the first of them."""
        assert self.held_out
        asked = self.settings
        lasting = asked.prompt_seconds + asked.seconds
        return self.held_out.judged(asked.judged, lasting, "--prompts, --captions")

    @cached_property
    def others(self) -> "list[Piece]":
        """The pieces beside which all are compared."""
        assert self.held_out
        return self.held_out.others(self.prompts, self.settings.prompt_seconds + self.settings.seconds)

    @cached_property
    def reference(self) -> list[np.ndarray]:
        """Embeddings `[W, E]` of each of the other pieces, of the same seconds as what follows a prompt."""
        asked = self.settings
        kept = {**self.heard_with, "seconds": asked.seconds, "prompt_seconds": asked.prompt_seconds}

        def measure() -> list[Any]:
            parts = [piece.part(asked.prompt_seconds, asked.seconds) for piece in self.others]
            return [{"windows": rounded(self.ear.windows(part))} for part in counted("other pieces", parts)]

        return [np.array(row["windows"]) for row in self.cache.rows("reference", kept, measure)]

    @property
    def heard_with(self) -> dict[str, Any]:
        """What every measurement by ear depends on; None where it is not known now."""
        asked = self.settings
        return {
            "corpus": self.corpus, "judged": asked.judged, "embedder": asked.ear, "embedder_weights": self.judge,
        }  # fmt: skip

    def can_hear(self) -> bool:
        """Whether the corpus and the embedder are here."""
        return self.held_out is not None and self.judge is not None

    def record(
        self, kind: str, system: str, weights: str | None, settings: Mapping[str, Any], seeds: Sequence[int],
        measure: Measure, extras: Mapping[str, Any] | None = None, ready: bool | None = None,
    ) -> Record | None:  # fmt: skip
        """The measurement of a system: a record that holds, else a new one, else None.

        Args:
            kind: Of measurement.
            system: Its label.
            weights: Fingerprint of its model; None where it is not here.
            settings: All that figures depend on, None for what is not known now.
            seeds: Of generation.
            measure: Makes the figures of given seeds.
            extras: Fingerprints of judges; where one is missing its figures are.
            ready: Whether all but the model is here; by default whether anything can be heard.
        """
        wanted, extras = sorted(set(seeds)), dict(extras or {})
        found = self.records.read(kind, system)
        holds = found is not None and found.fits(settings) and weights in (None, found.weights)
        can = self.measuring and weights is not None and (self.can_hear() if ready is None else ready)
        known = {int(seed) for seed in found.seeds} if found is not None and holds else set()
        judged = found is not None and all(found.extras.get(k) == v for k, v in extras.items() if v is not None)
        if not can or (judged and known >= set(wanted)):
            return found if holds and known & set(wanted) else None
        if found is None or not holds or not judged:
            found = Record(kind, system, weights or "", dict(settings), extras, {})
            known = set()
        print(f"{kind}: {system}", file=sys.stderr, flush=True)
        made = measure([seed for seed in wanted if seed not in known])
        found.seeds |= {str(seed): figures for seed, figures in made.items()}
        self.records.write(found)
        return self.records.read(kind, system)

    def parts(
        self, name: str, settings: Mapping[str, Any], pieces: "Sequence[Piece]", hear: Callable[[int, Any], list[Any]]
    ) -> list[dict[str, Any]]:
        """What was heard of each piece, kept after every few of them.

        Args:
            name: Of what is measured.
            settings: All that it depends on.
            pieces: What is gone through.
            hear: Rows of a piece, by its number.
        """
        rows: list[dict[str, Any]] = []
        for begin in range(0, len(pieces), PER_PART):
            part = pieces[begin : begin + PER_PART]
            label = f"{name}, {begin + 1} to {begin + len(part)} of {len(pieces)}"

            def measure(part: Any = part, begin: int = begin, label: str = label) -> list[Any]:
                numbered = list(enumerate(part, start=begin))
                return [row for number, piece in counted(label, numbered) for row in hear(number, piece)]

            rows += self.cache.rows(name, {**settings, "begin": begin, "count": len(part)}, measure)
        return rows


def _opened(settings: Settings) -> "HeldOut | None":
    if settings.corpus is None:
        return None
    from evaluation.bundled.pieces import HeldOut

    return HeldOut(settings.corpus)


def counted(label: str, items: Sequence[Any]) -> Any:
    """Go through items, counting on stderr."""
    from evaluation.bundled.engine import progress

    return progress(label, items)


def rounded(values: np.ndarray) -> list[Any]:
    """Embeddings as lists with five digits."""
    return [[float(f"{value:.5g}") for value in row] for row in values.tolist()]


def comparable(records: Mapping[str, Record | None]) -> tuple[dict[str, Record], str]:
    """Those that were measured and compare, by label, and a sentence about those that are left out."""
    measured = {label: record for label, record in records.items() if record is not None}
    kept, apart = agreeing(list(measured.values()), SHARED)
    missing = [label for label, record in records.items() if record is None]
    said = [f"Not measured yet: {', '.join(missing)}."] if missing else []
    if apart:
        labels = ", ".join(label for label, record in measured.items() if any(record is one for one in apart))
        said.append(f"Left out, since measured on another corpus or by another embedder: {labels}.")
    return {label: record for label, record in measured.items() if any(record is one for one in kept)}, " ".join(said)

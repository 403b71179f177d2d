"""Measurements that are kept with the project, since models come and go and a report is made of all that were here.

A record is one JSON file, of one system under one kind of measurement: figures by seed, with fingerprints of the
weights and of everything else that they depend on. It is used again while they agree, or while what would be measured
is not at hand.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evaluation.errors import InputError


@dataclass
class Figures:
    """What was measured with one seed.

    Attributes:
        sets: Figures that only a whole set of clips has: `value`, and its `resamples` where it has an interval.
        clips: Figures of single clips, by figure and unit (a prompt or a caption).
        facts: What else is to be told, such as numbers of clips.
    """

    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    clips: dict[str, dict[str, float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Record:
    """All measurements of one kind of one system.

    Attributes:
        kind: Of measurement.
        system: What was measured.
        weights: Fingerprint of the model; empty for what is real.
        settings: Everything else that the figures depend on.
        extras: Fingerprints of judges whose figures can be missing.
        seeds: Figures by seed.
    """

    kind: str
    system: str
    weights: str
    settings: dict[str, Any]
    extras: dict[str, Any]
    seeds: dict[str, Figures]

    def fits(self, settings: Mapping[str, Any]) -> bool:
        """Whether it was measured so; what is None in `settings` is not known now, and anything fits it."""
        return all(value is None or self.settings.get(key) == value for key, value in settings.items())


class Records:
    """A folder of records.

    Args:
        folder: Made when something is kept.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, kind: str, system: str) -> Path:
        """The file of a record."""
        return self.folder / f"{slug(kind)}-{slug(system)}.json"

    def read(self, kind: str, system: str) -> Record | None:
        """The record, if there is one.

        Raises:
            InputError: The file is damaged.
        """
        path = self.path(kind, system)
        return _parsed(path) if path.is_file() else None

    def all_of(self, kind: str) -> list[Record]:
        """Every record of a kind.

        Raises:
            InputError: A file is damaged.
        """
        found = [_parsed(path) for path in sorted(self.folder.glob(f"{slug(kind)}-*.json"))]
        return [record for record in found if record.kind == kind]

    def write(self, record: Record) -> None:
        """Keep a record, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(record.kind, record.system)
        part = path.with_suffix(".part")
        text = json.dumps(_rounded(asdict(record)), separators=(",", ":"), allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")
        os.replace(part, path)


def agreeing(records: Sequence[Record], keys: Sequence[str]) -> tuple[list[Record], list[Record]]:
    """Those records that most others agree with in all of `keys`, of equal numbers the first; and the others."""
    if not records:
        return [], []
    known = [json.dumps([record.settings.get(key) for key in keys], sort_keys=True, default=str) for record in records]
    common, _ = Counter(known).most_common(1)[0]
    return (
        [record for record, told in zip(records, known, strict=True) if told == common],
        [record for record, told in zip(records, known, strict=True) if told != common],
    )


def slug(text: str) -> str:
    """A name as that of a file."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


def _parsed(path: Path) -> Record:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        seeds = {seed: Figures(**figures) for seed, figures in values.pop("seeds").items()}
        return Record(**values, seeds=seeds)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not a record of measurements ({error}); remove it to measure again.") from error


def _rounded(value: Any) -> Any:
    """Floats with five digits, which is more than any figure is good for; numbers that are not finite as null."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value

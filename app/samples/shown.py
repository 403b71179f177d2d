"""What the page shows: tables that have sound, as plain values, and the files that it may ask for."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.samples.rendered import Clip, Column, Rendered, Rows, read_rendered
from app.samples.schema import Description, System, Table, read_description

log = logging.getLogger(__name__)
PREFIX = "/api/v1/samples"
_SETTINGS = {"temperature": ("temperature", ".1f"), "steps": ("steps", "d"), "cfg": ("guidance", ".1f")}


@dataclass(frozen=True)
class Shown:
    """The page's content.

    Attributes:
        tables: for JSON.
        sounds: files by their path in the folder of the samples.
        documents: paths of recipes and reports, from the repository's root.
    """

    tables: list[dict[str, Any]] = field(default_factory=list)
    sounds: dict[str, Path] = field(default_factory=dict)
    documents: frozenset[str] = frozenset()


def read_shown(folder: Path) -> Shown:
    """Join the description of a folder with what was made of it.

    A system without sound, or with sound of other settings, is left out and told in the log; so is a table without any.

    Raises:
        UserError: the description or the record cannot be read.
    """
    description, rendered = read_description(folder), read_rendered(folder)
    tables = [shown for table in description.tables if (shown := _table(table, rendered.tables.get(table.name)))]
    sounds = {name: folder / name for name in rendered.files() if (folder / name).is_file()}
    return Shown(tables, sounds, _documents(description, rendered))


def _table(table: Table, rows: Rows | None) -> dict[str, Any] | None:
    if rows is None or rows.prompts != table.prompts:
        log.info("Samples: the table %s is left out, for it has no sound yet", table.name)
        return None
    with_sound = [system for system in table.systems if _has_sound(system, rows)]
    for system in table.systems:
        if system not in with_sound:
            log.info("Samples: %s is left out of %s, for it has no sound yet", system.name, table.name)
    if not any(system.model for system in with_sound):
        return None
    return {
        "name": table.name,
        "title": table.title,
        "points": table.points,
        "prompt_seconds": table.prompts.prompt_seconds,
        "sample_rate": max(clip.sample_rate for clip in rows.heard.values()),
        "meanings": [{"label": one.label, "meaning": one.meaning} for one in table.figures],
        "report": _document(table.report.path) if table.report else None,
        "prompts": [{"name": name, **_clip(clip)} for name, clip in rows.heard.items()],
        "systems": [_system(table, system, rows.columns[system.name]) for system in with_sound],
    }


def _has_sound(system: System, rows: Rows) -> bool:
    column = rows.columns.get(system.name)
    if column is None or set(column.clips) != set(rows.heard):
        return False
    # weights are not looked at: reading them all takes too long for a start, and a test does it
    names = ("model", "task", "temperature", "steps", "cfg", "seed")
    return all(getattr(column.made_with, name) == getattr(system, name) for name in names)


def _system(table: Table, system: System, column: Column) -> dict[str, Any]:
    given = {label: (getattr(system, name), form) for name, (label, form) in _SETTINGS.items()}
    settings = {label: format(value, form) for label, (value, form) in given.items() if value is not None}
    if system.model:
        settings["seed"] = str(system.seed)
    return {
        "name": system.name,
        "title": system.title,
        "model": system.model,
        "settings": settings,
        "recipe": _document(system.recipe) if system.recipe else None,
        "changes": system.changes,
        "figures": [
            {"label": one.label, "value": f"{column.figures[one.column]:.{one.digits}f}{one.unit}"}
            for one in table.figures
            if one.column in column.figures
        ],
        "clips": {name: _clip(clip) for name, clip in column.clips.items()},
    }


def _clip(clip: Clip) -> dict[str, Any]:
    # the digest makes the address change with the sound, so that browsers may keep it
    sound = f"{PREFIX}/{clip.file}?v={clip.sha256[:12]}"
    return {"sound": sound, "seconds": clip.seconds, "text": clip.text}


def _document(path: str) -> dict[str, str]:
    return {"name": Path(path).name, "address": f"{PREFIX}/documents/{path}"}


def _documents(description: Description, rendered: Rendered) -> frozenset[str]:
    shown = [table for table in description.tables if table.name in rendered.tables]
    reports = [table.report.path for table in shown if table.report]
    return frozenset([*reports, *(one.recipe for table in shown for one in table.systems if one.recipe)])

"""What was made, and of what: `rendered.json` ties every file to the settings and weights that it was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from app.errors import UserError
from app.samples.reports import figures_of
from app.samples.schema import Description, Prompts, Strict, System, Table

RECORD = "rendered.json"
PROMPT = "prompt"
WEIGHTS = "model.safetensors"


class Clip(Strict):
    """One file. `file` is a path in the folder of the samples, `text` what is said in it, or what the music is."""

    file: str
    sha256: str
    seconds: float
    sample_rate: int
    text: str = ""

    def is_there(self, folder: Path) -> bool:
        """Whether the file is the one that was made."""
        path = folder / self.file
        return path.is_file() and sha256(path) == self.sha256


class MadeWith(Strict):
    """All that decides how a system sounds, beside the prompts; `weights` is a digest of model and codec."""

    model: str | None = None
    weights: str | None = None
    task: str | None = None
    temperature: float | None = None
    steps: int | None = None
    cfg: float | None = None
    seed: int = 0


class Column(Strict):
    """A system's clips by prompt, and its figures by column of the report."""

    made_with: MadeWith
    figures: dict[str, float] = Field(default={})
    clips: dict[str, Clip] = Field(default={})


class Rows(Strict):
    """A table's prompts as they are heard, and its columns by system."""

    prompts: Prompts
    heard: dict[str, Clip]
    columns: dict[str, Column]


class Rendered(Strict):
    """Everything that lies in `audio`, by table."""

    tables: dict[str, Rows] = Field(default={})

    def files(self) -> set[str]:
        """Paths of all clips in the folder of the samples."""
        kept = [clip for rows in self.tables.values() for clip in rows.heard.values()]
        kept += [c for rows in self.tables.values() for column in rows.columns.values() for c in column.clips.values()]
        return {clip.file for clip in kept}


def read_rendered(folder: Path) -> Rendered:
    """The record of a folder; an empty one where nothing was made yet.

    Raises:
        UserError: there is one that cannot be read.
    """
    path = folder / RECORD
    if not path.is_file():
        return Rendered()
    try:
        return Rendered.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise UserError(
            f"{path} is not a record of samples; delete it and render them anew.", code="bad_samples"
        ) from None


def write_rendered(folder: Path, rendered: Rendered) -> None:
    """Replace the record of a folder."""
    part = folder / f"{RECORD}.part"
    part.write_text(rendered.model_dump_json(indent=1, exclude_defaults=True) + "\n", encoding="utf-8")
    part.replace(folder / RECORD)


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def made_with(system: System, checkpoints: Path, before: Column | None = None) -> MadeWith | None:
    """How a system is to be made; None when its model is not there.

    Args:
        system: Which one.
        checkpoints: Folder of models.
        before: What was made last time; the weights of a model that is not bundled are taken to be those of then.
    """
    if system.model is None:
        return MadeWith()
    weights = weights_of(checkpoints / system.model)
    if weights is None and not system.bundled and before is not None:
        weights = before.made_with.weights
    if weights is None:
        return None
    values = system.model_dump(include={"model", "task", "temperature", "steps", "cfg", "seed"})
    return MadeWith(weights=weights, **values)


def weights_of(model: Path) -> str | None:
    """Digest of the weights in a model's folder and of those that it names; None without any."""
    if not (model / WEIGHTS).is_file():
        return None
    config = yaml.safe_load((model / "config.yaml").read_text(encoding="utf-8"))
    others = (config.get(key) for key in ("codec_weights_path", "base_weights_path"))
    files = [model / WEIGHTS, *(model / other for other in others if other and (model / other).is_file())]
    return hashlib.sha256("".join(sha256(path) for path in files).encode()).hexdigest()


def is_kept(column: Column | None, wanted: MadeWith, rows: Rows, folder: Path) -> bool:
    """Whether a column's clips are those that would be made now."""
    if column is None or column.made_with != wanted or set(column.clips) != set(rows.heard):
        return False
    return all(clip.is_there(folder) for clip in column.clips.values())


def stale(folder: Path, description: Description, checkpoints: Path) -> list[str]:
    """What of a folder is no longer as described, one sentence each; empty when all is in order.

    Args:
        folder: With `rendered.json` and `audio`.
        description: What there should be.
        checkpoints: The models; a system whose model is not there needs no sound.
    """
    rendered, found = read_rendered(folder), []
    for table in description.tables:
        found += [f"{table.name}: {fault}" for fault in _stale_table(folder, table, rendered, checkpoints)]
    described = {table.name for table in description.tables}
    found += [f"{name}: no longer described" for name in rendered.tables if name not in described]
    there = {str(path.relative_to(folder)) for path in (folder / "audio").rglob("*") if path.is_file()}
    found += [f"{name}: not recorded" for name in sorted(there - rendered.files())]
    return found


def is_complete(table: Table, wanted: Iterable[MadeWith | None]) -> bool:
    """Whether as many of the table's models are there as it needs.

    Args:
        table: As described.
        wanted: What each of its systems would be made with; None where its model is not there.
    """
    return sum(one is not None and one.model is not None for one in wanted) >= table.least


def _stale_table(folder: Path, table: Table, rendered: Rendered, checkpoints: Path) -> list[str]:
    rows = rendered.tables.get(table.name)
    columns = {} if rows is None else rows.columns
    wanted = {system.name: made_with(system, checkpoints, columns.get(system.name)) for system in table.systems}
    if not is_complete(table, wanted.values()):
        return ["has sound of models that are not there"] if rows else []
    if rows is None:
        return ["was never rendered"]
    if rows.prompts != table.prompts:
        return ["the prompts are described otherwise"]
    found = [f"{clip.file} is not the file that was made" for clip in rows.heard.values() if not clip.is_there(folder)]
    for system in table.systems:
        one, column = wanted[system.name], rows.columns.get(system.name)
        if one is None:
            found += [f"{system.name} has sound of a model that is not there"] if column else []
        elif column is None or not is_kept(column, one, rows, folder):
            found.append(f"{system.name} is described otherwise, its model changed, or files are missing")
        elif column.figures != figures_of(table, system):
            found.append(f"{system.name} has other figures in the report")
    known = {system.name for system in table.systems}
    return found + [f"{name} is no longer described" for name in rows.columns if name not in known]

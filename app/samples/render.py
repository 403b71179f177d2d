"""Make the sounds of one table; what is still as described is kept."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from app.samples.prompts import Passage, make_passages
from app.samples.rendered import (
    PROMPT,
    WEIGHTS,
    Clip,
    Column,
    MadeWith,
    Rows,
    is_complete,
    is_kept,
    made_with,
    sha256,
)
from app.samples.reports import figures_of
from app.samples.schema import Prompts, System, Table
from app.samples.sound_file import ENDING, write_clip

log = logging.getLogger(__name__)


class _Passages:
    """The passages of a table, made when the first one is asked for: flite and the vocoder take their time."""

    def __init__(self, prompts: Prompts):
        self._prompts = prompts

    @cached_property
    def all(self) -> list[Passage]:
        return make_passages(self._prompts)


def render_table(folder: Path, table: Table, checkpoints: Path, before: Rows | None) -> Rows | None:
    """Make what is missing or no longer as described.

    Args:
        folder: `audio/TABLE/SYSTEM/PROMPT.ogg` are written below it.
        table: What to make.
        checkpoints: Folder of models.
        before: What was made last time.

    Returns:
        What there is now; None when of the table's models fewer are there than it needs.

    Raises:
        UserError: flite or fluidsynth is missing, a report lacks what is asked of it.
        InputError: a model cannot be used.
    """
    columns = {} if before is None else before.columns
    wanted = {system.name: made_with(system, checkpoints, columns.get(system.name)) for system in table.systems}
    for system in table.systems:
        if wanted[system.name] is None:
            log.info("%s: %s is left out, for there is no model %s yet", table.name, system.name, system.model)
    if not is_complete(table, wanted.values()):
        return None
    passages = _Passages(table.prompts)
    if before is None or before.prompts != table.prompts or not all(c.is_there(folder) for c in before.heard.values()):
        heard = {
            one.name: _write(folder, table, PROMPT, one, one.prompt, one.rate, one.prompt_text) for one in passages.all
        }
        before = Rows(prompts=table.prompts, heard=heard, columns={})
    rows = Rows(prompts=table.prompts, heard=before.heard, columns={})
    for system in table.systems:
        if (one := wanted[system.name]) is None:
            continue
        figures, kept = figures_of(table, system), before.columns.get(system.name)
        if system.row and not figures:
            log.info("%s: %s has no row '%s' in the report yet", table.name, system.name, system.row)
        if kept is not None and is_kept(kept, one, rows, folder):
            rows.columns[system.name] = Column(made_with=one, figures=figures, clips=kept.clips)
            continue
        if system.model is not None and not (checkpoints / system.model / WEIGHTS).is_file():
            log.info("%s: %s has to be made anew; name a folder with %s", table.name, system.name, system.model)
            continue
        clips = _made(folder, table, system, one, passages.all, checkpoints)
        rows.columns[system.name] = Column(made_with=one, figures=figures, clips=clips)
        log.info("%s: %s, %d clips", table.name, system.name, len(clips))
    return rows


def _made(
    folder: Path, table: Table, system: System, wanted: MadeWith, passages: list[Passage], checkpoints: Path
) -> dict[str, Clip]:
    if system.model is None:
        return {
            one.name: _write(folder, table, system.name, one, one.whole, one.rate, one.rest_text) for one in passages
        }
    import torch

    import calm_core

    task: Any = calm_core.load(str(checkpoints / system.model), task=wanted.task)  # pyright: ignore[reportArgumentType, reportCallIssue]
    asked = {name: getattr(wanted, name) for name in ("temperature", "steps", "cfg")}
    asked = {name: value for name, value in asked.items() if value is not None}
    clips = {}
    for number, one in enumerate(passages):
        prompt = calm_core.Audio(torch.from_numpy(one.prompt), one.rate)
        made = task.generate(prompt, table.prompts.seconds, seed=1000 * wanted.seed + number, **asked)
        samples = made.samples.numpy().reshape(-1)
        clips[one.name] = _write(
            folder, table, system.name, one, samples, made.sample_rate, made.meta.get("text", "")
        )  # fmt: skip
    return clips


def _write(
    folder: Path, table: Table, system: str, passage: Passage, samples: np.ndarray, rate: int, text: str
) -> Clip:
    name = f"audio/{table.name}/{system}/{passage.name}{ENDING}"
    seconds, rate = write_clip(folder / name, samples, rate)
    return Clip(file=name, sha256=sha256(folder / name), seconds=seconds, sample_rate=rate, text=" ".join(text.split()))

"""Votes put into the tables as the service writes them, without listening: by the thousand, and at any moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import select

from app.db import Database
from app.db import study_models as rows
from tests.studies.making import put_study, study

NAMES = ("amber", "birch", "cedar", "dune", "ember")
BEGIN = datetime(2026, 11, 1, 9, tzinfo=UTC)


@dataclass
class Answered:
    """One answer to be stored: `system_b` and `outcome` for pairs, `score` for the others."""

    rater: str
    item: str
    system: str
    system_b: str | None = None
    outcome: str | None = None
    score: float | None = None
    at: datetime = BEGIN
    both_bad: bool = False
    phase: str = "main"
    attribute: str = "overall"


class Crowd:
    """The listeners of one study."""

    def __init__(
        self, database: Database, media: Path, kind: str, slug: str, systems: Iterable[str] = NAMES, **changes: Any
    ):
        self.database, self.kind, self.slug = database, kind, slug
        named: list[dict[str, Any]] = [{"name": name} for name in systems]
        if kind == "mushra":
            named[0]["role"] = "reference"
        items = [{"name": f"item{number}", "text": "The boats came home."} for number in range(4)]
        values = {"slug": slug, "systems": named, "prompts": items, "reference": None, "questionnaire": None, **changes}
        self.version = put_study(database, media, study(kind, **values), seconds=0.1)
        with database.read() as session:
            self.study = session.get_one(rows.StudyVersion, self.version).study_id
            systems_by_id = dict(
                session.execute(
                    select(rows.System.id, rows.System.name).where(rows.System.version_id == self.version)
                ).all()
            )  # pyright: ignore
            prompts = dict(
                session.execute(
                    select(rows.Prompt.id, rows.Prompt.name).where(rows.Prompt.version_id == self.version)
                ).all()
            )  # pyright: ignore
            self.prompts = {name: key for key, name in prompts.items()}
            self.stimuli = {
                (systems_by_id[one.system_id], prompts[one.prompt_id]): one.id
                for one in session.scalars(select(rows.Stimulus).where(rows.Stimulus.version_id == self.version))
            }
        self.sessions: dict[str, str] = {}
        self.raters: dict[str, str] = {}
        self.positions: dict[str, int] = {}

    def come(self, name: str, panel: str = "open", language: str = "en") -> None:
        """A listener begins."""
        with self.database.write() as session:
            rater = rows.Rater(study_id=self.study, panel=panel, panel_id=None)
            session.add(rater)
            session.flush()
            sitting = rows.RaterSession(
                rater_id=rater.id, version_id=self.version, seed=1, language=language, state="finished"
            )
            session.add(sitting)
            session.flush()
            self.raters[name], self.sessions[name] = rater.id, sitting.id

    def answer(self, answers: Iterable[Answered]) -> None:
        """Store answers in one transaction."""
        given = list(answers)
        for name in {one.rater for one in given} - set(self.sessions):
            self.come(name)
        with self.database.write() as session:
            added: list[Any] = []
            for one in given:
                trial = uuid4().hex
                position = self.positions[one.rater] = self.positions.get(one.rater, -1) + 1
                added.append(
                    rows.Trial(
                        id=trial, session_id=self.sessions[one.rater], position=position, phase=one.phase,
                        prompt_id=self.prompts[one.item], seed=1, served_at=one.at, answered_at=one.at,
                    )
                )  # fmt: skip
                added.append(rows.Vote(key=uuid4().hex, trial_id=trial, received_at=one.at, body_digest="0" * 64))
                added.append(self._row(trial, one))
                if one.both_bad:
                    added.append(
                        rows.Event(session_id=self.sessions[one.rater], trial_id=trial, kind="both_bad", at=one.at)
                    )
            # tables in the order of their keys
            for kind in (rows.Trial, object):
                session.add_all([row for row in added if isinstance(row, rows.Trial) == (kind is rows.Trial)])
                session.flush()

    def flag(self, name: str, kind: str = "trap_failed") -> None:
        """A doubt about a listener."""
        with self.database.write() as session:
            session.add(rows.Flag(session_id=self.sessions[name], kind=kind))

    def _row(self, trial: str, one: Answered) -> Any:
        stimulus = self.stimuli[one.system, one.item]
        if one.system_b is not None:
            assert one.outcome is not None
            other = self.stimuli[one.system_b, one.item]
            return rows.ComparisonRow(
                trial_id=trial,
                attribute=one.attribute,
                stimulus_a_id=stimulus,
                stimulus_b_id=other,
                outcome=one.outcome,
            )
        table = rows.OpinionScoreRow if self.kind == "mos" else rows.MushraScoreRow
        assert one.score is not None
        return table(trial_id=trial, stimulus_id=stimulus, attribute=one.attribute, score=one.score)


def pairs(
    count: int, seed: int = 0, systems: tuple[str, ...] = NAMES, raters: int = 20, step: float = 60
) -> list[Answered]:
    """Votes of listeners who like earlier names better, with ties."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        a, b = rng.choice(len(systems), 2, replace=False)
        lean = (b - a) * 0.35 + rng.logistic()
        outcome = "tie" if abs(lean) < 0.3 else "a" if lean > 0 else "b"
        found.append(
            Answered(
                f"rater{rng.integers(raters)}", f"item{rng.integers(4)}", systems[a], systems[b], outcome,
                at=BEGIN + timedelta(seconds=step * number),
            )
        )  # fmt: skip
    return found


def scores(
    systems: tuple[str, ...], levels: tuple[float, ...], top: float, raters: int = 12, seed: int = 0
) -> list[Answered]:
    """Every rater scores every system on every item; `levels` are the systems' means."""
    rng = np.random.default_rng(seed)
    found = []
    for rater in range(raters):
        taste = rng.normal(0, 0.05 * top)
        for item in range(4):
            for system, level in zip(systems, levels, strict=True):
                value = float(np.clip(round(level + taste + rng.normal(0, 0.1 * top)), 0 if top == 100 else 1, top))
                at = BEGIN + timedelta(minutes=7 * (rater * 4 + item))
                found.append(Answered(f"rater{rater}", f"item{item}", system, score=value, at=at))
    return found

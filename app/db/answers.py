"""What was answered, read back: as the evaluation's records, or with everything that is known about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.db.study_models import (
    ComparisonRow,
    MushraScoreRow,
    OpinionScoreRow,
    Prompt,
    Rater,
    RaterSession,
    Stimulus,
    Study,
    StudyVersion,
    System,
    Trial,
)
from evaluation.records import Comparison, MushraScore, OpinionScore, Outcome, Record

KINDS: dict[str, type[Record]] = {
    "comparisons": Comparison,
    "opinion_scores": OpinionScore,
    "mushra_scores": MushraScore,
}


@dataclass(frozen=True)
class Answer:
    """One answer to one question of one trial.

    `system_b` and `outcome` belong to comparisons, `score` to the other two kinds.
    """

    kind: str
    version: int
    session: str
    rater: str
    excluded: bool
    trial: str
    position: int
    phase: str
    item: str
    attribute: str
    system: str
    role: str
    system_b: str | None
    outcome: Outcome | None
    score: float | None
    answered_at: datetime | None

    def record(self) -> Record:
        """The same as the evaluation sees it."""
        if self.kind == "comparisons":
            assert self.system_b is not None and self.outcome is not None
            return Comparison(self.system, self.system_b, self.outcome, self.rater, self.item)
        assert self.score is not None
        if self.kind == "mushra_scores":
            return MushraScore(self.rater, self.item, self.system, self.score)
        return OpinionScore(self.rater, self.system, self.item, self.score)


def answers(session: Session, study_id: str) -> Iterator[Answer]:
    """Every answer of a study, of all versions, phases and raters, in the order of sessions and trials."""
    second = aliased(System)
    heard = aliased(Stimulus)
    comparisons = (
        _about(ComparisonRow, ComparisonRow.stimulus_a_id, study_id)
        .add_columns(second.name, ComparisonRow.outcome)
        .join(heard, heard.id == ComparisonRow.stimulus_b_id)
        .join(second, second.id == heard.system_id)
    )
    for row in session.execute(comparisons):
        *known, system_b, outcome = tuple(row)
        yield _answer("comparisons", known, system_b=system_b, outcome=outcome)
    for kind, table in (("opinion_scores", OpinionScoreRow), ("mushra_scores", MushraScoreRow)):
        for row in session.execute(_about(table, table.stimulus_id, study_id).add_columns(table.score)):
            *known, score = tuple(row)
            yield _answer(kind, known, score=score)


def counted(found: Iterator[Answer]) -> Iterator[Answer]:
    """Those that results rest on: of main trials, by raters who are not excluded."""
    return (answer for answer in found if answer.phase == "main" and not answer.excluded)


def _about(table: Any, stimulus_id: Any, study_id: str) -> Any:
    return (
        select(
            StudyVersion.number,
            RaterSession.id,
            Rater.id,
            Rater.excluded_at,
            Trial.id,
            Trial.position,
            Trial.phase,
            Prompt.name,
            table.attribute,
            System.name,
            System.role,
            Trial.answered_at,
        )
        .select_from(table)
        .join(Trial, Trial.id == table.trial_id)
        .join(RaterSession, RaterSession.id == Trial.session_id)
        .join(Rater, Rater.id == RaterSession.rater_id)
        .join(StudyVersion, StudyVersion.id == RaterSession.version_id)
        .join(Study, Study.id == StudyVersion.study_id)
        .join(Prompt, Prompt.id == Trial.prompt_id)
        .join(Stimulus, Stimulus.id == stimulus_id)
        .join(System, System.id == Stimulus.system_id)
        .where(Study.id == study_id)
        .order_by(RaterSession.started_at, RaterSession.id, Trial.position, table.attribute, System.name)
    )


def _answer(kind: str, known: list[Any], **rest: Any) -> Answer:
    version, session, rater, excluded_at, trial, position, phase, item, attribute, system, role, at = known
    values: dict[str, Any] = {"system_b": None, "outcome": None, "score": None, **rest}
    return Answer(
        kind=kind, version=version, session=session, rater=rater, excluded=excluded_at is not None, trial=trial,
        position=position, phase=phase, item=item, attribute=attribute, system=system, role=role, answered_at=at,
        **values,
    )  # fmt: skip

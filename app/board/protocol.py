"""How a study was run, read from its newest version and its sessions: what a report's methods are written from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import Database
from app.db import study_models as rows
from app.studies.manage import find_study, newest_version
from app.studies.schema import Study, parse_study


@dataclass(frozen=True)
class Protocol:
    """A study's plan and how far it came.

    Attributes:
        study: The newest version.
        state, version: Of the study; its number.
        sessions: Sessions in each state.
        groups: Raters of each group who answered at least one main trial.
        raters: All raters who began.
        first, last: Moments of the first and the last answer.
        median_seconds: Of the stimuli's lengths.
        rate: Sample rates of the stimuli in Hz.
        exclusions: Raters whom an administrator excluded: key, reason, moment.
    """

    study: Study
    state: str
    version: int
    sessions: dict[str, int]
    groups: dict[str, int]
    raters: int
    first: datetime | None
    last: datetime | None
    median_seconds: float
    rates: tuple[int, ...]
    exclusions: tuple[tuple[str, str, datetime], ...]


def read_protocol(database: Database, slug: str) -> Protocol:
    """The protocol of a study.

    Raises:
        UserError: 404, there is none of that name.
    """
    with database.read() as session:
        study = find_study(session, slug)
        version = newest_version(session, study)
        stimuli = session.execute(
            select(rows.Stimulus.seconds, rows.Stimulus.sample_rate).where(rows.Stimulus.version_id == version.id)
        ).all()
        lengths = sorted(seconds for seconds, _ in stimuli)
        excluded = session.execute(
            select(rows.Rater.id, rows.Rater.excluded_reason, rows.Rater.excluded_at)
            .where(rows.Rater.study_id == study.id, rows.Rater.excluded_at.is_not(None))
            .order_by(rows.Rater.excluded_at, rows.Rater.id)
        )
        first, last = _ends(session, study.id)
        return Protocol(
            study=parse_study(version.yaml),
            state=study.state,
            version=version.number,
            sessions=_sessions(session, study.id),
            groups=_groups(session, study.id),
            raters=session.scalar(
                select(func.count()).select_from(rows.Rater).where(rows.Rater.study_id == study.id)
            ) or 0,
            first=first,
            last=last,
            median_seconds=lengths[len(lengths) // 2] if lengths else 0.0,
            rates=tuple(sorted({rate for _, rate in stimuli})),
            exclusions=tuple((rater, reason or "", at) for rater, reason, at in excluded if at is not None),
        )  # fmt: skip


def _sessions(session: Session, study_id: str) -> dict[str, int]:
    query = (
        select(rows.RaterSession.state, func.count())
        .join(rows.Rater, rows.Rater.id == rows.RaterSession.rater_id)
        .where(rows.Rater.study_id == study_id)
        .group_by(rows.RaterSession.state)
    )
    return {state: number for state, number in session.execute(query)}  # noqa: C416  # a row is no pair for the type checker


def _groups(session: Session, study_id: str) -> dict[str, int]:
    query = (
        select(rows.Rater.panel, rows.Rater.id)
        .join(rows.RaterSession, rows.RaterSession.rater_id == rows.Rater.id)
        .join(rows.Trial, rows.Trial.session_id == rows.RaterSession.id)
        .where(rows.Rater.study_id == study_id, rows.Trial.phase == "main", rows.Trial.answered_at.is_not(None))
        .distinct()
    )
    return dict(sorted(Counter(panel for panel, _ in session.execute(query)).items()))


def _ends(session: Session, study_id: str) -> tuple[datetime | None, datetime | None]:
    query = (
        select(func.min(rows.Trial.answered_at), func.max(rows.Trial.answered_at))
        .join(rows.RaterSession, rows.RaterSession.id == rows.Trial.session_id)
        .join(rows.Rater, rows.Rater.id == rows.RaterSession.rater_id)
        .where(rows.Rater.study_id == study_id)
    )
    first, last = session.execute(query).one()
    return first, last

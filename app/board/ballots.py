"""What the leaderboard rests on: every answer of a main trial, kept in memory and topped up by what is new."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from sys import intern
from typing import Any, Literal

from sqlalchemy import and_, false, func, literal, select
from sqlalchemy.orm import Session, aliased

from app.db import study_models as rows
from app.db.models import now

Kind = Literal["pairs", "mos", "mushra"]
OVERLAP = timedelta(minutes=10)  # answers may be committed in another order than they were given
BOTH_BAD = "both_bad"


@dataclass(frozen=True, slots=True)
class Ballot:
    """One answer to one question of one trial; `system_b` and `outcome` belong to pairs, `score` to the others."""

    key: str
    kind: Kind
    study: str
    attribute: str
    rater: str
    group: str
    language: str
    item: str
    at: datetime
    system: str
    role: str
    system_b: str | None = None
    role_b: str | None = None
    outcome: str | None = None
    both_bad: bool = False
    score: float | None = None


@dataclass(frozen=True)
class Raters:
    """Who is left out of the results: the excluded with the reason that was given, the flagged with their flags."""

    excluded: dict[str, str]
    flagged: dict[str, tuple[str, ...]]


@dataclass
class Ballots:
    """The answers of a database, as they were at the last `refresh`."""

    counted: list[Ballot] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)
    _newest: datetime | None = None

    def refresh(self, session: Session) -> None:
        """Take in what is new; everything anew where counting shows that something older has come or gone."""
        # an answer from the future, of a clock that was wrong, does not hide those that come now
        since = min(self._newest, now()) - OVERLAP if self._newest else None
        self._take_in(session, since)
        if since and len(self._known) != _stored(session):
            self.counted, self._known, self._newest = [], set(), None
            self._take_in(session, None)

    def _take_in(self, session: Session, since: datetime | None) -> None:
        for kind, query in _queries(since):
            for phase, *values in session.execute(query):
                if values[0] in self._known:
                    continue
                self._known.add(values[0])
                ballot = _ballot(kind, values)
                if self._newest is None or ballot.at > self._newest:
                    self._newest = ballot.at
                if phase == "main":
                    self.counted.append(ballot)


def stamp(session: Session) -> str:
    """Something that differs after every vote, exclusion, flag and new version of a study; cheap to ask for."""
    parts = []
    for table, moment in (
        (rows.Vote, rows.Vote.received_at),
        (rows.Audit, rows.Audit.at),
        (rows.Flag, rows.Flag.created_at),
        (rows.StudyVersion, rows.StudyVersion.created_at),
    ):
        count, newest = session.execute(select(func.count(), func.max(moment)).select_from(table)).one()
        parts.append(f"{count} {newest}")
    return "|".join(parts)


def read_raters(session: Session) -> Raters:
    """Exclusions and flags as they are now; a session that ended at its time limit is no cause for doubt."""
    excluded = session.execute(
        select(rows.Rater.id, rows.Rater.excluded_reason).where(rows.Rater.excluded_at.is_not(None))
    )
    flags: dict[str, set[str]] = defaultdict(set)
    query = select(rows.RaterSession.rater_id, rows.Flag.kind).join(
        rows.RaterSession, rows.RaterSession.id == rows.Flag.session_id
    )
    for rater, kind in session.execute(query.where(rows.Flag.kind != "time_limit").distinct()):
        flags[rater].add(kind)
    return Raters(
        {rater: reason or "" for rater, reason in excluded},
        {rater: tuple(sorted(kinds)) for rater, kinds in flags.items()},
    )


def _stored(session: Session) -> int:
    tables = (rows.ComparisonRow, rows.OpinionScoreRow, rows.MushraScoreRow)
    return sum(session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def _queries(since: datetime | None) -> list[tuple[Kind, Any]]:
    heard, second = aliased(rows.Stimulus), aliased(rows.System)
    told = (
        select(rows.Event.id)
        .where(rows.Event.trial_id == rows.Trial.id, rows.Event.kind == BOTH_BAD)
        .correlate(rows.Trial)
    )
    pairs = (
        _about(rows.ComparisonRow, rows.ComparisonRow.stimulus_a_id, since)
        .add_columns(
            second.name,
            second.role,
            rows.ComparisonRow.outcome,
            and_(rows.ComparisonRow.outcome == "tie", told.exists()),
            literal(None),
        )
        .join(heard, heard.id == rows.ComparisonRow.stimulus_b_id)
        .join(second, second.id == heard.system_id)
    )
    found: list[tuple[Kind, Any]] = [("pairs", pairs)]
    kinds: tuple[tuple[Kind, Any], ...] = (("mos", rows.OpinionScoreRow), ("mushra", rows.MushraScoreRow))
    for kind, table in kinds:
        query = _about(table, table.stimulus_id, since)
        found.append((kind, query.add_columns(literal(None), literal(None), literal(None), false(), table.score)))
    return found


def _about(table: Any, stimulus_id: Any, since: datetime | None) -> Any:
    query = (
        select(
            rows.Trial.phase,
            table.id,
            rows.Study.slug,
            table.attribute,
            rows.Rater.id,
            rows.Rater.panel,
            rows.RaterSession.language,
            rows.Prompt.name,
            rows.Trial.answered_at,
            rows.System.name,
            rows.System.role,
        )
        .select_from(table)
        .join(rows.Trial, rows.Trial.id == table.trial_id)
        .join(rows.RaterSession, rows.RaterSession.id == rows.Trial.session_id)
        .join(rows.Rater, rows.Rater.id == rows.RaterSession.rater_id)
        .join(rows.Study, rows.Study.id == rows.Rater.study_id)
        .join(rows.Prompt, rows.Prompt.id == rows.Trial.prompt_id)
        .join(rows.Stimulus, rows.Stimulus.id == stimulus_id)
        .join(rows.System, rows.System.id == rows.Stimulus.system_id)
        .where(rows.Trial.answered_at.is_not(None))
        .order_by(rows.Trial.answered_at, table.id)
    )
    return query if since is None else query.where(rows.Trial.answered_at >= since)


def _ballot(kind: Kind, values: list[Any]) -> Ballot:
    key, study, attribute, rater, group, language, item, at, *rest = values
    system, role, system_b, role_b, outcome, both_bad, score = rest
    return Ballot(
        key=key, kind=kind, study=intern(study), attribute=intern(attribute), rater=intern(rater), group=intern(group),
        language=intern(language), item=intern(item), at=at, system=intern(system),
        role=intern(role), system_b=system_b and intern(system_b), role_b=role_b and intern(role_b),
        outcome=outcome and intern(outcome), both_bad=bool(both_bad), score=score,
    )  # fmt: skip

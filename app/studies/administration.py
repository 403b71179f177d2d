"""What an administrator sees of a study and does to it: progress, results as they come, sessions, exclusions."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.answers import Answer, answers, counted
from app.db.engine import Database
from app.db.models import now
from app.db.study_models import Audit, Flag, Rater, RaterSession, Stimulus, Study, StudyVersion, System, Trial
from app.errors import UserError
from app.studies.manage import find_study, list_studies, newest_version
from app.studies.schema import parse_study

NORMAL_95 = 1.959964  # two-sided 95 % quantile of the normal distribution
MAX_REASON = 1000
NEWEST_AUDITS = 200


def overview(database: Database) -> list[dict[str, Any]]:
    """All studies with their state and how much was voted."""
    return [{**vars(one), "created_at": one.created_at.isoformat()} for one in list_studies(database)]


def detail(database: Database, slug: str) -> dict[str, Any]:
    """Everything about one study.

    Raises:
        UserError: 404, there is none of that name.
    """
    with database.read() as session:
        study = find_study(session, slug)
        version = newest_version(session, study)
        plan = parse_study(version.yaml)
        found = list(counted(answers(session, study.id)))
        return {
            "slug": study.slug,
            "state": study.state,
            "kind": plan.kind,
            "title": {language: plan.title.get(language) for language in plan.languages},
            "version": version.number,
            "ratings_wanted": plan.ratings_wanted,
            "progress": _progress(session, version, found, plan.kind),
            "results": _results(found),
            "sessions": _sessions(session, study),
            "audit": _audit(session, study),
        }


def exclude(database: Database, rater_id: str, reason: str, *, actor: str) -> None:
    """Leave a rater's votes out of the results and of the balance; they stay in the database.

    Raises:
        UserError: no such rater, no reason, or excluded already.
    """
    _set_excluded(database, rater_id, reason, actor, excluded=True)


def include(database: Database, rater_id: str, reason: str, *, actor: str) -> None:
    """Count an excluded rater again.

    Raises:
        UserError: no such rater, no reason, or not excluded.
    """
    _set_excluded(database, rater_id, reason, actor, excluded=False)


def _set_excluded(database: Database, rater_id: str, reason: str, actor: str, *, excluded: bool) -> None:
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise UserError(f"Give a reason of 1 to {MAX_REASON} characters; it is kept for the record.", param="reason")

    def work(session: Session) -> None:
        rater = session.get(Rater, rater_id, with_for_update=True)
        if rater is None:
            raise UserError("There is no such rater.", status=404, code="unknown_rater", param="rater")
        if (rater.excluded_at is not None) == excluded:
            state = "excluded already" if excluded else "not excluded"
            raise UserError(f"This rater is {state}.", status=409, code="wrong_state", param="rater")
        rater.excluded_at = now() if excluded else None
        rater.excluded_reason = reason if excluded else None
        session.add(Audit(actor=actor, action="exclude" if excluded else "include", target=rater_id, reason=reason))

    database.transact(work)


def _progress(session: Session, version: StudyVersion, found: Iterable[Answer], kind: str) -> list[dict[str, Any]]:
    """How often each system or pair was rated: in all, and on the item that has least and most."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    items: dict[str, set[str]] = defaultdict(set)
    trials: set[tuple[str, str]] = set()
    for one in found:
        name = " / ".join(sorted((one.system, one.system_b))) if one.system_b else one.system
        if (one.trial, name) not in trials:  # several attributes of one trial are one rating
            trials.add((one.trial, name))
            seen[name][one.item] += 1
            items[name].add(one.item)
    if kind != "pairwise":
        for system in session.scalars(
            select(System.name).join(Stimulus, Stimulus.system_id == System.id).where(System.version_id == version.id)
        ):
            seen.setdefault(system, Counter())
    return [
        {
            "name": name,
            "ratings": sum(by_item.values()),
            "items": len(by_item),
            "least": min(by_item.values(), default=0),
            "most": max(by_item.values(), default=0),
        }
        for name, by_item in sorted(seen.items())
    ]


def _results(found: list[Answer]) -> list[dict[str, Any]]:
    """Results so far, for each attribute; to be published they are computed anew by the evaluation."""
    by_attribute: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for one in found:
        by_attribute[one.attribute, one.kind].append(one)
    return [
        {
            "attribute": attribute,
            "kind": kind,
            "rows": _choices(group) if kind == "comparisons" else _scores(group),
        }
        for (attribute, kind), group in sorted(by_attribute.items())
    ]


def _scores(group: list[Answer]) -> list[dict[str, Any]]:
    """Mean over raters' means with a 95 % interval, which counts people and not votes; median over votes."""
    by_system: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in group:
        assert one.score is not None
        by_system[one.system][one.rater].append(one.score)
    rows = []
    for system, by_rater in by_system.items():
        means = [statistics.fmean(scores) for scores in by_rater.values()]
        half = NORMAL_95 * statistics.stdev(means) / len(means) ** 0.5 if len(means) > 1 else None
        scores = [score for scores in by_rater.values() for score in scores]
        mean = statistics.fmean(means)
        rows.append(
            {
                "system": system,
                "mean": mean,
                "low": None if half is None else mean - half,
                "high": None if half is None else mean + half,
                "median": statistics.median(scores),
                "ratings": len(scores),
                "raters": len(means),
            }
        )
    return sorted(rows, key=lambda row: -row["mean"])


def _choices(group: list[Answer]) -> list[dict[str, Any]]:
    """Wins, ties and losses of each system, and the share of wins with a tie as half a win."""
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    raters: dict[str, set[str]] = defaultdict(set)
    for one in group:
        assert one.system_b is not None
        for name, wins in ((one.system, "a"), (one.system_b, "b")):
            outcome = "ties" if one.outcome == "tie" else "wins" if one.outcome == wins else "losses"
            tally[name][outcome] += 1
            raters[name].add(one.rater)
    rows = [
        {
            "system": name,
            "wins": of["wins"],
            "ties": of["ties"],
            "losses": of["losses"],
            "share": (of["wins"] + of["ties"] / 2) / of.total(),
            "ratings": of.total(),
            "raters": len(raters[name]),
        }
        for name, of in tally.items()
    ]
    return sorted(rows, key=lambda row: -row["share"])


def _sessions(session: Session, study: Study) -> list[dict[str, Any]]:
    """Every sitting, the newest first, with its rater, its trials and its flags."""
    flags: dict[str, list[str]] = defaultdict(list)
    mine = select(RaterSession.id).join(Rater, Rater.id == RaterSession.rater_id).where(Rater.study_id == study.id)
    for flag in session.scalars(select(Flag).where(Flag.session_id.in_(mine)).order_by(Flag.created_at)):
        flags[flag.session_id].append(flag.kind)
    trials: dict[str, list[Trial]] = defaultdict(list)
    for trial in session.scalars(select(Trial).where(Trial.session_id.in_(mine))):
        trials[trial.session_id].append(trial)
    query = (
        select(RaterSession, Rater, StudyVersion.number)
        .join(Rater, Rater.id == RaterSession.rater_id)
        .join(StudyVersion, StudyVersion.id == RaterSession.version_id)
        .where(Rater.study_id == study.id)
        .order_by(RaterSession.started_at.desc(), RaterSession.id)
    )
    rows = []
    for sitting, rater, number in session.execute(query):
        of = trials[sitting.id]
        taken = [(one.answered_at - one.served_at).total_seconds() for one in of if one.answered_at and one.served_at]
        rows.append(
            {
                "session": sitting.id,
                "rater": rater.id,
                "panel": rater.panel,
                "panel_id": rater.panel_id,
                "version": number,
                "state": sitting.state,
                "step": sitting.step,
                "language": sitting.language,
                "started_at": _moment(sitting.started_at),
                "finished_at": _moment(sitting.finished_at),
                "answered": len(taken),
                "of": len(of),
                "median_answer_seconds": statistics.median(taken) if taken else None,
                "flags": flags[sitting.id],
                "excluded_at": _moment(rater.excluded_at),
                "excluded_reason": rater.excluded_reason,
            }
        )
    return rows


def _audit(session: Session, study: Study) -> list[dict[str, Any]]:
    raters = select(Rater.id).where(Rater.study_id == study.id)
    query = select(Audit).where((Audit.target == study.slug) | Audit.target.in_(raters)).order_by(Audit.at.desc())
    return [
        {"at": _moment(one.at), "actor": one.actor, "action": one.action, "target": one.target, "reason": one.reason}
        for one in session.scalars(query.limit(NEWEST_AUDITS))
    ]


def voted(database: Database) -> int:
    """Answered trials of all studies."""
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Trial).where(Trial.answered_at.is_not(None))) or 0


def _moment(value: datetime | None) -> str | None:
    return value.isoformat(timespec="seconds") if value else None

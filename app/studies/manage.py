"""Studies that are in the database: what there is, opening, pausing, closing, copying."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import Database
from app.db import study_models as rows
from app.errors import UserError
from app.studies.create import Created, add_version, key_of
from app.studies.rules import OWN_PAGES, check_slug
from app.studies.schema import Study, parse_study
from app.studies.stimuli import Ready

State = Literal["draft", "open", "paused", "closed"]
# what may become what; a closed study can be opened again, its data were never locked away
NEXT: dict[str, tuple[str, ...]] = {
    "draft": ("open", "closed"),
    "open": ("paused", "closed"),
    "paused": ("open", "closed"),
    "closed": ("open",),
}


@dataclass(frozen=True)
class Listed:
    """A study in a list.

    Attributes:
        sessions: Number of sessions in each state, of all versions.
        votes: Answered trials of all phases.
    """

    slug: str
    kind: str
    title: str
    state: str
    version: int
    created_at: datetime
    sessions: dict[str, int]
    votes: int


def list_studies(database: Database) -> list[Listed]:
    """All studies, the newest last."""
    with database.read() as session:
        sessions: dict[str, Counter[str]] = {}
        for study_id, state, number in session.execute(
            select(rows.Rater.study_id, rows.RaterSession.state, func.count())
            .join(rows.Rater, rows.RaterSession.rater_id == rows.Rater.id)
            .group_by(rows.Rater.study_id, rows.RaterSession.state)
        ):
            sessions.setdefault(study_id, Counter())[state] = number
        answered = session.execute(
            select(rows.Rater.study_id, func.count())
            .select_from(rows.Trial)
            .join(rows.RaterSession, rows.Trial.session_id == rows.RaterSession.id)
            .join(rows.Rater, rows.RaterSession.rater_id == rows.Rater.id)
            .where(rows.Trial.answered_at.is_not(None))
            .group_by(rows.Rater.study_id)
        )
        votes = {study_id: number for study_id, number in answered}  # noqa: C416  # a row is no pair for the type checker
        listed = []
        for study in session.scalars(select(rows.Study).order_by(rows.Study.created_at, rows.Study.slug)):
            version = newest_version(session, study)
            parsed = parse_study(version.yaml)
            listed.append(
                Listed(
                    study.slug, parsed.kind, parsed.title.get("en"), study.state, version.number, study.created_at,
                    dict(sessions.get(study.id, {})), votes.get(study.id, 0),
                )
            )  # fmt: skip
        return listed


def find_study(session: Session, slug: str) -> rows.Study:
    """The study with a slug.

    Raises:
        UserError: 404, there is none.
    """
    study = session.scalar(select(rows.Study).where(rows.Study.slug == slug))
    if study is None:
        there = ", ".join(session.scalars(select(rows.Study.slug).order_by(rows.Study.slug)).all()[:10]) or "none yet"
        raise UserError(
            f"There is no study {slug[:60]!r}; there are: {there}.", status=404, code="unknown_study", param="slug"
        )
    return study


def newest_version(session: Session, study: rows.Study) -> rows.StudyVersion:
    """The version that new sessions get."""
    query = select(rows.StudyVersion).where(rows.StudyVersion.study_id == study.id)
    version = session.scalar(query.order_by(rows.StudyVersion.number.desc()).limit(1))
    assert version is not None, "a study is written together with its first version"
    return version


def set_state(database: Database, slug: str, state: State, *, actor: str, reason: str | None = None) -> str:
    """Open, pause or close a study. Sessions that run may finish in a paused study, and not in a closed one.

    Returns:
        The state that it had.

    Raises:
        UserError: 404 there is no such study; 409 it cannot go from its state to this one.
    """

    def work(session: Session) -> str:
        study = find_study(session, slug)
        before = study.state
        if before == state:
            return before
        if state not in NEXT[before]:
            raise UserError(
                f"The study {slug!r} is {before} and cannot become {state}; it can become {' or '.join(NEXT[before])}.",
                status=409,
                code="wrong_state",
            )
        study.state = state
        session.add(rows.Audit(actor=actor, action=state, target=slug, reason=reason))
        return before

    return database.transact(work)


def duplicate_study(database: Database, slug: str, new_slug: str, *, actor: str) -> Created:
    """A draft with the newest version's text and sounds under another slug, and no raters.

    Raises:
        UserError: 404 there is no such study; 409 the new slug is taken; 422 it is no slug.
    """
    try:
        check_slug(new_slug)
    except ValueError as error:
        raise UserError(f"{new_slug[:60]!r} is no slug; {error}.", status=422, code="bad_slug", param="slug") from None

    def work(session: Session) -> Created:
        source = find_study(session, slug)
        version = newest_version(session, source)
        if slug in OWN_PAGES:
            raise UserError(
                f"The study {slug!r} has a page of its own and cannot be copied.", status=409, code="own_page"
            )
        if session.scalar(select(rows.Study).where(rows.Study.slug == new_slug)) is not None:
            raise UserError(
                f"There is a study {new_slug!r} already; choose another slug.",
                status=409,
                code="slug_taken",
                param="slug",
            )
        text = _renamed(version.yaml, new_slug)
        study_id = key_of("study", new_slug)
        session.add(rows.Study(id=study_id, slug=new_slug))
        session.flush()
        version_id = _copy(session, version, text, study_id)
        session.add(rows.Audit(actor=actor, action="duplicate", target=new_slug, reason=f"copy of {slug}"))
        return Created(new_slug, 1, study_id, version_id, True, [f"A copy of version {version.number} of {slug}."], [])

    return database.transact(work)


def _copy(session: Session, version: rows.StudyVersion, text: str, study_id: str) -> str:
    """Version 1 of another study with the systems, prompts and stimuli of a version."""
    systems = list(session.scalars(select(rows.System).where(rows.System.version_id == version.id)))
    prompts = list(session.scalars(select(rows.Prompt).where(rows.Prompt.version_id == version.id)))
    stimuli = list(session.scalars(select(rows.Stimulus).where(rows.Stimulus.version_id == version.id)))
    names = {one.id: one.name for one in [*systems, *prompts]}
    ready = [
        Ready(names[one.system_id], names[one.prompt_id], one.digest, one.path, one.seconds, one.sample_rate,
              one.channels, one.lufs)
        for one in stimuli
    ]  # fmt: skip
    kinds = [(one.name, one.role) for one in systems]
    return add_version(session, study_id, 1, text, kinds, [(one.name, one.text, one.phase) for one in prompts], ready)


def _renamed(text: str, slug: str) -> str:
    """A study's text with another slug; comments and layout stay where the slug has a line of its own."""
    changed, times = re.subn(r"(?m)^slug:[ \t].*$", f"slug: {slug}", text)
    if times == 1:
        study = parse_study(changed)
        if study.slug == slug:
            return changed
    values = yaml.safe_load(text)
    values["slug"] = slug
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False)


def read_version(database: Database, slug: str) -> tuple[Study, str]:
    """The newest version of a study, parsed and as it was written.

    Raises:
        UserError: 404, there is no such study.
    """
    with database.read() as session:
        text = newest_version(session, find_study(session, slug)).yaml
    return parse_study(text), text

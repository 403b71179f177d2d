"""What is known of the studies beside their answers: titles, questions, scales."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import study_models as rows
from app.errors import UserError
from app.studies.schema import parse_study


@dataclass(frozen=True)
class About:
    """A study in the words of its newest version; questions and labels (worst first) by attribute."""

    slug: str
    title: str
    state: str
    questions: dict[str, str]
    labels: dict[str, tuple[str, ...]]


class Catalogue:
    """Reads each version of a study once."""

    def __init__(self) -> None:
        self._read: dict[str, About] = {}

    def all(self, session: Session, language: str = "en") -> dict[str, About]:
        """Every study by its name."""
        query = (
            select(rows.Study.slug, rows.Study.state, rows.StudyVersion.id)
            .join(rows.StudyVersion, rows.StudyVersion.study_id == rows.Study.id)
            .order_by(rows.StudyVersion.number)
        )
        newest = {slug: (state, version) for slug, state, version in session.execute(query)}
        return {slug: self._about(session, slug, *found, language) for slug, found in newest.items()}

    def _about(self, session: Session, slug: str, state: str, version: str, language: str) -> About:
        key = f"{version} {state}"
        if key not in self._read:
            self._read[key] = _read(slug, state, session.get_one(rows.StudyVersion, version).yaml, language)
        return self._read[key]


def _read(slug: str, state: str, yaml: str, language: str) -> About:
    try:
        study = parse_study(yaml)
    except UserError:  # of an older or newer schema: its votes count all the same, under its name in the address bar
        return About(slug, slug, state, {}, {})
    judged = study.judged()
    return About(
        slug,
        study.title.get(language) or slug,
        state,
        {one.name: one.question.get(language) for one in judged},
        {one.name: tuple(label.get(language) for label in one.labels or ()) for one in judged},
    )

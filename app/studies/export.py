"""A study's data as files for analysis: the evaluation's inputs, every trial, every person, and a codebook."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.answers import KINDS, Answer, answers, counted
from app.db.engine import Database
from app.db.study_models import (
    Audit,
    Event,
    Flag,
    Prompt,
    Rater,
    RaterSession,
    Stimulus,
    Study,
    StudyVersion,
    System,
    Trial,
    TrialStimulus,
)
from app.errors import UserError
from app.studies.export_columns import COLUMNS, MEANINGS
from app.studies.manage import find_study
from app.studies.sheets import FORMATS, WRITERS, Column, Sheet, codebook, write_document

BETWEEN_SYSTEMS = " | "


def export_study(
    database: Database, slug: str, folder: Path, *, formats: tuple[str, ...] = ("csv",), anonymous: bool = False
) -> list[Path]:
    """Write a study's files into a folder, which is made when missing.

    Args:
        database: where the study is.
        slug: its name.
        folder: files of the same names are replaced.
        formats: of `csv`, `parquet`, `json`; `codebook.json` is always written.
        anonymous: leave out the ids of panels, the completion codes and what was written as free text.

    Returns:
        What was written.

    Raises:
        UserError: no such study or format, or the folder cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"The format '{name[:20]}' is not offered; choose {', '.join(FORMATS)}.", param="format")
    with database.read() as session:
        sheets, about = read_sheets(session, slug, anonymous=anonymous)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for sheet in sheets:
            for name in formats:
                path = folder / f"{sheet.name}.{name}"
                WRITERS[name](sheet, path)
                written.append(path)
        path = folder / "codebook.json"
        write_document(codebook(sheets, about | {"formats": list(formats)}), path)
        return [*written, path]
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"The export cannot be written to {folder} ({reason}); choose another folder.") from error


def read_sheets(session: Session, slug: str, *, anonymous: bool = False) -> tuple[list[Sheet], dict[str, Any]]:
    """All tables of a study, as they are at one moment, and the head of their codebook.

    Raises:
        UserError: there is no such study.
    """
    study = find_study(session, slug)
    found = list(answers(session, study.id))
    sheets = [
        *_record_sheets(found),
        _answer_sheet(found),
        _trials(session, study),
        _raters(session, study, anonymous),
        _sessions(session, study, anonymous),
        _flags(session, study),
        _events(session, study),
        _audit(session, study),
    ]
    versions = list(
        session.scalars(select(StudyVersion).where(StudyVersion.study_id == study.id).order_by(StudyVersion.number))
    )
    about = {
        "study": study.slug,
        "state": study.state,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "anonymous": anonymous,
        "text_cells_in_csv": "A text that a spreadsheet would take for a formula has one ' before it; take it away.",
        "moments": "UTC, ISO 8601",
        "versions": [
            {"number": one.number, "created_at": one.created_at.isoformat(), "digest": one.digest, "yaml": one.yaml}
            for one in versions
        ],
    }
    return sheets, about


def _sheet(name: str, rows: list[Any], extra: tuple[Column, ...] = ()) -> Sheet:
    return Sheet(name, MEANINGS[name], (*COLUMNS[name], *extra), rows)


def _record_sheets(found: list[Answer]) -> list[Sheet]:
    """The inputs of the evaluation: a file a kind, or one for each attribute where there are several."""
    by_attribute: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in counted(iter(found)):
        by_attribute[answer.kind, answer.attribute].append(answer)
    several = Counter(kind for kind, _ in by_attribute)
    sheets = []
    for (kind, attribute), group in sorted(by_attribute.items()):
        columns = COLUMNS[kind]
        assert [column.name for column in columns] == list(KINDS[kind].__dataclass_fields__)
        rows = [tuple(getattr(record, column.name) for column in columns) for record in (a.record() for a in group)]
        name = kind if several[kind] == 1 else f"{kind}-{_file_word(attribute)}"
        sheets.append(Sheet(name, f"{MEANINGS[kind]} Attribute: {attribute}.", columns, rows))
    return sheets


def _file_word(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text)[:60]


def _answer_sheet(found: list[Answer]) -> Sheet:
    return _sheet("answers", [tuple(getattr(one, c.name) for c in COLUMNS["answers"]) for one in found])


def _trials_of(session: Session, study: Study) -> list[tuple[Trial, RaterSession, int, str]]:
    """The trials that were served, with all that they belong to."""
    query = (
        select(Trial, RaterSession, StudyVersion.number, Prompt.name)
        .join(RaterSession, RaterSession.id == Trial.session_id)
        .join(StudyVersion, StudyVersion.id == RaterSession.version_id)
        .join(Prompt, Prompt.id == Trial.prompt_id)
        .where(StudyVersion.study_id == study.id, Trial.served_at.is_not(None))
        .order_by(RaterSession.started_at, RaterSession.id, Trial.position)
    )
    return [(row[0], row[1], row[2], row[3]) for row in session.execute(query)]


def _trials(session: Session, study: Study) -> Sheet:
    heard: dict[str, list[str]] = defaultdict(list)
    given: dict[str, str] = {}
    slots = (
        select(TrialStimulus.trial_id, System.name, TrialStimulus.is_reference_given)
        .join(Stimulus, Stimulus.id == TrialStimulus.stimulus_id)
        .join(System, System.id == Stimulus.system_id)
        .join(StudyVersion, StudyVersion.id == Stimulus.version_id)
        .where(StudyVersion.study_id == study.id)
        .order_by(TrialStimulus.trial_id, TrialStimulus.slot)
    )
    for trial_id, system, is_given in session.execute(slots):
        if is_given:
            given[trial_id] = system
        else:
            heard[trial_id].append(system)
    rows = []
    for trial, sitting, number, item in _trials_of(session, study):
        start, end = trial.served_at, trial.answered_at
        taken = (end - start).total_seconds() if start and end else None
        rows.append(
            (
                trial.id, sitting.id, sitting.rater_id, number, trial.position, trial.phase, item,
                BETWEEN_SYSTEMS.join(heard[trial.id]), given.get(trial.id), str(trial.seed), start,
                end, taken, trial.listening_seconds,
            )
        )  # fmt: skip
    return _sheet("trials", rows)


def _raters(session: Session, study: Study, anonymous: bool) -> Sheet:
    query = (
        select(
            Rater, func.count(RaterSession.id), func.min(RaterSession.started_at), func.max(RaterSession.finished_at)
        )
        .outerjoin(RaterSession, RaterSession.rater_id == Rater.id)
        .where(Rater.study_id == study.id)
        .group_by(Rater.id)
        .order_by(Rater.created_at, Rater.id)
    )
    answered = dict(_counts(session, study, Trial.answered_at.is_not(None)))
    flags = Counter(
        session.scalars(
            select(RaterSession.rater_id)
            .join(Flag, Flag.session_id == RaterSession.id)
            .join(StudyVersion, StudyVersion.id == RaterSession.version_id)
            .where(StudyVersion.study_id == study.id)
        )
    )
    rows = [
        (
            rater.id, rater.panel, None if anonymous else rater.panel_id, rater.created_at, sessions, first, last,
            answered.get(rater.id, 0), flags[rater.id], rater.excluded_at, rater.excluded_reason,
        )
        for rater, sessions, first, last in session.execute(query)
    ]  # fmt: skip
    return _sheet("raters", rows)


def _counts(session: Session, study: Study, condition: Any) -> list[Any]:
    query = (
        select(RaterSession.rater_id, func.count(Trial.id))
        .join(Trial, Trial.session_id == RaterSession.id)
        .join(StudyVersion, StudyVersion.id == RaterSession.version_id)
        .where(StudyVersion.study_id == study.id, condition)
        .group_by(RaterSession.rater_id)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def _sessions(session: Session, study: Study, anonymous: bool) -> Sheet:
    query = (
        select(RaterSession, StudyVersion.number)
        .join(StudyVersion, StudyVersion.id == RaterSession.version_id)
        .where(StudyVersion.study_id == study.id)
        .order_by(RaterSession.started_at, RaterSession.id)
    )
    found = [(row[0], row[1]) for row in session.execute(query)]
    asked = sorted({name for sitting, _ in found for name in sitting.questionnaire_json or {}})
    extra = tuple(Column(f"questionnaire.{name}", "text", f"Answer to the question '{name}'.") for name in asked)
    rows = []
    for sitting, number in found:
        said = sitting.questionnaire_json or {}
        rows.append(
            (
                sitting.id, sitting.rater_id, number, sitting.state, sitting.step, sitting.language,
                str(sitting.seed), sitting.started_at, sitting.finished_at,
                None if anonymous else sitting.completion_code, _text(sitting.setup_json),
                None if anonymous else _text(sitting.panel_json),
                *(None if anonymous else _text(said.get(name)) for name in asked),
            )
        )  # fmt: skip
    return _sheet("sessions", rows, extra)


def _flags(session: Session, study: Study) -> Sheet:
    query = (
        select(Flag, RaterSession.rater_id)
        .join(RaterSession, RaterSession.id == Flag.session_id)
        .join(StudyVersion, StudyVersion.id == RaterSession.version_id)
        .where(StudyVersion.study_id == study.id)
        .order_by(Flag.created_at, Flag.id)
    )
    rows = [
        (flag.session_id, rater, flag.trial_id, flag.kind, _text(flag.detail_json), flag.created_at)
        for flag, rater in session.execute(query)
    ]
    return _sheet("flags", rows)


def _events(session: Session, study: Study) -> Sheet:
    query = (
        select(Event)
        .join(RaterSession, RaterSession.id == Event.session_id)
        .join(StudyVersion, StudyVersion.id == RaterSession.version_id)
        .where(StudyVersion.study_id == study.id)
        .order_by(Event.session_id, Event.at, Event.client_ms, Event.id)
    )
    rows = [
        (event.session_id, event.trial_id, event.kind, event.client_ms, event.at, _text(event.data_json))
        for event in session.scalars(query)
    ]
    return _sheet("events", rows)


def _audit(session: Session, study: Study) -> Sheet:
    """What administrators did to the study and to its raters."""
    targets = select(Rater.id).where(Rater.study_id == study.id)
    query = select(Audit).where((Audit.target == study.slug) | Audit.target.in_(targets)).order_by(Audit.at, Audit.id)
    rows = [(one.at, one.actor, one.action, one.target, one.reason) for one in session.scalars(query)]
    return _sheet("audit", rows)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)

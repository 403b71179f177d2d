"""From a folder or a zip to a study in the database, checked and made ready to run."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import Database
from app.db import study_models as rows
from app.errors import UserError
from app.studies.archive import DEFAULT_LIMITS, Limits, unpack
from app.studies.faults import Fault, StudyFileError
from app.studies.lines import Lines, read_yaml
from app.studies.rules import OWN_PAGES
from app.studies.schema import FILE_NAME, Study, parse_study, read_text, warnings
from app.studies.stimuli import Batch, Progress, Ready, prepare

# Keys follow from names and content, so that a study made again on an empty disk fits the votes in the journal.
_NAMESPACE = UUID("6f0e8c1e-1b0c-4a52-9f0d-0d6a4e0c7a55")


@dataclass(frozen=True)
class Created:
    """A study in the database.

    Attributes:
        is_new: False when the newest version is the same to the last sample, and nothing was written.
        notes: What was done to the sounds, one sentence each.
        warnings: What the standards advise against.
    """

    slug: str
    number: int
    study_id: str
    version_id: str
    is_new: bool
    notes: list[str]
    warnings: list[str]


def key_of(*parts: object) -> str:
    """A key that follows from names: 32 hexadecimal digits."""
    return uuid5(_NAMESPACE, "/".join(str(part) for part in parts)).hex


def check_source(source: Path, limits: Limits = DEFAULT_LIMITS, told: Progress | None = None) -> tuple[Study, Batch]:
    """Everything that `create_study` checks, without a database.

    Raises:
        StudyFileError: The study, its archive or a sound cannot be used.
        UserError: The disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        study, _, batch = _made_ready(source, Path(folder) / "in", Path(folder) / "media", limits, told)
    return study, batch


def create_study(
    database: Database,
    media_root: Path,
    source: Path,
    *,
    new_version: bool = False,
    actor: str = "command line",
    limits: Limits = DEFAULT_LIMITS,
    told: Progress | None = None,
) -> Created:
    """Add a study, or a version of one; sessions that run finish on theirs.

    Args:
        database: Where it goes.
        media_root: Where its sounds go.
        source: A folder with `study.yaml`, or a zip of one.
        new_version: Allow the slug of a study that is there.
        actor: Who does it, for the audit trail.
        limits: Of what is unpacked.
        told: Called with the number of steps done and of all steps.

    Returns:
        What was made; a new study is a draft until it is opened.

    Raises:
        StudyFileError: The study, its archive or a sound cannot be used; every fault is told.
        UserError: 409 the slug is taken; 507 the disk is full; 503 the database is away.
    """
    try:
        media_root.mkdir(parents=True, exist_ok=True)
        incoming = Path(tempfile.mkdtemp(prefix=".incoming-", dir=media_root))
    except OSError as error:
        raise cannot_keep(error) from error
    try:
        study, text, batch = _made_ready(source, incoming / "in", media_root, limits, told)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)

    def work(session: Session) -> Created:
        return _write(session, study, text, batch, new_version, actor)

    try:
        return database.transact(work)
    except IntegrityError:
        raise UserError(
            f"The study {study.slug!r} was changed by someone else at the same time; try again.",
            status=409,
            code="conflict",
        ) from None


def _made_ready(
    source: Path, incoming: Path, media_root: Path, limits: Limits, told: Progress | None
) -> tuple[Study, str, Batch]:
    folder = unpack(source, incoming, limits)
    text, path = read_text(folder)
    study = parse_study(text, path.name)
    try:
        return study, text, prepare(study, folder, media_root, told)
    except StudyFileError as error:
        _, lines = read_yaml(text, FILE_NAME)
        raise StudyFileError(FILE_NAME, [_with_line(fault, lines) for fault in error.faults]) from None
    except OSError as error:
        raise cannot_keep(error) from error


def cannot_keep(error: OSError) -> UserError:
    """The sentence for a media root that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError("The disk is full, the sounds cannot be kept; free some space.", status=507, code="disk_full")
    return UserError(f"The sounds cannot be kept ({error.strerror or error}).", status=500, code="media_unwritable")


def _with_line(fault: Fault, lines: Lines) -> Fault:
    return Fault(fault.place, fault.message, lines.of(fault.place))


def _write(session: Session, study: Study, text: str, batch: Batch, new_version: bool, actor: str) -> Created:
    if study.slug in OWN_PAGES:
        raise UserError(
            f"The slug {study.slug!r} belongs to a page of the server; choose another one.",
            status=409,
            code="slug_taken",
            param="slug",
        )
    digest = version_digest(text, batch.stimuli)
    study_id = key_of("study", study.slug)
    found = session.scalar(select(rows.Study).where(rows.Study.slug == study.slug))
    number = 0
    if found is not None:
        study_id = found.id
        newest = session.scalar(
            select(rows.StudyVersion)
            .where(rows.StudyVersion.study_id == study_id)
            .order_by(rows.StudyVersion.number.desc())
            .limit(1)
        )
        if newest is not None and newest.digest == digest:
            return Created(study.slug, newest.number, study_id, newest.id, False, batch.notes, warnings(study))
        if not new_version:
            raise UserError(
                f"There is a study {study.slug!r} already; choose another slug, or add this one as its new version.",
                status=409,
                code="slug_taken",
                param="slug",
            )
        number = newest.number if newest else 0
    else:
        session.add(rows.Study(id=study_id, slug=study.slug))
        session.flush()
    systems = [(one.name, one.role) for one in study.all_systems()]
    prompts = [(one.name, one.text, one.phase) for one in study.prompts]
    version_id = add_version(session, study_id, number + 1, text, systems, prompts, batch.stimuli)
    action = "create" if number == 0 else "new version"
    session.add(rows.Audit(actor=actor, action=action, target=study.slug, reason=f"version {number + 1}"))
    return Created(study.slug, number + 1, study_id, version_id, True, batch.notes, warnings(study))


def add_version(
    session: Session,
    study_id: str,
    number: int,
    text: str,
    systems: Iterable[tuple[str, str]],
    prompts: Iterable[tuple[str, str | None, str]],
    stimuli: Sequence[Ready],
) -> str:
    """Add a version with all that belongs to it.

    Args:
        session: Of a write.
        study_id: Of a study that is in the database.
        number: Of the version.
        text: The YAML.
        systems: Names and roles.
        prompts: Names, texts and phases.
        stimuli: Whose files are in the media root.

    Returns:
        Its key.
    """
    digest = version_digest(text, stimuli)
    key = key_of("version", study_id, number, digest)
    session.add(rows.StudyVersion(id=key, study_id=study_id, number=number, yaml=text, digest=digest))
    session.flush()
    for name, role in systems:
        session.add(rows.System(id=key_of("system", key, name), version_id=key, name=name, role=role))
    for name, words, phase in prompts:
        session.add(rows.Prompt(id=key_of("prompt", key, name), version_id=key, name=name, text=words, phase=phase))
    session.flush()
    for one in stimuli:
        session.add(
            rows.Stimulus(
                id=key_of("stimulus", key, one.system, one.prompt),
                version_id=key,
                system_id=key_of("system", key, one.system),
                prompt_id=key_of("prompt", key, one.prompt),
                digest=one.digest,
                path=one.path,
                seconds=one.seconds,
                sample_rate=one.sample_rate,
                channels=one.channels,
                lufs=one.lufs,
            )
        )
    return key


def version_digest(text: str, stimuli: Iterable[Ready]) -> str:
    """SHA-256 of a study's text and of every stimulus."""
    whole = hashlib.sha256(text.encode("utf-8"))
    for one in sorted(stimuli, key=lambda one: (one.system, one.prompt)):
        whole.update(f"\n{one.system}/{one.prompt} {one.digest}".encode())
    return whole.hexdigest()


def study_folders(folder: Path, *, with_sounds: bool = False) -> list[Path]:
    """The studies in a folder of studies, by name; on demand only those that have a folder `audio` already."""
    found = sorted(path.parent for path in folder.glob(f"*/{FILE_NAME}"))
    return [path for path in found if (path / "audio").is_dir()] if with_sounds else found


def install(
    database: Database, media_root: Path, folder: Path, failed: Callable[[Path, UserError], None]
) -> list[Created]:
    """Add and open the studies of a folder that are not in the database yet, as at the first start.

    Args:
        database: Where they go.
        media_root: Where their sounds go.
        folder: Of studies.
        failed: Called for a study that cannot be used; the others are added all the same.
    """
    with database.read() as session:
        there = set(session.scalars(select(rows.Study.slug)))
        newest = session.execute(
            select(rows.Study.slug, func.max(rows.Stimulus.path))
            .join(rows.StudyVersion, rows.StudyVersion.study_id == rows.Study.id)
            .join(rows.Stimulus, rows.Stimulus.version_id == rows.StudyVersion.id)
            .group_by(rows.Study.slug)
        )
        kept = {slug: path for slug, path in newest}  # noqa: C416  # a row is no pair for the type checker
    made = []
    for path in study_folders(folder, with_sounds=True):
        try:
            study = parse_study(read_text(path)[0])
            if study.slug in there:
                # the votes came back from a journal, the sounds did not: make them again
                if not (media_root / kept.get(study.slug, "")).is_file():
                    create_study(database, media_root, path, new_version=True, actor="first start")
                continue
            created = create_study(database, media_root, path, actor="first start")
            _open(database, created.slug)
            made.append(created)
        except UserError as error:
            failed(path, error)
    return made


def _open(database: Database, slug: str) -> None:
    def work(session: Session) -> None:
        session.execute(select(rows.Study).where(rows.Study.slug == slug)).scalar_one().state = "open"

    database.transact(work)

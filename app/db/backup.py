"""The records in one file, and back: a zip with a SQLite database, made while the server runs, and the sounds.

SQLite is copied by its own backup interface; rows of PostgreSQL are read in one transaction into the same tables.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from sqlalchemy import func, insert, make_url, select, text

from app.db import migrate
from app.db.engine import Database, open_database
from app.db.models import Base
from app.db.records import JOURNAL, MEDIA
from app.db.replay import Replayed, replay
from app.db.study_models import Vote
from app.errors import UserError

log = logging.getLogger(__name__)
DATABASE = "calm.sqlite3"
ROWS_AT_ONCE = 500
LARGEST_BYTES = 50 * 10**9


def backup(url: str, folder: Path, out: Path) -> int:
    """Write the records into one zip file; the server may run and take votes meanwhile.

    Args:
        url: SQLAlchemy address.
        folder: with the sounds in `media/`.
        out: written whole or not at all.

    Returns:
        The number of votes in it.

    Raises:
        UserError: there is no database yet, or the file cannot be written.
    """
    source = make_url(url)
    if source.get_backend_name() == "sqlite" and not Path(source.database or "").is_file():
        raise UserError(f"There is no database at {source.database}; check CALM_DATABASE_URL and CALM_DATA_DIR.")
    part = out.with_name(f".{out.name}.part")
    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".calm-backup-") as work:
            copy = Path(work) / DATABASE
            if source.get_backend_name() == "sqlite":
                _copy_sqlite(Path(source.database or ""), copy)
            else:
                _copy_rows(open_database(url), open_database(f"sqlite:///{copy}"))
            votes = _check(copy)
            _pack(copy, folder / MEDIA, part)
        os.replace(part, out)
    except OSError as error:
        raise UserError(f"The backup cannot be written to {out} ({error.strerror or error}).") from error
    finally:
        part.unlink(missing_ok=True)
    return votes


def restore(file: Path, url: str, folder: Path, *, replace: bool = False, without_journal: bool = False) -> Replayed:
    """Bring the records of a backup back; what the journal has and the backup lacks is brought in after it.

    Args:
        file: made by `backup`.
        url: SQLAlchemy address of a database that nobody uses.
        folder: for the sounds, and with the journal.
        replace: take the place of records that are there; a SQLite file is kept beside the new one.
        without_journal: go back to the moment of the backup; the journal is set aside, not deleted.

    Raises:
        UserError: not a backup, damaged, records are there, or a server uses them.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="calm-restore-") as work:
            copy = Path(work) / DATABASE
            _unpack(file, copy, folder / MEDIA)
            _check(copy)
            migrate.upgrade(f"sqlite:///{copy}")
            target = make_url(url)
            if target.get_backend_name() == "sqlite":
                _put_sqlite(copy, Path(target.database or ""), replace)
            else:
                _put_rows(open_database(f"sqlite:///{copy}"), open_database(url), replace)
        journal = folder / JOURNAL
        if without_journal and journal.exists():
            journal.rename(journal.with_name(f"{JOURNAL}-before-{_stamp()}"))
        database = open_database(url)
        try:
            return replay(journal, database)
        finally:
            database.close()
    except OSError as error:
        raise UserError(f"The backup {file} cannot be restored ({error.strerror or error}).") from error


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def _copy_sqlite(source: Path, target: Path) -> None:
    """SQLite's online backup: one state of the data, while others read and write."""
    with _sqlite(source) as old, _sqlite(target) as new:
        old.execute("PRAGMA busy_timeout=10000")
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it


class _sqlite:
    """A connection of SQLite's own interface that is closed at the end."""

    def __init__(self, path: Path):
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _check(copy: Path) -> int:
    """The number of votes of a sound database.

    Raises:
        UserError: it is damaged, or not one of ours.
    """
    try:
        with _sqlite(copy) as connection:
            (state,) = connection.execute("PRAGMA integrity_check").fetchone()
            if state != "ok":
                raise sqlite3.DatabaseError(state)
            connection.execute("SELECT version_num FROM alembic_version")
            (votes,) = connection.execute(f"SELECT count(*) FROM {Vote.__tablename__}").fetchone()
            return votes
    except sqlite3.DatabaseError as error:
        raise UserError(f"The database in the backup is damaged or another one ({error}).") from error


def _copy_rows(old: Database, new: Database) -> None:
    """Every row of one database into the empty tables of another, as of one moment."""
    try:
        with old.read() as reading, new.write() as writing:
            for table in Base.metadata.sorted_tables:
                found = reading.connection().execute(select(table)).mappings()
                for rows in found.partitions(ROWS_AT_ONCE):
                    writing.connection().execute(insert(table), [dict(row) for row in rows])
            if new.dialect == "postgresql":  # its counter knows nothing of keys that were given
                last = "SELECT setval(pg_get_serial_sequence('consent', 'id'), max(id)) FROM consent"
                writing.connection().execute(text(last))
    finally:
        old.close()
        new.close()


def _pack(copy: Path, media: Path, out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as packed:
        packed.write(copy, DATABASE)
        for path in sorted(media.rglob("*")) if media.is_dir() else []:
            place = path.relative_to(media)
            if path.is_file() and not any(part.startswith(".") for part in place.parts):  # an upload on its way
                packed.write(path, f"{MEDIA}/{place.as_posix()}", zipfile.ZIP_STORED)  # sounds are compressed already


def _unpack(file: Path, copy: Path, media: Path) -> None:
    """Database and sounds out of a backup; names that lead elsewhere are refused before anything is written."""
    try:
        with zipfile.ZipFile(file) as packed:
            sounds = [entry for entry in packed.infolist() if entry.filename != DATABASE and not entry.is_dir()]
            for entry in sounds:
                path = PurePosixPath(entry.filename)
                if path.parts[0] != MEDIA or ".." in path.parts or path.is_absolute() or "\\" in entry.filename:
                    raise UserError(f"{file.name} is no backup of ours: it holds '{entry.filename[:80]}'.")
            if sum(entry.file_size for entry in packed.infolist()) > LARGEST_BYTES:
                raise UserError(f"{file.name} unpacks to more than {LARGEST_BYTES // 10**9} GB.")
            with packed.open(DATABASE) as source, open(copy, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            for entry in sounds:
                path = media.joinpath(*PurePosixPath(entry.filename).parts[1:])
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_name(f".{path.name}.part")
                with packed.open(entry) as source, open(part, "wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                os.replace(part, path)
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError) as error:
        raise UserError(f"{file.name} is no backup of ours, or it is damaged ({error}).") from error


def _put_sqlite(copy: Path, target: Path, replace: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        with _sqlite(target) as connection:
            _refuse_if_used(connection, target)
            there = connection.execute("SELECT count(*) FROM sqlite_master WHERE name='studies'").fetchone()[0]
            filled = there and connection.execute("SELECT EXISTS (SELECT 1 FROM studies)").fetchone()[0]
        if filled and not replace:
            raise UserError(f"There are records in {target} already; add --replace, which keeps them in a file beside.")
        target.rename(target.with_name(f"{target.name}.before-{_stamp()}"))
    with _sqlite(copy) as old, _sqlite(target) as new:
        old.backup(new)


def _refuse_if_used(connection: sqlite3.Connection, target: Path) -> None:
    """Leaving WAL mode needs the database for oneself, so a server that has it open is noticed even when it idles."""
    try:
        connection.execute("PRAGMA busy_timeout=500")
        (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError:
        mode = "wal"
    if mode != "delete":
        raise UserError(f"{target} is in use; stop the server before you restore.", status=409, code="in_use")


def _put_rows(old: Database, new: Database, replace: bool) -> None:
    tables = Base.metadata.sorted_tables
    try:
        with new.write() as session:
            filled = any(session.scalar(select(func.count()).select_from(table)) for table in tables)
            if filled and not replace:
                raise UserError("There are records in the database already; add --replace, which deletes them.")
            for table in reversed(tables):
                session.connection().execute(table.delete())
        _copy_rows(old, new)
    finally:
        old.close()
        new.close()

"""The journal: every change of the listening tests as a line of a file, on disk before it is committed.

One line is one transaction: the rows that it leaves behind, whole. Lines are only ever appended, and each process
starts files of its own under random names, so that copies made at any moment fit together again:

    {"id": "6f...", "at": "2026-11-20T16:40:00.123456+00:00", "rows": [["votes", {"key": "k1", "trial_id": ...}]]}

The database notes the id of each line in `journal_marks` within the same transaction. What the journal has and a
database lacks, `app.db.replay` brings in: after a crash between the two, after the restore of an old backup, or all of
it into an empty database. The line of a transaction that failed after all is followed by `{"void": id}`.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, insert, inspect, select
from sqlalchemy.orm import ORMExecuteState, Session

from app.db.models import Base, Consent, VoiceRow, new_id
from app.db.study_models import JournalMark

log = logging.getLogger(__name__)
SUFFIX = ".jsonl"
FILE_BYTES = 1 << 20  # a copy takes a changed file whole, so files stay small
UNTOLD = {Consent.__tablename__, VoiceRow.__tablename__, JournalMark.__tablename__}
TABLES = {name: table for name, table in Base.metadata.tables.items() if name not in UNTOLD}
TICK = timedelta(microseconds=1)


class Journal:
    """Takes down what each transaction changes; give it to `Database.recorder`.

    Args:
        folder: where the files are; made when missing.
        after: the moment of the newest line that is known; new lines are later, whatever the clock says.
        guard: held while a line is written, such as the lock of whoever copies the folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        after: datetime | None = None,
        guard: AbstractContextManager[Any] | None = None,
    ):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._guard = guard or nullcontext()
        self._last = after or datetime.min.replace(tzinfo=UTC)
        self._path: Path | None = None
        self._file: Any = None
        self._doubtful: set[str] = set()
        self._on_close: list[Callable[[], None]] = []

    def append(self, record: dict[str, Any]) -> str:
        """Write one line; it is on disk when this returns.

        Returns:
            The id of the line: the one in `record`, or a new one.

        Raises:
            OSError: there is no room; no part of the line stays behind.
        """
        line = {"id": record.get("id") or new_id(), "at": "", **record}
        with self._lock:
            self._last = max(datetime.now(UTC), self._last + TICK)
            line["at"] = self._last.isoformat(timespec="microseconds")
            text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=_plain, allow_nan=False)
            self._write(text.encode() + b"\n")
        return line["id"]

    def close(self) -> None:
        """Close the file, then do what was asked for by `on_close`."""
        with self._lock:
            self._leave()
        for work in self._on_close:
            work()

    def on_close(self, work: Callable[[], None]) -> None:
        """Do `work` when the journal is closed, such as copying it a last time."""
        self._on_close.append(work)

    def watch(self, session: Session) -> None:
        """Take down the rows of this session from now on."""
        changes = session.info["journal"] = _Changes({}, {})
        event.listen(session, "after_flush", lambda session, _: changes.note(session))
        event.listen(session, "do_orm_execute", _refuse_statements)

    def seal(self, session: Session) -> None:
        """Write the line of this session, and its mark into the database; nothing when nothing has changed."""
        changes: _Changes = session.info["journal"]
        if changes.rows or changes.deleted:
            self._settle(session)
            changes.id = new_id()
            session.connection().execute(insert(JournalMark), {"id": changes.id})
            record: dict[str, Any] = {
                "id": changes.id,
                "rows": [[name, row] for (name, _), row in changes.rows.items()],
            }
            if changes.deleted:
                record["deleted"] = [[name, key] for name, key in changes.deleted]
            self.append(record)

    def void(self, session: Session) -> None:
        """Say that the line of this session never came true."""
        self._take_back(session.info["journal"].id)

    def doubt(self, session: Session) -> None:
        """Remember that nobody knows whether the line of this session came true; its mark will tell."""
        with self._lock:
            self._doubtful.add(session.info["journal"].id)

    def _settle(self, session: Session) -> None:
        """Take back lines in doubt whose marks did not arrive, before a line that may say the same once more.

        A server that was lost has come back when this is asked, and what it had not committed is gone.
        """
        with self._lock:
            doubtful, self._doubtful = self._doubtful, set()
        if doubtful - {""}:
            query = select(JournalMark.id).where(JournalMark.id.in_(doubtful))
            try:
                arrived = set(session.scalars(query))
            except BaseException:
                with self._lock:
                    self._doubtful |= doubtful
                raise
            for line in doubtful - arrived:
                self._take_back(line)

    def _take_back(self, line: str) -> None:
        if line:
            try:
                self.append({"void": line})
            except OSError as error:  # the replay then brings in a vote whose sender was told to send it again
                log.error("The journal could not take back line %s: %s", line, error)

    def _write(self, line: bytes) -> None:
        if self._file is None or self._file.tell() + len(line) > FILE_BYTES:
            self._leave()
            self._path = self.folder / f"{new_id()}{SUFFIX}"
            self._file = open(self._path, "xb", buffering=0)  # noqa: SIM115 - it stays open
            _sync_folder(self.folder)
        start = self._file.tell()
        try:
            with self._guard:
                written = self._file.write(line)
                if written != len(line):
                    raise OSError(28, "No space left on device")
            os.fsync(self._file.fileno())
        except OSError:
            with suppress(OSError):
                self._file.truncate(start)
            self._leave()  # the next line starts a file, whatever this one holds now
            raise

    def _leave(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass
class _Changes:
    """What a transaction has changed so far: the newest state of each row, in the order of the first change."""

    rows: dict[tuple[str, str], dict[str, Any]]
    deleted: dict[tuple[str, str], None]
    id: str = ""

    def note(self, session: Session) -> None:
        """Look at the rows of one flush."""
        for row in (*session.new, *session.dirty):
            if (name := row.__tablename__) in TABLES:
                columns = inspect(row).mapper.column_attrs
                self.rows[name, key_of(row)] = {column.key: getattr(row, column.key) for column in columns}
        for row in session.deleted:
            if (name := row.__tablename__) in TABLES:
                self.rows.pop((name, key_of(row)), None)
                self.deleted[name, key_of(row)] = None


def key_of(row: Any) -> str:
    """The primary key of a row; every table of the listening tests has one column of text for it."""
    (column,) = TABLES[row.__tablename__].primary_key.columns
    return getattr(row, column.key)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of one file; a last line that a crash cut short is left out.

    Raises:
        ValueError: a line in the middle is damaged; the message says where.
    """
    raw = path.read_bytes().split(b"\n")
    for number, line in enumerate(raw, start=1):
        if not line:
            continue
        try:
            record = json.loads(line)
            datetime.fromisoformat(record["at"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(raw):  # no line end after it: it was never finished, and never answered
                log.warning("The last line of %s was cut short and is left out.", path.name)
                return
            raise ValueError(f"{path.name}, line {number}: {error}") from error
        yield record


def _refuse_statements(state: ORMExecuteState) -> None:
    if state.is_update or state.is_delete or state.is_insert:
        raise AssertionError("The journal sees only rows that are changed through the session; change the objects.")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    raise TypeError(f"{type(value).__name__} has no place in the journal")


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

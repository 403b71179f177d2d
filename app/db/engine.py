"""The database: many readers, one writer, and patience with what passes.

SQLite is opened in WAL mode with two pools: readers, which cannot write by mistake, and one connection that writes,
handed from thread to thread in the order in which they asked. Every commit reaches the disk before it returns, in the
recorder's file where there is one and else in the database. With PostgreSQL the server keeps writers apart.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.db import migrate
from app.db.faults import LOCKED, DatabaseBusy, cannot_open, is_passing, told
from app.errors import UserError

Result = TypeVar("Result")
PATIENCE_SECONDS = 10.0


class Recorder(Protocol):
    """What takes down the changes of a transaction before it is committed; the journal is one."""

    def watch(self, session: Session) -> None:
        """A transaction begins."""

    def seal(self, session: Session) -> None:
        """It is about to be committed; an error here undoes it."""

    def void(self, session: Session) -> None:
        """It was sealed and then undone."""

    def doubt(self, session: Session) -> None:
        """It was sealed and may have been committed or not; a later `seal` can look."""

    def close(self) -> None:
        """No transaction follows."""


class Database:
    """Sessions for reading and writing; made by `open_database`."""

    def __init__(self, url: URL, *, patience_seconds: float = PATIENCE_SECONDS):
        self.url = url
        self._recorder: Recorder | None = None
        self._patience = patience_seconds
        if url.get_backend_name() == "sqlite":
            self._turns: Turns | None = Turns()
            self._readers = _sqlite(url, patience_seconds, "BEGIN", pool_size=20, max_overflow=30, pool_timeout=30)
            event.listen(self._readers, "connect", _forbid_writing)
            self._writers = _sqlite(url, patience_seconds, "BEGIN IMMEDIATE", pool_size=1, max_overflow=1)
        else:
            self._turns = None
            self._writers = create_engine(url, pool_pre_ping=True, pool_size=20, max_overflow=30)
            self._readers = self._writers.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @property
    def recorder(self) -> Recorder | None:
        """What takes down every change; none by default."""
        return self._recorder

    @recorder.setter
    def recorder(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        if self._turns is not None:
            # a line of the recorder is on the disk before the commit, and what a power cut takes from the end of the
            # database comes back from there: waiting for the disk a second time would gain nothing
            with self._turns.take(self._patience), self._writers.connect() as connection:
                connection.rollback()
                level = "NORMAL" if recorder else "FULL"
                connection.connection.driver_connection.execute(f"PRAGMA synchronous={level}")  # type: ignore[union-attr]

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writers.dialect.name

    @property
    def writers(self) -> Engine:
        """The engine that writes, for backup and tests; services use `write`."""
        return self._writers

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the data and cannot change it.

        Raises:
            UserError: status 503 when the database does not answer in time.
        """
        with self._told(), self._begun(self._readers, time.monotonic() + self._patience) as session:
            try:
                yield session
            finally:
                session.rollback()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed at the end of the block, all or none.

        Change rows through the session (`add`, attributes, `delete`), never by `update()` or `insert()` statements,
        which a recorder does not see. Give JSON columns new values instead of changing theirs.

        Raises:
            UserError: status 503 when the database is busy or away, 507 when the disk is full; nothing was written, or
                the connection was lost while committing, so that only a retry with the same keys can tell.
            IntegrityError: a unique key or a foreign key says no.
        """
        end = time.monotonic() + self._patience
        with self._told(), self._turn(), self._begun(self._writers, end) as session:
            recorder, sealed = self.recorder, False
            if recorder:
                recorder.watch(session)
            try:
                yield session
                session.flush()
                if recorder:
                    recorder.seal(session)
                    sealed = True
                session.commit()
            except BaseException as error:
                if recorder and sealed:
                    # after a lost connection nobody knows whether the commit arrived
                    lost = isinstance(error, DBAPIError) and error.connection_invalidated
                    (recorder.doubt if lost else recorder.void)(session)
                _roll_back(session)
                raise

    def transact(self, work: Callable[[Session], Result]) -> Result:
        """Do `work` in a write session, again from the start when the database goes away or two writers collide.

        `work` may run more than once, so it may do nothing outside the session, and must find what an earlier run of
        its own has written, by its keys.

        Raises:
            UserError, IntegrityError: as `write`, after the patience of some seconds.
        """
        end = time.monotonic() + self._patience
        pause = 0.02
        while True:
            try:
                with self.write() as session:
                    return work(session)
            except UserError as error:
                if not is_passing(error.__cause__ or error) or time.monotonic() + pause > end:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.0))  # only a pause: no result depends on it
            pause = min(2 * pause, 0.5)

    def close(self) -> None:
        """Close every connection, and the recorder."""
        if self.recorder:
            self.recorder.close()
        self._readers.dispose()
        self._writers.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._turns is None:
            yield
        else:
            with self._turns.take(self._patience):
                yield

    @contextmanager
    def _begun(self, engine: Engine, end: float) -> Iterator[Session]:
        """A session whose transaction has begun; a locked or restarting database is waited for."""
        pause = 0.02
        while True:
            session = Session(engine, expire_on_commit=False, autoflush=True)
            try:
                session.connection()
                break
            except (SQLAlchemyError, PoolTimeout) as error:
                session.close()
                if not is_passing(error) or time.monotonic() + pause > end:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 0.5)
        try:
            yield session
        finally:
            _close(session)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Faults of the database as sentences."""
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            sentence = told(error, self._patience)
            if sentence is None:
                raise
            raise sentence from error


class Turns:
    """A lock that serves those who wait in the order in which they came, so that nobody waits without end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    @contextmanager
    def take(self, patience_seconds: float) -> Iterator[None]:
        """Hold the lock during the block.

        Raises:
            DatabaseBusy: it was not free in time.
        """
        gate = threading.Lock()
        with self._lock:
            if self._taken:
                gate.acquire()
                self._waiting.append(gate)
            self._taken = True
        if gate.locked() and not gate.acquire(timeout=patience_seconds):
            with self._lock:
                if gate in self._waiting:
                    self._waiting.remove(gate)
                    raise DatabaseBusy(patience_seconds)
        # here it is ours: it was free, or the one before us opened our gate
        try:
            yield
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting.popleft().release()
                else:
                    self._taken = False


def open_database(url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Database:
    """Open the database at a SQLAlchemy address and bring its tables up to date.

    Args:
        url: `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`.
        patience_seconds: how long a read or a write waits for a database that is locked or restarting.

    Raises:
        UserError: it cannot be opened; the sentence says why.
    """
    try:
        address = make_url(url)
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise ValueError(f"{address.get_backend_name()} is not supported, only sqlite and postgresql are")
        database = Database(address, patience_seconds=patience_seconds)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise cannot_open(error) from error
    try:
        migrate.upgrade_engine(database.writers)
    except (SQLAlchemyError, OSError) as error:
        database.close()
        raise cannot_open(error) from error
    return database


def _sqlite(url: URL, patience_seconds: float, begin: str, **pool: Any) -> Engine:
    """An engine whose transactions start with `begin`, and include changes of tables."""
    engine = create_engine(url, connect_args={"check_same_thread": False}, **pool)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin late and commit before a change of tables
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(1000 * patience_seconds)}")
        _use_wal(cursor, time.monotonic() + patience_seconds)
        cursor.execute("PRAGMA synchronous=FULL")  # an answered vote survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _use_wal(cursor: Any, end: float) -> None:
    """Readers and a writer side by side. The first change of a file to this does not wait for locks by itself."""
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not LOCKED.search(str(error)) or time.monotonic() > end:
                raise
        time.sleep(0.02)


def _forbid_writing(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA query_only=ON")


def _roll_back(session: Session) -> None:
    """Undo; a connection that is gone has undone it already."""
    try:
        session.rollback()
    except SQLAlchemyError:
        session.invalidate()


def _close(session: Session) -> None:
    try:
        session.close()
    except SQLAlchemyError:
        session.invalidate()

"""What the journal has and the database lacks is brought in, in the order in which it happened."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from app.db.engine import Database
from app.db.journal import SUFFIX, TABLES, lines
from app.db.models import Base, Moment
from app.db.study_models import JournalMark
from app.errors import UserError

log = logging.getLogger(__name__)
BATCH = 200
Row = dict[str, Any]
MARKS: Table = JournalMark.__table__  # pyright: ignore[reportAssignmentType]


@dataclass
class Replayed:
    """What a replay found.

    Attributes:
        lines: lines of the journal.
        applied: those that the database lacked.
        refused: rows of them that a newer key, or a missing parent, kept out.
        newest: the moment of the newest line.
    """

    lines: int = 0
    applied: int = 0
    refused: int = 0
    newest: datetime | None = None


def replay(folder: Path, database: Database) -> Replayed:
    """Bring into a database every line of the journal in `folder` that it has not seen.

    It may be interrupted and run again, and run beside a server that writes.

    Raises:
        UserError: a file of the journal is damaged in its middle.
    """
    found = Replayed()
    with database.read() as session:
        seen = set(session.scalars(select(JournalMark.id)))
    pending: list[tuple[str, str, dict[str, Any]]] = []
    void: set[str] = set()
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            for record in lines(path):
                found.lines += 1
                at = datetime.fromisoformat(record["at"])
                found.newest = max(found.newest or at, at)
                if "void" in record:
                    void.add(record["void"])
                elif "rows" in record and record["id"] not in seen:
                    pending.append((record["at"], record["id"], record))
        except (ValueError, OSError) as error:
            raise UserError(
                f"The journal of votes cannot be read ({error}); repair that line or move the file out of {folder}.",
                status=500,
            ) from error
    waiting = iter(sorted(entry for entry in pending if entry[1] not in void))
    while batch := list(islice(waiting, BATCH)):
        with database.write() as session:
            for _, key, record in batch:
                if _mark(session, key):
                    found.applied += 1
                    found.refused += _apply(session, record)
    if found.applied:
        log.warning("The journal brought %d changes into the database, %d rows refused.", found.applied, found.refused)
    return found


def _insert(session: Session, table: Table) -> Any:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def _mark(session: Session, key: str) -> bool:
    """Take a line; False when someone else has taken it meanwhile."""
    statement = _insert(session, MARKS).values(id=key).on_conflict_do_nothing().returning(MARKS.c.id)
    return session.connection().execute(statement).first() is not None


def _apply(session: Session, record: dict[str, Any]) -> int:
    """Bring in the rows of one line, parents first; the number of rows that were refused."""
    by_table: dict[str, list[Row]] = defaultdict(list)
    for name, row in record["rows"]:
        if name in TABLES:
            by_table[name].append(_typed(TABLES[name], row))
    parents_first = Base.metadata.sorted_tables
    ordered = [(table, by_table[table.name]) for table in parents_first if table.name in by_table]
    gone = record.get("deleted", [])
    deleted = [(table, key) for table in reversed(parents_first) for name, key in gone if name == table.name]
    try:
        with session.begin_nested():
            _store(session, ordered, deleted)
        return 0
    except (IntegrityError, DataError, StatementError):
        refused = 0  # row by row then, so that one row takes none of the others with it
        for table, rows in ordered:
            for row in rows:
                try:
                    with session.begin_nested():
                        _store(session, [(table, [row])], [])
                except (IntegrityError, DataError, StatementError) as error:
                    refused += 1
                    log.error("A row of %s in line %s was refused: %s", table.name, record["id"], error)
        return refused


def _store(
    session: Session, ordered: list[tuple[Table, list[dict[str, Any]]]], deleted: list[tuple[Table, str]]
) -> None:
    connection = session.connection()
    for table, key in deleted:
        (column,) = table.primary_key.columns
        connection.execute(table.delete().where(column == key))
    for table, rows in ordered:
        (column,) = table.primary_key.columns
        statement = _insert(session, table)
        given = [name for name in rows[0] if name != column.name]
        statement = statement.on_conflict_do_update(
            index_elements=[column.name], set_={name: statement.excluded[name] for name in given}
        )
        connection.execute(statement, rows)


def _typed(table: Table, row: Row) -> Row:
    """Values as the columns want them; a column that is no more is left out."""
    values = {name: value for name, value in row.items() if name in table.columns}
    for name, value in values.items():
        if isinstance(table.columns[name].type, Moment) and value is not None:
            values[name] = datetime.fromisoformat(value)
    return values

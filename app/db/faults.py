"""What can go wrong with a database, in sentences that a visitor or an administrator can act on."""

from __future__ import annotations

import errno
import re

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import UserError

LOCKED = re.compile(r"database (table )?is (locked|busy)|database schema is locked", re.I)
FULL = re.compile(r"database or disk is full|disk I/O error|No space left", re.I)
DISK_FULL_STATE = "53100"
# PostgreSQL's classes of states after which the same transaction may succeed: connection lost, server going down or
# coming up, too many connections, deadlock, serialisation
PASSING_STATES = ("08", "57P", "53300", "40001", "40P01", "55P03")


class DatabaseBusy(UserError):
    """Another writer holds the database for longer than the patience of this one."""

    def __init__(self, patience: float):
        super().__init__(
            f"The database was busy for {patience:g} seconds; nothing was lost, please send the same request again.",
            status=503,
            code="database_busy",
        )


class DatabaseAway(UserError):
    """The database server does not answer, or went away in the middle."""

    def __init__(self) -> None:
        super().__init__(
            "The database does not answer at the moment; nothing was lost, please send the same request again.",
            status=503,
            code="database_away",
        )


class DiskFull(UserError):
    """There is no room for what was to be written; it was not written in part either."""

    def __init__(self) -> None:
        super().__init__(
            "The disk of the server is full, so this was not saved; free some space and send the same request again.",
            status=507,
            code="disk_full",
        )


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction may succeed a moment later."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated or LOCKED.search(str(error.orig)):
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state.startswith(PASSING_STATES)
    # psycopg tells no state when there is no server to tell one
    return type(error.orig).__module__.startswith("psycopg") and isinstance(error, OperationalError | InterfaceError)


def is_full(error: BaseException) -> bool:
    """Whether the disk had no room."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, DBAPIError):
        return False
    return getattr(error.orig, "sqlstate", None) == DISK_FULL_STATE or bool(FULL.search(str(error.orig)))


def told(error: BaseException, patience: float) -> UserError | None:
    """The sentence for a fault of the database or its disk; None for any other error."""
    if is_full(error):
        return DiskFull()
    if is_passing(error):
        return DatabaseBusy(patience) if LOCKED.search(str(getattr(error, "orig", ""))) else DatabaseAway()
    return None


def cannot_open(error: BaseException) -> UserError:
    """The sentence at start for an address that leads nowhere."""
    reason = (str(getattr(error, "orig", None) or error) or type(error).__name__).splitlines()[0]
    return UserError(f"The database cannot be opened ({reason}); check CALM_DATABASE_URL.", status=500)

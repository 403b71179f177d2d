"""Bring the tables of a database to a revision; run at every start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.engine import Connection, Engine

MIGRATIONS = Path(__file__).parent / "migrations"
FIRST = "0001"
ONE_AT_A_TIME = 0x43414C4D  # any number that nobody else takes for a lock of PostgreSQL


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at a SQLAlchemy address up to `revision`, creating what is missing."""
    _with_engine(url, lambda engine: upgrade_engine(engine, revision))


def downgrade(url: str, revision: str = "base") -> None:
    """Take the database back to `revision`; tables that came later are dropped with their rows."""
    _with_engine(url, lambda engine: _run(engine, lambda config: command.downgrade(config, revision)))


def upgrade_engine(engine: Engine, revision: str = "head") -> None:
    """The same as `upgrade` over an open engine; several processes may start at once, one of them migrates."""
    _run(engine, lambda config: command.upgrade(config, revision))


def current(connection: Connection) -> str | None:
    """The revision of a database; None when it has no tables of ours."""
    return MigrationContext.configure(connection).get_current_revision()


def _run(engine: Engine, work) -> None:
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        if current(connection) is None and inspect(connection).has_table("consent"):
            command.stamp(config, FIRST)  # made before there were migrations
        work(config)


def _with_engine(url: str, work) -> None:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def on_connect(connection, _) -> None:
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def on_begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        work(engine)
    finally:
        engine.dispose()

"""Migrations: up, down, and the same tables as the models."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import UniqueConstraint, create_engine, insert, inspect

from app.db import Store, migrate, open_database, study_models
from app.db.models import Base, Consent, VoiceRow


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


def test_up_makes_the_tables_of_the_models_and_nothing_else(url: str) -> None:
    migrate.upgrade(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, study_models.Study.metadata) == []
        found = inspect(connection)
        for table in Base.metadata.sorted_tables:
            unique = {tuple(key["column_names"]) for key in found.get_unique_constraints(table.name)}
            wanted = {
                tuple(column.name for column in constraint.columns)
                for constraint in table.constraints
                if isinstance(constraint, UniqueConstraint)
            }
            assert unique == wanted, table.name
            checks = {key["name"] for key in found.get_check_constraints(table.name)}
            assert len(checks) == sum(type(c).__name__ == "CheckConstraint" for c in table.constraints), table.name
    engine.dispose()


def test_down_and_up_again(url: str) -> None:
    migrate.upgrade(url)
    everything = tables(url)
    migrate.downgrade(url, "0001")
    assert tables(url) == {"consent", "saved_voice"}
    migrate.downgrade(url)
    assert tables(url) == set()
    migrate.upgrade(url)
    assert tables(url) == everything == {table.name for table in Base.metadata.sorted_tables}


def test_a_database_from_before_the_migrations_keeps_its_rows(url: str) -> None:
    engine = create_engine(url)
    Base.metadata.create_all(engine, tables=[Base.metadata.tables[t.__tablename__] for t in (Consent, VoiceRow)])
    with engine.begin() as connection:
        connection.execute(insert(Consent), {"visitor": "a", "audio_sha256": "1", "statement": "yes", "source": "api"})
    engine.dispose()
    database = open_database(url)
    assert [row["visitor"] for row in Store(database).consents()] == ["a"]
    database.close()
    assert "votes" in tables(url)


def test_several_processes_may_start_at_once(new_address: Callable[[], str]) -> None:
    url = new_address()
    with ThreadPoolExecutor(4) as pool:
        for opened in pool.map(lambda _: open_database(url), range(4)):
            opened.close()
    assert "votes" in tables(url)


def test_a_failed_migration_leaves_nothing_half_made(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    create = op.create_table

    def fail(name: str, *rest, **options):
        if name == "trials":
            raise RuntimeError("the power went")
        return create(name, *rest, **options)

    monkeypatch.setattr(op, "create_table", fail)
    with pytest.raises(RuntimeError, match="power"):
        migrate.upgrade(url)
    assert tables(url) == set()
    monkeypatch.undo()
    migrate.upgrade(url)
    assert "trials" in tables(url)

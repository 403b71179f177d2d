"""Every test of the records runs on SQLite and on PostgreSQL."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from app.db import Database, open_database
from tests.database.cluster import Cluster, programs


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    folder = programs()
    if folder is None:
        if os.environ.get("CALM_REQUIRE_POSTGRESQL") == "1":
            pytest.fail("PostgreSQL is required and not installed; on Debian: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    cluster = Cluster(folder)
    yield cluster
    cluster.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Addresses of empty databases, a new one at each call."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path / uuid4().hex}.sqlite3"
    cluster = request.getfixturevalue("cluster")
    return lambda: cluster.create(f"test_{uuid4().hex}")


@pytest.fixture
def url(new_address: Callable[[], str]) -> str:
    return new_address()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = open_database(url, patience_seconds=5)
    yield database
    database.close()

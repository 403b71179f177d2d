"""The cluster of the records' tests, here with every commit on the disk."""

import os
from collections.abc import Iterator

import pytest

from tests.database.cluster import Cluster, programs


@pytest.fixture(scope="session")
def durable_cluster() -> Iterator[Cluster]:
    folder = programs()
    if folder is None:
        if os.environ.get("CALM_REQUIRE_POSTGRESQL") == "1":
            pytest.fail("PostgreSQL is required and not installed; on Debian: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    cluster = Cluster(folder, durable=True)
    yield cluster
    cluster.remove()

"""The tests of votes once more, with the records in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.database.cluster import Cluster
from tests.database.conftest import cluster  # noqa: F401
from tests.studies.conftest import Hall, opened
from tests.studies.test_votes import (  # noqa: F401
    test_a_panel_member_comes_back_to_the_same_session,
    test_a_vote_is_counted_once_whatever_is_sent_again,
    test_a_whole_session_leaves_every_row_once,
    test_traps_and_gold_raise_flags_and_exclude_nobody,
    test_twenty_clicks_at_once_are_one_vote,
)


@pytest.fixture
def hall(tmp_path: Path, cluster: Cluster) -> Iterator[Hall]:  # noqa: F811
    with opened(cluster.create(f"votes_{uuid4().hex}"), tmp_path) as hall:
        yield hall

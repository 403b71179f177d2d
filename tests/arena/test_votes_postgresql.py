"""The tests of votes once more, with the records in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from app.synthesis import Synthesizer
from tests.arena.conftest import Ring, opened
from tests.arena.test_pairs import test_the_votes_count_but_those_of_excluded_raters  # noqa: F401
from tests.arena.test_votes import (  # noqa: F401
    test_a_vote_is_a_comparison_of_the_arenas_study,
    test_another_file_is_another_version_and_votes_go_on,
    test_recordings_of_a_line_are_made_once,
    test_the_same_key_counts_once_and_no_vote_follows_the_names,
    test_votes_at_the_same_moment_count_once,
)
from tests.database.cluster import Cluster
from tests.database.conftest import cluster  # noqa: F401


@pytest.fixture
def ring(tmp_path: Path, model: Path, engine: Synthesizer, cluster: Cluster) -> Iterator[Ring]:  # noqa: F811
    with opened(cluster.create(f"arena_{uuid4().hex}"), tmp_path, model, engine) as ring:
        yield ring

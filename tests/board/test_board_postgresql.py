"""The tests of answers and results once more, with the records in PostgreSQL."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from app.db import Database, open_database
from tests.board.test_ballots import (  # noqa: F401
    test_an_answer_is_taken_in_once_however_often_is_looked,
    test_both_bad_is_a_tie_that_is_known,
    test_the_stamp_differs_after_votes_flags_and_exclusions,
    test_what_comes_later_with_an_older_moment_is_found,
)
from tests.board.test_results import (  # noqa: F401
    test_excluded_raters_are_out_at_once_and_back_when_counted_again,
    test_filters_take_their_part,
    test_grades_are_screened_as_the_recommendation_says,
    test_ratings_of_pairs_are_those_of_the_evaluation,
)
from tests.database.cluster import Cluster
from tests.database.conftest import cluster  # noqa: F401


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:  # noqa: F811
    database = open_database(cluster.create(f"board_{uuid4().hex}"))
    yield database
    database.close()

"""Which systems meet: all are joined soon, the close ones meet most, the order of showing is even."""

from collections import Counter

import numpy as np

from app.arena import pairs
from app.studies.administration import exclude
from evaluation.bradley_terry import VoteTable
from tests.arena.conftest import SYSTEMS, Ring, Visitor

NAMES = ("one", "two", "three", "four")


def table(*votes: tuple[int, int, int]) -> VoteTable:
    wins = np.zeros((4, 4))
    for winner, loser, count in votes:
        wins[winner, loser] = count
    return VoteTable(NAMES, wins, np.zeros((4, 4)))


def test_without_votes_every_system_meets_soon() -> None:
    rng = np.random.default_rng(5)
    met = [pairs.choose(table(), rng, awaited) for awaited in range(3)]
    assert all(first != second for first, second in met)
    drawn = Counter(name for _ in range(100) for name in pairs.choose(table(), rng))
    assert set(drawn) == set(NAMES)


def test_what_is_settled_rests_and_what_is_close_meets() -> None:
    settled = [(0, 2, 60), (0, 3, 60), (1, 2, 60), (1, 3, 60), (2, 3, 60)]
    close = [(0, 1, 30), (1, 0, 30)]
    rng = np.random.default_rng(6)
    drawn = Counter(frozenset(pairs.choose(table(*settled, *close), rng)) for _ in range(300))
    assert drawn[frozenset(("one", "two"))] > 200
    assert len(drawn) > 3, "a share is drawn evenly"
    first = Counter(pairs.choose(table(*settled, *close), rng)[0] for _ in range(300))
    assert 90 < first["one"] < 210, "no side is preferred"


def test_visitors_of_one_moment_hear_different_pairs() -> None:
    rng = np.random.default_rng(7)
    even = table(*[(i, j, 5) for i in range(4) for j in range(4) if i != j])
    drawn = {frozenset(pairs.choose(even, rng, awaited)) for awaited in range(8)}
    assert len(drawn) >= 4


def test_the_votes_count_but_those_of_excluded_raters(ring: Ring, visitor: Visitor) -> None:
    for outcome in ("a", "b", "tie", "both_bad"):
        assert visitor.vote(visitor.pair(), outcome=outcome).status_code == 200
    with ring.database.read() as session:
        found = pairs.vote_table(session, SYSTEMS)
    assert found.votes == 4 and found.ties.sum() / 2 == 2 and found.wins.sum() == 2
    from sqlalchemy import select

    from app.db.study_models import Rater

    with ring.database.read() as session:
        rater = session.scalars(select(Rater.id)).one()
    exclude(ring.database, rater, "for this test", actor="test")
    with ring.database.read() as session:
        assert pairs.vote_table(session, SYSTEMS).votes == 0

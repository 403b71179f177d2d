"""Answers kept in memory: topped up by what is new, read anew when something older turns up."""

from datetime import timedelta
from pathlib import Path

from app.board.ballots import Ballots, read_raters, stamp
from app.db import Database
from app.studies.administration import exclude
from tests.board.crowd import BEGIN, Answered, Crowd, pairs


def refreshed(ballots: Ballots, database: Database) -> list[tuple[str, str | None]]:
    with database.read() as session:
        ballots.refresh(session)
    return sorted((one.system, one.outcome) for one in ballots.counted)


def test_an_answer_is_taken_in_once_however_often_is_looked(preference: Crowd, database: Database) -> None:
    ballots = Ballots()
    before = refreshed(ballots, database)
    assert len(before) == 300 and refreshed(ballots, database) == before
    preference.answer([Answered("rater1", "item0", "ember", "amber", "b", at=BEGIN + timedelta(days=30))])
    assert refreshed(ballots, database) == sorted([*before, ("ember", "b")])


def test_what_comes_later_with_an_older_moment_is_found(preference: Crowd, database: Database) -> None:
    """A replay of the journal or a restored backup brings answers from before the newest one."""
    ballots = Ballots()
    refreshed(ballots, database)
    preference.answer([Answered("late", "item0", "cedar", "dune", "a", at=BEGIN - timedelta(days=2))])
    refreshed(ballots, database)
    assert len(ballots.counted) == 301 and ballots.counted[0].at == BEGIN - timedelta(days=2)


def test_training_traps_and_gold_items_do_not_count(preference: Crowd, database: Database) -> None:
    given = [
        Answered("rater1", "item0", "cedar", "dune", "a", phase=phase) for phase in ("training", "trap", "gold", "main")
    ]
    preference.answer(given)
    assert len(refreshed(Ballots(), database)) == 301


def test_both_bad_is_a_tie_that_is_known(database: Database, tmp_path: Path) -> None:
    crowd = Crowd(database, tmp_path, "pairwise", "arena")
    crowd.answer(
        [
            Answered("one", "item0", "cedar", "dune", "tie", both_bad=True),
            Answered("one", "item1", "cedar", "dune", "tie"),
        ]
    )
    ballots = Ballots()
    refreshed(ballots, database)
    assert [(one.outcome, one.both_bad, one.item) for one in ballots.counted] == [
        ("tie", one.item == "item0", one.item) for one in ballots.counted
    ]
    assert {one.item for one in ballots.counted} == {"item0", "item1"}


def test_the_stamp_differs_after_votes_flags_and_exclusions(preference: Crowd, database: Database) -> None:
    def now() -> str:
        with database.read() as session:
            return stamp(session)

    seen = [now(), now()]
    assert seen[0] == seen[1]
    preference.answer(pairs(1, seed=3))
    seen.append(now())
    preference.flag("rater1")
    seen.append(now())
    exclude(database, preference.raters["rater2"], "asleep", actor="test")
    seen.append(now())
    assert len(set(seen)) == 4
    with database.read() as session:
        raters = read_raters(session)
    assert raters.excluded == {preference.raters["rater2"]: "asleep"}
    assert raters.flagged == {preference.raters["rater1"]: ("trap_failed",)}

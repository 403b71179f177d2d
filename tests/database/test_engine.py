"""The engine: one writer, readers that cannot write, keys that hold, patience and sentences for faults."""

import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.db import Database, open_database
from app.db.engine import Turns
from app.db.faults import DatabaseBusy
from app.db.study_models import (
    ComparisonRow,
    Event,
    MushraScoreRow,
    OpinionScoreRow,
    Rater,
    RaterSession,
    Study,
    Trial,
    Vote,
)
from app.errors import UserError
from tests.database.cluster import Cluster
from tests.database.rows import Rows, add_session, add_study, add_trial, add_vote


def count(database: Database, table) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def rows(database: Database) -> Rows:
    with database.write() as session:
        return add_study(session)


def test_a_block_is_written_whole_or_not_at_all(database: Database, rows: Rows) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session:
        session.add(Study(slug="half"))
        session.flush()
        raise ZeroDivisionError
    assert count(database, Study) == 1


def test_a_reader_cannot_write_and_sees_what_was_committed(database: Database, rows: Rows) -> None:
    with pytest.raises(DBAPIError), database.read() as session:
        session.add(Study(slug="by mistake"))
        session.flush()
    assert count(database, Study) == 1


def test_moments_come_back_with_their_zone(database: Database, rows: Rows) -> None:
    paris = datetime(2026, 7, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    with database.write() as session:
        sitting = session.get(RaterSession, add_session(session, rows))
        assert sitting
        sitting.deadline_at = paris
    with database.read() as session:
        found = session.scalars(select(RaterSession)).one()
        assert found.deadline_at == paris and found.started_at.tzinfo is UTC
        assert found.seed == 2**62 and found.panel_json == {"id": None}
    with pytest.raises(Exception, match="without a zone"), database.write() as session:
        session.add(Rater(study_id=rows.study, created_at=datetime(2026, 1, 1)))


def test_parents_and_children_may_be_added_in_any_order(database: Database, rows: Rows) -> None:
    from app.db.models import new_id

    rater, sitting, trial = new_id(), new_id(), new_id()
    with database.write() as session:
        session.add_all(
            [
                Event(session_id=sitting, trial_id=trial, kind="play"),
                Vote(key="k", trial_id=trial, body_digest="d" * 64),
                Trial(id=trial, session_id=sitting, position=0, prompt_id=rows.prompts[0], seed=1),
                RaterSession(id=sitting, rater_id=rater, version_id=rows.version, seed=1),
                Rater(id=rater, study_id=rows.study),
            ]
        )
    assert count(database, Event) == 1


def test_foreign_keys_are_on(database: Database, rows: Rows) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Trial(session_id="nobody", position=0, prompt_id=rows.prompts[0], seed=1))


def test_keys_keep_a_vote_from_counting_twice(database: Database, rows: Rows) -> None:
    with database.write() as session:
        sitting = add_session(session, rows)
        trial, other = add_trial(session, rows, sitting, 0), add_trial(session, rows, sitting, 1)
        add_vote(session, rows, trial, "key 1")
    stimulus, attribute = rows.stimuli[rows.systems[0], rows.prompts[0]], "quality"
    compared = {"stimulus_a_id": stimulus, "stimulus_b_id": stimulus}
    with database.write() as session:
        session.add(OpinionScoreRow(trial_id=trial.id, stimulus_id=stimulus, attribute=attribute, score=3))
        session.add(ComparisonRow(trial_id=trial.id, attribute=attribute, outcome="tie", **compared))
    again = [
        Vote(key="key 2", trial_id=trial.id, body_digest="b"),
        Vote(key="key 1", trial_id=other.id, body_digest="b"),
        MushraScoreRow(trial_id=trial.id, stimulus_id=stimulus, attribute=attribute, score=1),
        MushraScoreRow(trial_id=other.id, stimulus_id=stimulus, attribute=attribute, score=100.5),
        OpinionScoreRow(trial_id=trial.id, stimulus_id=stimulus, attribute=attribute, score=3),
        ComparisonRow(trial_id=trial.id, attribute=attribute, outcome="a", **compared),
        ComparisonRow(trial_id=other.id, attribute=attribute, outcome="c", **compared),
        Trial(session_id=sitting, position=0, prompt_id=rows.prompts[0], seed=1),
        Study(slug="tones"),
    ]
    for row in again:
        with pytest.raises(IntegrityError), database.write() as session:
            session.add(row)
    assert count(database, Vote) == 1 and count(database, MushraScoreRow) == 2


def test_a_rater_has_one_active_session(database: Database, rows: Rows) -> None:
    with database.write() as session:
        sitting = add_session(session, rows, "person 1")
    with database.read() as session:
        rater = session.scalars(select(Rater.id)).one()
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(RaterSession(rater_id=rater, version_id=rows.version, seed=1))
    with database.write() as session:
        first = session.get(RaterSession, sitting)
        assert first
        first.state = "finished"
        session.flush()
        session.add(RaterSession(rater_id=rater, version_id=rows.version, seed=1))
    with pytest.raises(IntegrityError), database.write() as session:
        add_session(session, rows, "person 1")  # the panel's person is here already
    with database.write() as session:
        add_session(session, rows)
        add_session(session, rows)  # people without a panel are not the same person


def test_many_threads_write_and_nothing_is_lost(database: Database, rows: Rows) -> None:
    faults: list[BaseException] = []

    def rater(number: int) -> None:
        try:
            with database.write() as session:
                sitting = add_session(session, rows, f"person {number}")
            for position in range(5):
                with database.write() as session:
                    add_vote(session, rows, add_trial(session, rows, sitting, position), f"{number}/{position}")
                count(database, Vote)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=rater, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    assert count(database, Vote) == 80 and count(database, MushraScoreRow) == 160


def test_a_locked_database_is_waited_for_and_then_told(tmp_path: Path) -> None:
    path = tmp_path / "calm.sqlite3"
    database = open_database(f"sqlite:///{path}", patience_seconds=0.5)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UserError) as told, database.write() as session:
        session.add(Study(slug="a"))
    assert told.value.status == 503 and "0.5 seconds" in told.value.message
    assert count(database, Study) == 0  # readers go on
    threading.Timer(0.2, lambda: other.execute("COMMIT")).start()
    with database.write() as session:
        session.add(Study(slug="a"))
    other.close()
    database.close()


def test_a_full_disk_is_told_and_nothing_is_half_written(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'calm.sqlite3'}")
    with database.write() as session:
        session.add(Study(slug="first"))
        pages = session.scalar(text("PRAGMA page_count"))
        session.execute(text(f"PRAGMA max_page_count={pages}"))  # what SQLite does when the disk has no room
    with pytest.raises(UserError) as told, database.write() as session:
        for number in range(2000):
            session.add(Study(slug=f"study {number}"))
    assert told.value.status == 507 and "disk" in told.value.message
    assert count(database, Study) == 1
    with database.write() as session:
        session.execute(text("PRAGMA max_page_count=1000000"))
        session.add(Study(slug="second"))
    assert count(database, Study) == 2
    database.close()


def test_who_asks_first_writes_first() -> None:
    turns, order = Turns(), []

    def work(number: int) -> None:
        with turns.take(5):
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    with turns.take(1):
        for thread in threads:
            thread.start()
            time.sleep(0.02)
        with pytest.raises(DatabaseBusy), turns.take(0.05):
            pass
    for thread in threads:
        thread.join(5)
    assert order == list(range(8))
    with turns.take(0.1):
        pass


def test_postgresql_may_restart_between_and_within_transactions(cluster: Cluster) -> None:
    database = open_database(cluster.create("restarts"), patience_seconds=20)
    with database.write() as session:
        session.add(Study(slug="before"))
    cluster.stop("fast")
    restart = threading.Timer(0.5, cluster.start)
    restart.start()
    with database.write() as session:  # waits for the server
        session.add(Study(slug="after"))
    restart.join()
    runs = []

    def work(session) -> None:
        runs.append(1)
        session.add(Study(slug="within"))
        session.flush()
        if len(runs) == 1:
            cluster.stop("immediate")
            cluster.start()

    database.transact(work)
    assert len(runs) == 2
    with database.read() as session:
        assert set(session.scalars(select(Study.slug))) == {"before", "after", "within"}
    cluster.stop("fast")
    short = Database(database.url, patience_seconds=0.3)
    with pytest.raises(UserError) as told, short.write() as session:
        session.add(Study(slug="nobody there"))
    assert told.value.status == 503 and "does not answer" in told.value.message
    short.close()
    cluster.start()
    database.close()

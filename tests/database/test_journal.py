"""The journal: nothing that was answered is missing from it, and a replay brings everything back, once."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from app.db import Database, open_records
from app.db.journal import TABLES, Journal, lines
from app.db.replay import replay
from app.db.study_models import Flag, JournalMark, MushraScoreRow, RaterSession, Study, Vote
from app.errors import UserError
from tests.database.rows import add_session, add_study, add_trial, add_vote


def contents(database: Database) -> dict[str, list[tuple]]:
    """Every row of the listening tests."""
    with database.read() as session:
        return {
            name: sorted((tuple(row) for row in session.connection().execute(select(table))), key=repr)
            for name, table in TABLES.items()
        }


def fill(database: Database, raters: int = 3, trials: int = 4) -> None:
    """A study, its raters and votes, changes of state, a row that comes and goes."""
    with database.write() as session:
        rows = add_study(session)
    for rater in range(raters):
        with database.write() as session:
            sitting = add_session(session, rows, f"person {rater}")
        for position in range(trials):
            with database.write() as session:
                trial = add_trial(session, rows, sitting, position)
            with database.write() as session:
                add_vote(session, rows, trial, f"{rater}/{position}", score=10.0 * position + rater / 3)
        with database.write() as session:
            found = session.get(RaterSession, sitting)
            assert found
            found.state, found.questionnaire_json = "finished", {"age": "=1+1", "comment": 'é "quoted"\n & more'}
            session.add(Flag(session_id=sitting, kind="quick", detail_json={"seconds": 1.5}))
    with database.write() as session:
        session.delete(session.scalars(select(Flag)).first())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "records"


@pytest.fixture
def opened(url: str, folder: Path) -> Iterator[Database]:
    database = open_records(url, folder)
    yield database
    database.close()


def journal_lines(folder: Path) -> list[dict]:
    return [line for path in (folder / "journal").glob("*.jsonl") for line in lines(path)]


def test_an_empty_database_gets_everything_back(opened: Database, folder: Path, new_address: Callable[[], str]) -> None:
    fill(opened)
    before = contents(opened)
    assert len(before["votes"]) == 12 and len(before["mushra_scores"]) == 24 and len(before["flags"]) == 2
    fresh = open_records(new_address(), folder)
    assert contents(fresh) == before
    again = replay(folder / "journal", fresh)
    assert again.applied == 0 and again.lines == len(journal_lines(folder)) > 30
    fresh.close()


def test_a_journal_moves_from_one_kind_of_database_to_the_other(tmp_path: Path, folder: Path, cluster) -> None:
    first = open_records(f"sqlite:///{tmp_path / 'a.sqlite3'}", folder)
    fill(first, raters=2)
    second = open_records(cluster.create("moved"), folder)
    assert contents(second) == contents(first)
    with second.write() as session:
        session.add(Study(slug="newer"))
    third = open_records(f"sqlite:///{tmp_path / 'b.sqlite3'}", folder)
    assert contents(third) == contents(second)
    for database in (first, second, third):
        database.close()


def test_what_fails_leaves_no_trace(opened: Database, folder: Path) -> None:
    fill(opened, raters=1, trials=1)
    size = len(journal_lines(folder))
    with pytest.raises(IntegrityError), opened.write() as session:
        session.add(Study(slug="tones"))
    with pytest.raises(ZeroDivisionError), opened.write() as session:
        session.add(Study(slug="other"))
        session.flush()
        raise ZeroDivisionError
    with opened.write() as session:
        session.scalar(select(func.count()).select_from(Study))
    assert len(journal_lines(folder)) == size


def test_a_statement_that_the_journal_would_not_see_is_refused(opened: Database) -> None:
    with pytest.raises(AssertionError, match="through the session"), opened.write() as session:
        session.execute(update(Study).values(state="closed"))


def test_a_crash_between_journal_and_commit_is_made_good_at_the_next_start(
    url: str, folder: Path, tmp_path: Path
) -> None:
    opened = open_records(url, folder)
    fill(opened, raters=1, trials=1)
    opened.close()
    script = """
        import os, sys
        from pathlib import Path
        from sqlalchemy import event
        from app.db import open_records
        from app.db.study_models import Study
        database = open_records(sys.argv[1], Path(sys.argv[2]))
        @event.listens_for(database.writers, "commit")
        def crash(connection):
            os._exit(9)
        with database.write() as session:
            session.add(Study(slug="in the gap"))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script), url, str(folder)], timeout=60, check=False)
    assert ended.returncode == 9
    database = open_records(url, folder)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Study).where(Study.slug == "in the gap")) == 1
    database.close()


def test_a_line_cut_short_is_left_out_and_damage_in_the_middle_is_told(
    opened: Database, folder: Path, new_address: Callable[[], str]
) -> None:
    fill(opened, raters=1, trials=1)
    (path,) = (folder / "journal").glob("*.jsonl")
    path.write_bytes(path.read_bytes() + b'{"id":"half","at":"2026-01-01T00:00:00+00:00","rows":[["stud')
    fresh = open_records(new_address(), folder)
    assert contents(fresh) == contents(opened)
    fresh.close()
    text = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([text[0], text[1][:20], *text[2:]]))
    with pytest.raises(UserError, match="line 2"):
        open_records(new_address(), folder)


def test_a_full_disk_keeps_the_vote_out_of_both(opened: Database, folder: Path, monkeypatch) -> None:
    fill(opened, raters=1, trials=1)
    before, size = contents(opened), len(journal_lines(folder))
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError) as told, opened.write() as session:
        session.add(Study(slug="too much"))
    monkeypatch.setattr(os, "fsync", real)
    assert told.value.status == 507
    assert contents(opened) == before and len(journal_lines(folder)) == size
    with opened.write() as session:
        session.add(Study(slug="fits again"))
    assert len(journal_lines(folder)) == size + 1


def test_a_commit_that_fails_is_taken_back(
    tmp_path: Path, folder: Path, new_address: Callable[[], str], opened: Database
) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Connection

    def fail(_: Connection) -> None:
        raise OSError(28, "No space left on device")

    event.listen(opened.writers, "commit", fail)
    with pytest.raises(UserError), opened.write() as session:
        session.add(Study(slug="never"))
    event.remove(opened.writers, "commit", fail)
    assert [line for line in journal_lines(folder) if "void" in line]
    fresh = open_records(new_address(), folder)
    assert contents(fresh)["studies"] == [] == contents(opened)["studies"]
    fresh.close()


def test_the_older_of_two_lines_for_one_key_stays(
    opened: Database, folder: Path, new_address: Callable[[], str]
) -> None:
    fill(opened, raters=1, trials=1)
    record = next(line for line in journal_lines(folder) if any(name == "votes" for name, _ in line["rows"]))
    journal = Journal(folder / "journal")
    for name, row in record["rows"]:
        row["id" if name != "votes" else "key"] = f"other {name} {row.get('id', '')}"[:32]
    journal.append({"rows": record["rows"]})
    journal.close()
    database = open_records(new_address(), folder)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Vote)) == 1
        assert session.scalar(select(func.count()).select_from(MushraScoreRow)) == 2
    database.close()


def test_time_in_the_journal_never_goes_back(folder: Path) -> None:
    from datetime import UTC, datetime

    future = datetime(2099, 1, 1, tzinfo=UTC)
    journal = Journal(folder / "journal", after=future)
    journal.append({"rows": []})
    journal.append({"rows": []})
    journal.close()
    first, second = (line["at"] for line in journal_lines(folder))
    assert future.isoformat() < first < second


def test_files_stay_small_and_each_process_has_its_own(tmp_path: Path) -> None:
    one, two = Journal(tmp_path), Journal(tmp_path)
    for journal in (one, two, one):
        journal.append({"rows": [["studies", {"id": "x" * 600_000}]]})
    one.close()
    two.close()
    sizes = [path.stat().st_size for path in tmp_path.glob("*.jsonl")]
    assert len(sizes) == 3 and max(sizes) < 1 << 20
    assert all(json.loads(path.read_text().splitlines()[0])["rows"] for path in tmp_path.glob("*.jsonl"))


def test_every_change_leaves_one_mark(opened: Database, folder: Path) -> None:
    fill(opened, raters=1, trials=2)
    with opened.read() as session:
        marks = set(session.scalars(select(JournalMark.id)))
    assert marks == {line["id"] for line in journal_lines(folder)}


def test_a_commit_that_was_lost_on_its_way_counts_once(folder: Path, cluster, tmp_path: Path) -> None:
    from sqlalchemy import event

    opened = open_records(cluster.create("lost_commit"), folder)
    cuts = []

    def cut(_) -> None:
        if not cuts:  # the line is on the disk, and the server goes before it takes the commit
            cuts.append(1)
            cluster.stop("immediate")
            cluster.start()

    event.listen(opened.writers, "commit", cut)

    def work(session) -> None:
        session.add(Study(slug="once"))

    opened.transact(work)
    assert len([line for line in journal_lines(folder) if "void" in line]) == 1
    again = open_records(f"sqlite:///{tmp_path / 'again.sqlite3'}", folder)
    assert contents(again) == contents(opened) and len(contents(again)["studies"]) == 1
    again.close()
    opened.close()

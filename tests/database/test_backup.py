"""Backup and restore: everything comes back, on both databases, and nothing that is there is overwritten unasked."""

import sqlite3
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from app.db import Database, Store, open_records
from app.db.backup import backup, restore
from app.db.study_models import Study
from app.errors import UserError
from tests.database.rows import add_session, add_study, add_trial, add_vote
from tests.database.test_journal import contents, fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sound = tmp_path / "records" / "media" / "ab" / "abcd.flac"
    sound.parent.mkdir(parents=True)
    sound.write_bytes(b"sound" * 1000)
    return tmp_path / "records"


def test_everything_comes_back(new_address: Callable[[], str], folder: Path, tmp_path: Path) -> None:
    url = new_address()
    database = open_records(url, folder)
    fill(database)
    Store(database).record_consent(visitor="a", audio_sha256="1", statement="yes", source="api")
    out = tmp_path / "kept.zip"
    assert backup(url, folder, out) == 12
    with zipfile.ZipFile(out) as packed:
        assert sorted(packed.namelist()) == ["calm.sqlite3", "media/ab/abcd.flac"]
    other_url, elsewhere = new_address(), tmp_path / "elsewhere"
    assert restore(out, other_url, elsewhere).lines == 0
    other = open_records(other_url, elsewhere)
    assert contents(other) == contents(database)
    assert len(Store(other).consents()) == 1
    assert Store(other).record_consent(visitor="b", audio_sha256="1", statement="yes", source="api")
    assert (elsewhere / "media" / "ab" / "abcd.flac").read_bytes() == b"sound" * 1000
    other.close()
    database.close()


def test_a_backup_moves_to_the_other_kind_of_database(cluster, folder: Path, tmp_path: Path) -> None:
    first, second = f"sqlite:///{tmp_path / 'a.sqlite3'}", cluster.create("moved_by_backup")
    database = open_records(first, folder)
    fill(database)
    before = contents(database)
    database.close()
    restored = first
    for number, target in enumerate((second, f"sqlite:///{tmp_path / 'b.sqlite3'}")):
        out = tmp_path / f"{number}.zip"
        backup(restored, folder, out)
        restore(out, target, tmp_path / f"records {number}")
        restored = target
    database = open_records(restored, tmp_path / "records 1")
    assert contents(database) == before
    database.close()


def test_a_backup_is_made_under_load(folder: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'calm.sqlite3'}"
    database = open_records(url, folder)
    with database.write() as session:
        rows = add_study(session)
    stop, voted = threading.Event(), []

    def vote() -> None:
        with database.write() as session:
            sitting = add_session(session, rows)
        while not stop.is_set():
            with database.write() as session:
                add_vote(session, rows, add_trial(session, rows, sitting, len(voted)), f"key {len(voted)}")
            voted.append(1)

    thread = threading.Thread(target=vote)
    thread.start()
    try:
        counts = []
        for number in range(4):
            low = len(voted)
            counts.append(backup(url, folder, tmp_path / f"{number}.zip"))
            assert low <= counts[-1] <= len(voted) + 1
    finally:
        stop.set()
        thread.join(10)
        database.close()
    assert counts == sorted(counts) and len(voted) > 0


def test_what_came_after_the_backup_comes_from_the_journal(
    new_address: Callable[[], str], folder: Path, tmp_path: Path
) -> None:
    url = new_address()
    database = open_records(url, folder)
    fill(database)
    backup(url, folder, tmp_path / "old.zip")
    with database.write() as session:
        session.add(Study(slug="later"))
    after = contents(database)
    database.close()
    assert restore(tmp_path / "old.zip", url, folder, replace=True).applied == 1
    database = open_records(url, folder)
    assert contents(database) == after
    database.close()
    found = restore(tmp_path / "old.zip", url, folder, replace=True, without_journal=True)
    assert found.applied == 0 and list(folder.glob("journal-before-*"))
    database = open_records(url, folder)
    assert len(contents(database)["studies"]) == 1
    database.close()


def test_nothing_is_overwritten_unasked_or_in_use(new_address: Callable[[], str], folder: Path, tmp_path: Path) -> None:
    url = new_address()
    database = open_records(url, folder)
    fill(database, raters=1)
    backup(url, folder, tmp_path / "kept.zip")
    if url.startswith("sqlite"):
        with pytest.raises(UserError, match="in use"):
            restore(tmp_path / "kept.zip", url, folder, replace=True)
    before = contents(database)
    database.close()
    with pytest.raises(UserError, match="--replace"):
        restore(tmp_path / "kept.zip", url, folder)
    database = open_records(url, folder)
    assert contents(database) == before
    database.close()
    restore(tmp_path / "kept.zip", url, folder, replace=True)
    assert url.startswith("postgresql") or list(tmp_path.glob("*.before-*"))


def make_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"calm.sqlite3": b""},
        {"calm.sqlite3": b"not a database" * 100},
        {"calm.sqlite3": b"", "../out.flac": b"x"},
        {"calm.sqlite3": b"", "media/../../out.flac": b"x"},
        {"calm.sqlite3": b"", "/etc/out.flac": b"x"},
        {"calm.sqlite3": b"", "media\\..\\..\\out.flac": b"x"},
    ],
    ids=lambda entries: " ".join(entries) or "empty",
)
def test_what_is_no_backup_is_told_and_changes_nothing(entries: dict[str, bytes], tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path / 'calm.sqlite3'}", tmp_path / "records"
    with pytest.raises(UserError, match=r"no backup of ours|damaged"):
        restore(make_zip(tmp_path / "bad.zip", entries), url, folder)
    assert not (tmp_path / "calm.sqlite3").exists() and not list(tmp_path.rglob("out.flac"))


def test_a_file_that_is_no_zip_and_a_backup_cut_short(tmp_path: Path, folder: Path) -> None:
    url = f"sqlite:///{tmp_path / 'calm.sqlite3'}"
    database = open_records(url, folder)
    fill(database, raters=1)
    database.close()
    backup(url, folder, tmp_path / "kept.zip")
    raw = (tmp_path / "kept.zip").read_bytes()
    (tmp_path / "short.zip").write_bytes(raw[: len(raw) // 2])
    (tmp_path / "text.zip").write_text("hello")
    for name in ("short.zip", "text.zip", "missing.zip"):
        with pytest.raises(UserError):
            restore(tmp_path / name, url, folder, replace=True)
    database = open_records(url, folder)
    with database.read() as session:
        assert session.scalars(select(Study.slug)).all() == ["tones"]
    database.close()


def test_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no database"):
        backup(f"sqlite:///{tmp_path / 'none.sqlite3'}", tmp_path, tmp_path / "kept.zip")
    assert not (tmp_path / "none.sqlite3").exists()
    sqlite3.connect(tmp_path / "other.sqlite3").close()


def test_a_backup_that_cannot_be_written_is_told(database: Database, url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        backup(url, tmp_path, tmp_path / "no such folder" / "kept.zip")

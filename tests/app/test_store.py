"""Consents and saved voices in the database."""

from pathlib import Path

import pytest

from app.db import SavedVoice, Store, open_database
from app.errors import UserError


@pytest.fixture
def store(tmp_path: Path):
    database = open_database(f"sqlite:///{tmp_path / 'calm.sqlite3'}")
    yield Store(database)
    database.close()


def test_a_consent_is_written_once_for_each_visitor_and_recording(store: Store) -> None:
    def consent(visitor: str, audio: str) -> bool:
        return store.record_consent(visitor=visitor, audio_sha256=audio, statement="yes", source="page")

    assert consent("a", "1")
    assert not consent("a", "1")
    assert consent("a", "2")
    assert consent("b", "1")
    assert [row["audio_sha256"] for row in store.consents(visitor="a")] == ["1", "2"]
    assert len(store.consents()) == 3
    assert store.consents()[0]["given_at"] is not None


def test_a_voice_belongs_to_its_visitor(store: Store) -> None:
    voice = SavedVoice(id="1" * 32, name="Mine", audio_sha256="x", seconds=3.0)
    store.add_voice(voice=voice, visitor="a")
    assert store.voices(visitor="a") == [voice]
    assert store.voices(visitor="b") == []
    assert store.count_voices(visitor="a") == 1
    assert store.voice(voice_id=voice.id) == voice
    assert not store.delete_voice(voice_id=voice.id, visitor="b")
    assert store.delete_voice(voice_id=voice.id, visitor="a")
    assert store.voice(voice_id=voice.id) is None


def test_records_outlive_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'calm.sqlite3'}"
    first = open_database(url)
    Store(first).record_consent(visitor="a", audio_sha256="1", statement="yes", source="api")
    first.close()
    second = open_database(url)
    assert len(Store(second).consents()) == 1
    second.close()


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////nowhere/at/all/calm.sqlite3", "oracle9://x"])
def test_a_database_that_cannot_be_opened_is_one_sentence(url: str) -> None:
    with pytest.raises(UserError, match="CALM_DATABASE_URL"):
        open_database(url)

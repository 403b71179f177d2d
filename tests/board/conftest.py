"""The listening tests' server with its leaderboard, over a database that tests fill."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.board.service import Board
from app.db import Database, open_database
from app.settings import Settings, load_settings
from app.studies_site import create_studies_app
from tests.board.crowd import Crowd, pairs
from tests.serving import serving

PASSWORD = "correct horse"


@dataclass
class Place:
    """A running server."""

    url: str
    database: Database
    settings: Settings

    @property
    def media(self) -> Path:
        return self.settings.media_dir

    def crowd(self, kind: str, slug: str, **changes) -> Crowd:
        return Crowd(self.database, self.media, kind, slug, **changes)


@contextmanager
def opened(folder: Path) -> Iterator[Place]:
    settings = load_settings(data_dir=folder, admin_password=PASSWORD)
    database = open_database(settings.resolved_database_url())
    with serving(create_studies_app(settings, database)) as url:
        yield Place(url, database, settings)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with opened(tmp_path / "data") as place:
        yield place


@pytest.fixture
def client(place: Place) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=place.url, timeout=60) as client:
        yield client


@pytest.fixture
def admin(place: Place) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{place.url}/api/v1/admin/", timeout=60) as client:
        token = client.post("sign-in", json={"password": PASSWORD}).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'votes.sqlite3'}")
    yield database
    database.close()


@pytest.fixture
def board(database: Database) -> Iterator[Board]:
    board = Board(database)
    yield board
    board.close()


@pytest.fixture
def preference(database: Database, tmp_path: Path) -> Crowd:
    """A pairwise study with 300 votes."""
    crowd = Crowd(database, tmp_path / "media", "pairwise", "preference")
    crowd.answer(pairs(300))
    return crowd

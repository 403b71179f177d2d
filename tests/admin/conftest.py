"""A web server with the participants' and the administrators' routes, and studies that people took part in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.middleware.sessions import SessionMiddleware

from app.admin_access import AdminAccess
from app.admin_api import admin_routes
from app.board.service import Board
from app.board_api import admin_board_routes
from app.db import Database, open_records
from app.pages.admin import admin_pages
from app.settings import Settings, load_settings
from app.studies.service import StudyService
from tests.serving import serving
from tests.studies.conftest import application
from tests.studies.making import Clock, put_study, study
from tests.studies.rater import Rater

PASSWORD = "correct horse, é"


@dataclass
class Office:
    """A running server with its database."""

    url: str
    database: Database
    settings: Settings
    clock: Clock


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    settings = load_settings(data_dir=tmp_path / "data", max_study_mb=5)
    clock = Clock()
    database = open_records(settings.resolved_database_url(), settings.records_dir)
    service = StudyService(database, settings.media_dir, "a secret", clock)
    site = application(service)
    access = AdminAccess(PASSWORD, "a secret", frozenset({"owner"}))
    site.include_router(admin_routes(access, database, settings))
    board = Board(database)
    site.include_router(admin_board_routes(access, board, database))
    site.include_router(admin_pages())
    site.add_middleware(SessionMiddleware, secret_key="of the session")
    try:
        with serving(site) as url:
            yield Office(url, database, settings, clock)
    finally:
        board.close()
        database.close()


@pytest.fixture
def visitor(office: Office) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=office.url, timeout=60) as client:
        yield client


@pytest.fixture
def admin(office: Office) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{office.url}/api/v1/admin/", timeout=60) as client:
        token = client.post("sign-in", json={"password": PASSWORD}).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def voted(office: Office, visitor: httpx.Client) -> dict[str, list[Rater]]:
    """A study of each kind with two raters who finished; ids of the panel are a formula and HTML."""
    found = {}
    for kind in ("mos", "pairwise", "mushra"):
        put_study(office.database, office.settings.media_dir, study(kind))
        found[kind] = []
        for person in ("=1+1", "<b>bold</b>"):
            rater = Rater(visitor, f"{kind}-test", office.clock, {"PROLIFIC_PID": person})
            rater.begin()
            rater.finish()
            found[kind].append(rater)
    return found

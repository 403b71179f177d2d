"""A web server with the participants' pages and routes only: no engine, so that it starts at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

import app
from app.db import Database, open_database
from app.error_answers import install_error_handlers
from app.pages.rate import rate_routes
from app.studies.service import StudyService
from app.studies_api import studies_routes
from tests.serving import serving
from tests.studies.making import Clock

STATIC = Path(next(iter(app.__path__))) / "static"


@dataclass
class Hall:
    """A running server of listening tests."""

    url: str
    database: Database
    media: Path
    service: StudyService
    clock: Clock


def application(service: StudyService) -> FastAPI:
    """The participants' part of the application."""
    site = FastAPI(docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    install_error_handlers(site)
    site.include_router(studies_routes(service))
    site.include_router(rate_routes())
    site.mount("/ui", StaticFiles(directory=STATIC), name="ui")
    return site


@contextmanager
def opened(address: str, folder: Path) -> Iterator[Hall]:
    """A server over the database at an address, with its sounds in a folder."""
    database = open_database(address)
    clock = Clock()
    service = StudyService(database, folder / "media", "a secret of the tests", clock)
    try:
        with serving(application(service)) as url:
            yield Hall(url, database, folder / "media", service, clock)
    finally:
        database.close()


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    with opened(f"sqlite:///{tmp_path / 'studies.sqlite3'}", tmp_path) as hall:
        yield hall


@pytest.fixture
def client(hall: Hall) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=hall.url, timeout=30) as client:
        yield client

"""The page of samples on a server of its own, with the bundled sounds or with those of a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from app.error_answers import install_error_handlers
from app.pages.samples import samples_pages
from app.samples.schema import FOLDER
from app.samples_api import samples_routes
from app.server import STATIC
from tests.serving import serving


def site(folder: Path) -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(samples_pages())
    app.include_router(samples_routes(folder))
    app.mount("/ui", StaticFiles(directory=STATIC))
    return app


@pytest.fixture
def address() -> Iterator[str]:
    with serving(site(FOLDER)) as address:
        yield address

"""The listening tests as a part of a web application, and as one of their own: `python -m app serve`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import RedirectResponse

from app.admin_access import AdminAccess
from app.admin_api import admin_routes
from app.board.service import Board
from app.board_api import admin_board_routes, board_routes
from app.body_limit import BodyLimit
from app.db import Database, open_from
from app.error_answers import install_error_handlers
from app.pages.admin import admin_pages
from app.pages.leaderboard import leaderboard_pages
from app.pages.rate import rate_routes
from app.settings import Settings, load_settings
from app.studies.service import StudyService
from app.studies_api import studies_routes

STATIC = Path(__file__).parent / "static"


def add_studies(app: FastAPI, service: StudyService, database: Database, settings: Settings) -> Board:
    """Add the routes and pages of participants, administrators and the leaderboard.

    Returns:
        The leaderboard's results, to be closed before the database.
    """
    owners = settings.admin_owners()
    if owners:  # a Space with `hf_oauth` signs its owner in with Hugging Face
        from gradio.oauth import attach_oauth

        attach_oauth(app)
    access = AdminAccess(settings.admin_password, settings.resolved_secret_key(), owners)
    app.include_router(studies_routes(service))
    app.include_router(rate_routes())
    app.include_router(admin_routes(access, database, settings))
    app.include_router(admin_pages())
    board = Board(database)
    app.include_router(board_routes(board))
    app.include_router(admin_board_routes(access, board, database))
    app.include_router(leaderboard_pages())
    return board


def create_studies_app(settings: Settings, database: Database) -> FastAPI:
    """The listening tests alone: no speech engine, so that it starts at once and needs little memory."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        board.close()
        database.close()

    app = FastAPI(title="CALM listening tests", version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(BodyLimit, max_mb=settings.max_upload_mb + 1, max_study_mb=settings.max_study_mb + 1)
    install_error_handlers(app)
    service = StudyService(database, settings.media_dir, settings.resolved_secret_key())
    board = add_studies(app, service, database, settings)
    app.mount("/ui", StaticFiles(directory=STATIC), name="ui")
    app.add_api_route("/", lambda: RedirectResponse("/rate"), include_in_schema=False)
    return app


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m app serve`."""
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 7860)")
    parser.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> None:
    import uvicorn

    from app.listener import listen

    logging.basicConfig(level=logging.WARNING)
    settings = load_settings(host=options.host, port=options.port)
    listener = listen(settings.host, settings.port)
    listener.listen(1024)
    app = create_studies_app(settings, open_from(settings))
    host, port = listener.getsockname()[:2]
    print(f"The listening tests are at http://{host}:{port}/rate", file=sys.stderr, flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listener])

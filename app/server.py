"""The web server: routes first, then the page, mounted at the root."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from gradio import networking
from starlette.responses import FileResponse

from app import ui
from app.api import api_routes, nowhere
from app.arena_api import arena_routes
from app.body_limit import BodyLimit
from app.continuation_api import continuation_routes
from app.error_answers import install_error_handlers
from app.media import media_routes
from app.music_api import music_routes
from app.pages.arena import arena_pages
from app.pages.samples import samples_pages
from app.samples_api import samples_routes
from app.services import Services
from app.studies_site import add_studies

log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"


def create_app(services: Services, *, warm_up: bool = True) -> FastAPI:
    """Build the whole application; the engine warms up when the server starts."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if warm_up:
            services.synthesizer.start_warm_up()
        yield
        services.runs.stop_all()
        board.close()
        services.database.close()

    # FastAPI's own documentation pages fetch their scripts from elsewhere; ours is a page of this server
    app = FastAPI(
        title="CALM Space",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    settings = services.settings
    app.add_middleware(BodyLimit, max_mb=settings.max_upload_mb + 1, max_study_mb=settings.max_study_mb + 1)
    install_error_handlers(app)
    app.include_router(api_routes(services))
    app.include_router(continuation_routes(services))
    app.include_router(music_routes(services))
    app.include_router(media_routes(services))
    board = add_studies(app, services.studies, services.database, settings)
    app.include_router(arena_pages())
    app.include_router(samples_pages())
    app.include_router(samples_routes())
    if services.arena:
        app.include_router(arena_routes(services.arena))
    app.add_api_route("/api/docs", lambda: FileResponse(STATIC / "api.html"), include_in_schema=False)
    app.include_router(nowhere())
    app.mount("/ui", StaticFiles(directory=STATIC), name="ui")
    demo = ui.build(services)
    demo.queue(api_open=False, max_size=services.settings.queue_size + services.settings.concurrency)
    demo.state_session_capacity = 500
    return gr.mount_gradio_app(
        app,
        demo,
        "/",
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        pwa=False,
        footer_links=[],
        show_error=False,
        max_file_size=f"{services.settings.max_upload_mb:g}mb",
        favicon_path=str(STATIC / "icon.svg"),
        theme=ui.theme(),
        css_paths=ui.stylesheets(),
        head=ui.HEAD,
    )


def serve(app: FastAPI, listener: socket.socket, *, share: bool) -> None:
    """Answer on an open address until interrupted."""
    listener.listen()  # before the address is told: whoever comes early waits instead of being refused
    host, port = listener.getsockname()[:2]
    print(f"CALM Space is at http://{host}:{port}", file=sys.stderr, flush=True)
    if share:
        _share(host, port)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listener])


def _share(host: str, port: int) -> None:
    """Print a public address that leads to this server; without a network the server still runs."""
    try:
        address = networking.setup_tunnel(host, port, secrets.token_urlsafe(32), None, None)
        print(f"Public address: {address}", file=sys.stderr, flush=True)
    except Exception as error:
        print(f"No public address: the tunnel service cannot be reached ({error}).", file=sys.stderr, flush=True)

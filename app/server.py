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
from starlette.responses import FileResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import ui
from app.admin_access import AdminAccess
from app.admin_api import admin_routes
from app.api import api_routes, nowhere
from app.error_answers import install_error_handlers
from app.errors import UserError
from app.media import media_routes
from app.pages.admin import admin_pages
from app.pages.rate import rate_routes
from app.services import Services
from app.settings import Settings
from app.studies_api import studies_routes

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
    app.include_router(media_routes(services))
    app.include_router(studies_routes(services.studies))
    app.include_router(rate_routes())
    app.include_router(admin_routes(_administration(app, settings), services.database, settings))
    app.include_router(admin_pages())
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


def _administration(app: FastAPI, settings: Settings) -> AdminAccess:
    """Who may administer; a Space with `hf_oauth` also signs its owner in with Hugging Face."""
    owners = settings.admin_owners()
    if owners:
        from gradio.oauth import attach_oauth

        attach_oauth(app)
    return AdminAccess(settings.admin_password, settings.resolved_secret_key(), owners)


class BodyLimit:
    """Refuses bodies under `/api/` beyond a size, before anything reads them whole."""

    def __init__(self, app: ASGIApp, max_mb: float, max_study_mb: float):
        self._app = app
        self._limit = int(max_mb * 1e6)
        self._study_limit = int(max_study_mb * 1e6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the announced length, and count the bytes of bodies that announce none."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        limit = self._study_limit if scope["path"] == "/api/v1/admin/studies" else self._limit
        told = UserError(f"The request is larger than {limit / 1e6:g} MB.", status=413, code="too_large")
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            await JSONResponse(told.body(), status_code=told.status)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise told
            return message

        await self._app(scope, counted, send)


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

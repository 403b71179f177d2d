"""The page of samples on a server of its own, with the bundled sounds or with those of a test."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from app.error_answers import install_error_handlers
from app.pages.samples import samples_pages
from app.samples.schema import FOLDER
from app.samples_api import samples_routes
from app.server import STATIC


def site(folder: Path) -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(samples_pages())
    app.include_router(samples_routes(folder))
    app.mount("/ui", StaticFiles(directory=STATIC))
    return app


@contextmanager
def opened(folder: Path) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(site(folder), log_level="warning", timeout_graceful_shutdown=1))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


@pytest.fixture
def address() -> Iterator[str]:
    with opened(FOLDER) as address:
        yield address

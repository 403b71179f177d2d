"""One real server for all tests of the app: a tiny model with random weights behind the real services."""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn

from app.listener import listen
from app.server import create_app
from app.services import Services, build_services
from app.settings import Settings, load_settings
from tests.app.tiny import make_codec, make_continuation, make_model, make_music, make_voices


@dataclass(frozen=True)
class Site:
    """A running server."""

    url: str
    services: Services

    @property
    def settings(self) -> Settings:
        return self.services.settings

    def idle(self, within: float = 5.0) -> bool:
        """Whether nothing runs or waits, at the latest after `within` seconds."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if self.services.runs.active == 0 and self.services.runs.waiting == 0:
                return True
            time.sleep(0.02)
        return False


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    patch = pytest.MonkeyPatch()
    from calm_core.tasks import voice_shelf

    voices = make_voices(folder / "voices")
    patch.setattr(voice_shelf, "bundled_voices_folder", lambda: voices)
    settings = load_settings(
        data_dir=folder / "data",
        default_model=str(make_model(folder / "tiny")),
        default_codec=str(make_codec(folder / "tiny-codec")),
        extra_models=[make_model(folder / "slow", seconds_per_character=1.0)],
        default_continuation=str(folder / "goes-on"),
        extra_continuations=[
            make_continuation(folder / "goes-on", title="Tiny CALM"),
            make_continuation(folder / "goes-on-codes", "rq_transformer", title="Tiny RQ"),
        ],
        default_music=str(folder / "plays"),
        extra_music=[
            make_music(folder / "plays", title="Tiny CALM"),
            make_music(folder / "plays-codes", "rq_transformer", title="Tiny RQ"),
        ],
        max_music_seconds=30,
        max_music_prompt_seconds=20,
        loaded_models=10,
        max_text_chars=1000,
        max_upload_mb=3,
        max_prompt_seconds=20,
        concurrency=2,
        queue_size=2,
        port=0,
    )
    services = build_services(settings)
    with serving(services) as url:
        site = Site(url, services)
        wait_ready(url)
        yield site
    patch.undo()


class serving:
    """Run the real web server on a free port while the block lasts."""

    def __init__(self, services: Services):
        self._services = services
        self._listener = listen("127.0.0.1", 0)
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        # inside a running loop, or Gradio makes loops of its own and never closes them
        app = create_app(self._services)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        await self._server.serve(sockets=[self._listener])

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()
        assert not self._thread.is_alive(), "the server did not stop"


def wait_ready(url: str) -> None:
    """Wait until the engine is warm; fails with the reason when it cannot be loaded."""
    for _ in range(600):
        try:
            health = httpx.get(f"{url}/healthz").json()
        except httpx.TransportError:
            health = {"status": "starting"}
        if health["status"] in ("ready", "failed"):
            assert health["status"] == "ready", health
            return
        time.sleep(0.1)
    raise AssertionError("the engine never became ready")


@pytest.fixture(scope="session")
def api(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, timeout=30) as client:
        yield client


@pytest.fixture
def visit(browser, site: Site) -> Iterator:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    from tests.app.visit import Visit

    try:
        visit = Visit(context, site)
        yield visit
    finally:
        context.close()
    assert not visit.faults
    assert site.idle(), "something is still running"

"""The arena over a real queue and a real tiny model with random weights, and a visitor without a page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest
import yaml
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from app.arena.service import ArenaService, with_models
from app.arena.systems import Arena, read_arena
from app.arena_api import arena_routes
from app.clips import ClipCache
from app.db import Database, open_records
from app.error_answers import install_error_handlers
from app.pages.arena import arena_pages
from app.runs import Runs
from app.settings import Settings, load_settings
from app.studies.service import StudyService
from app.studies_api import studies_routes
from app.synthesis import Synthesizer
from tests.app.tiny import make_continuation, make_model, make_music, make_voices
from tests.serving import serving
from tests.studies.conftest import STATIC
from tests.studies.making import Clock

# words that occur nowhere else, for the search in what is sent before a vote
SYSTEMS = ("zebra-cold", "quokka-warm", "narwhal-steps")
LINE = "The boats came home."
VOICES = {"slt": "A high voice", "rms": "A low voice"}


def values(model: str, **changes: Any) -> dict[str, Any]:
    """A small arena in order."""
    told = {
        "question": "Which one is better?",
        "systems": [
            {"name": SYSTEMS[0], "model": model, "temperature": 0.2, "title": "Zebra at 0.2"},
            {"name": SYSTEMS[1], "model": model, "temperature": 0.9},
            {"name": SYSTEMS[2], "model": model, "steps": 3},
        ],
        "voices": VOICES,
        "prompts": [{"name": "boats", "text": LINE}, {"name": "rain", "text": "Before the rain."}],
        "minimum_seconds": 0.5,
    }
    return told | changes


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "arena.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


@dataclass
class Ring:
    """A running arena."""

    url: str
    database: Database
    settings: Settings
    arena: Arena
    service: ArenaService
    clock: Clock
    model: Path


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a tiny model, whose voices are the tests' own."""
    folder = tmp_path_factory.mktemp("arena")
    patch = pytest.MonkeyPatch()
    from calm_core.tasks import voice_shelf

    voices = make_voices(folder / "voices")
    patch.setattr(voice_shelf, "bundled_voices_folder", lambda: voices)
    yield make_model(folder / "okapi-weights")
    patch.undo()


@pytest.fixture(scope="package")
def goers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Tiny models that continue speech, over latents and over codes."""
    folder = tmp_path_factory.mktemp("goers")
    return [make_continuation(folder / "ibex-weights"), make_continuation(folder / "lynx-weights", "rq_transformer")]


@pytest.fixture(scope="package")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of music."""
    return make_music(tmp_path_factory.mktemp("player") / "gecko-weights")


@pytest.fixture(scope="package")
def engine(model: Path, goers: list[Path], player: Path, tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    """The model in memory, once for all tests."""
    folder = tmp_path_factory.mktemp("engine")
    settings = load_settings(data_dir=folder, default_model=str(model), extra_continuations=goers, extra_music=[player])
    synthesizer = Synthesizer(settings)
    synthesizer.start_warm_up()
    synthesizer.wait()
    assert synthesizer.health()["status"] == "ready", synthesizer.health()
    return synthesizer


def application(service: ArenaService, studies: StudyService) -> FastAPI:
    """The arena's part of the application, with the sounds of the listening tests."""
    site = FastAPI(docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    install_error_handlers(site)
    site.include_router(studies_routes(studies))
    site.include_router(arena_routes(service))
    site.include_router(arena_pages())
    site.mount("/ui", StaticFiles(directory=STATIC), name="ui")
    return site


@contextmanager
def opened(
    address: str, folder: Path, model: Path, engine: Synthesizer, content: dict[str, Any] | None = None
) -> Iterator[Ring]:
    """An arena over the database at an address, with everything else in a folder."""
    path = written(folder, content or values(str(model)))
    settings = load_settings(
        data_dir=folder / "data", database_url=address, default_model=str(model), arena_file=path, arena_text_chars=80
    )
    arena = read_arena(path)
    settings = with_models(arena, settings)
    database = open_records(settings.resolved_database_url(), settings.records_dir)
    clock = Clock()
    runs = Runs(engine, ClipCache(settings.data_dir / "clips", limit_mb=50), settings)
    service = ArenaService(arena, database, runs, settings, np.random.default_rng(1), clock)
    studies = StudyService(database, settings.media_dir, settings.resolved_secret_key(), clock)
    with serving(application(service, studies)) as url:
        yield Ring(url, database, settings, arena, service, clock, model)
    database.close()


@pytest.fixture
def ring(tmp_path: Path, model: Path, engine: Synthesizer) -> Iterator[Ring]:
    with opened("", tmp_path, model, engine) as ring:
        yield ring


class Visitor:
    """Somebody who uses the REST interface; keeps every response, for tests that search them."""

    def __init__(self, ring: Ring):
        self.ring = ring
        self.client = httpx.Client(base_url=ring.url, timeout=60)
        self.token = ""
        self.responses: list[httpx.Response] = []

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        response = self.client.request(method, path, json=body, headers=headers)
        self.responses.append(response)
        return response

    def begin(self, **wish: str) -> dict[str, Any]:
        response = self.send("POST", "/api/v1/arena/battles", wish or {"prompt": "boats", "voice": "slt"})
        assert response.status_code == 202, response.text
        self.token = response.json()["visitor"]
        return response.json()

    def state(self, battle: str) -> httpx.Response:
        return self.send("GET", f"/api/v1/arena/battles/{battle}")

    def made(self, battle: str) -> dict[str, Any]:
        """The state once the recordings are made, or could not be."""
        for _ in range(3000):
            state = self.state(battle).json()
            if state["state"] != "preparing":
                return state
            time.sleep(0.02)
        raise AssertionError("the pair was never made")

    def pair(self, **wish: str) -> dict[str, Any]:
        state = self.made(self.begin(**wish)["battle"])
        assert state["state"] == "ready", state
        return state

    def ballot(self, pair: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """A vote that is in order."""
        return {
            "battle": pair["battle"], "key": uuid4().hex, "outcome": "a", "listened": {"0": 1.0, "1": 1.0},
            "events": [{"kind": "play", "ms": 12, "slot": 0}],
        } | changes  # fmt: skip

    def vote(self, pair: dict[str, Any], **changes: Any) -> httpx.Response:
        """Listen for a while by the server's clock and vote."""
        self.ring.clock.skip(10)
        return self.send("POST", "/api/v1/arena/vote", self.ballot(pair, **changes))


@pytest.fixture
def visitors(ring: Ring) -> Iterator[Callable[[], Visitor]]:
    """As many visitors as a test wants."""
    with ExitStack() as stack:

        def come() -> Visitor:
            one = Visitor(ring)
            stack.callback(one.client.close)
            return one

        yield come


@pytest.fixture
def visitor(visitors: Callable[[], Visitor]) -> Visitor:
    return visitors()

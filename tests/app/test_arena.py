"""The arena as a part of the whole application."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import yaml
from fastapi import FastAPI

from app.arena.systems import read_arena
from app.errors import UserError
from app.server import create_app
from app.services import build_services
from app.settings import ASSETS, load_settings
from tests.app.conftest import Site


def test_the_arena_is_there_with_its_page_and_a_link_to_it(api: httpx.Client, site: Site) -> None:
    told = api.get("/api/v1/arena").json()
    assert told["state"] == "open" and told["systems"] == len(read_arena(ASSETS / "arena.yaml").names("tts"))
    page = api.get("/arena")
    assert page.status_code == 200 and "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert 'href=\\"/arena\\"' in api.get("/").text or 'href="/arena"' in api.get("/config").text.replace("\\", "")
    assert "/api/v1/arena/vote" in api.get("/api/openapi.json").json()["paths"]


def test_the_arena_can_be_left_out(tmp_path: Path) -> None:
    services = build_services(load_settings(data_dir=tmp_path, arena=False))
    assert services.arena is None

    async def made() -> FastAPI:  # inside a running loop, or Gradio makes loops of its own and never closes them
        return create_app(services, warm_up=False)

    with ThreadPoolExecutor(1) as thread:  # a browser of other tests may have left its own loop running in this one
        site = thread.submit(lambda: asyncio.run(made())).result()
    paths = site.openapi()["paths"]
    assert not [path for path in paths if path.startswith("/api/v1/arena")]
    services.database.close()


def test_models_of_the_arenas_file_may_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "my-model").mkdir()
    content = {
        "systems": [{"name": "mine", "model": "my-model"}, {"name": "bundled", "model": "calm-tts-en"}],
        "prompts": [{"name": "hello", "text": "Hello."}],
    }
    (tmp_path / "arena.yaml").write_text(yaml.safe_dump(content))
    services = build_services(load_settings(data_dir=tmp_path / "data", arena_file=tmp_path / "arena.yaml"))
    assert services.settings.extra_models == [tmp_path / "my-model"], "the engine loads listed models only"
    services.database.close()


def test_a_fault_in_the_arenas_file_keeps_the_app_from_starting_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "arena.yaml").write_text("systems:\n  - name: alone\n    model: m\nprompts: []\n")
    with pytest.raises(UserError, match=r"arena\.yaml:\d+: ") as raised:
        build_services(load_settings(data_dir=tmp_path / "data", arena_file=tmp_path / "arena.yaml"))
    assert "\n" not in raised.value.message

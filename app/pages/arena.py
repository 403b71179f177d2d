"""The page of the arena: one static document; its scripts ask the server for pairs."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

from app.pages.rate import HEADERS

PAGE = Path(__file__).parent.parent / "static" / "arena" / "arena.html"


def arena_pages() -> APIRouter:
    """`/arena`."""
    router = APIRouter()

    @router.get("/arena", include_in_schema=False)
    async def arena() -> FileResponse:
        return FileResponse(PAGE, media_type="text/html", headers=HEADERS)

    return router

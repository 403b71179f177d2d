"""The page of the leaderboard: one static document; its scripts ask for results and draw what comes."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

from app.pages.rate import HEADERS as SHARED

PAGE = Path(__file__).parent.parent / "static" / "board" / "leaderboard.html"
# a figure becomes a PNG by way of a blob of this page
HEADERS = {
    **SHARED,
    "Content-Security-Policy": SHARED["Content-Security-Policy"] + "; img-src 'self' blob: data:",
}


def leaderboard_pages() -> APIRouter:
    """`/leaderboard`; what is shown stands in the query string, so that an address is a permanent link."""
    router = APIRouter()

    @router.get("/leaderboard", include_in_schema=False)
    async def leaderboard() -> FileResponse:
        return FileResponse(PAGE, media_type="text/html", headers=HEADERS)

    return router

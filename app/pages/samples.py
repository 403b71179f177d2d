"""The page of samples: one static document; its scripts ask for the tables and play what they name."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

from app.pages.rate import HEADERS

PAGE = Path(__file__).parent.parent / "static" / "samples" / "samples.html"


def samples_pages() -> APIRouter:
    """`/samples`; `#TABLE` leads to a table."""
    router = APIRouter()

    @router.get("/samples", include_in_schema=False)
    async def samples() -> FileResponse:
        return FileResponse(PAGE, media_type="text/html", headers=HEADERS)

    return router

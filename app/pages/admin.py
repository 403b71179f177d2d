"""The page of the administrators: one static document; what it shows needs the administrator's token."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

from app.pages.rate import HEADERS

PAGE = Path(__file__).parent.parent / "static" / "admin" / "admin.html"


def admin_pages() -> APIRouter:
    """`/admin`."""
    router = APIRouter()

    @router.get("/admin", include_in_schema=False)
    async def admin() -> FileResponse:
        return FileResponse(PAGE, media_type="text/html", headers=HEADERS)

    return router

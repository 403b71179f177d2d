"""The page of the participants: one static document; its scripts ask the server where the session stands."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

PAGE = Path(__file__).parent.parent / "static" / "study" / "rate.html"
# nothing from elsewhere, no script in the document, no frame around it, and no address with a token in a Referer
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self' https://huggingface.co",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def rate_routes() -> APIRouter:
    """`/rate`: the list of studies, an invitation (`?study=SLUG`) or a session (`?p=TOKEN`)."""
    router = APIRouter()

    @router.get("/rate", include_in_schema=False)
    async def rate() -> FileResponse:
        return FileResponse(PAGE, media_type="text/html", headers=HEADERS)

    return router

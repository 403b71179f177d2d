"""Bodies of requests have a size; what is larger is refused before anything reads it whole."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import UserError


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

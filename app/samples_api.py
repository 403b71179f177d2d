"""REST of the page of samples: its tables, sounds, and the recipes and reports that they come from."""

from __future__ import annotations

import logging
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, JSONResponse

from app.errors import UserError
from app.samples.schema import FOLDER, ROOT
from app.samples.shown import PREFIX, Shown, read_shown
from app.samples.sound_file import MEDIA_TYPE

log = logging.getLogger(__name__)
FRESH = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
KEPT = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def samples_routes(folder: Path = FOLDER) -> APIRouter:
    """Routes under `/api/v1/samples`; samples that cannot be read are told in the log and leave an empty page."""
    router = APIRouter(prefix=PREFIX, tags=["samples"])
    try:
        shown = read_shown(folder)
    except UserError as error:
        log.warning("No samples are shown: %s", error.message)
        shown = Shown()

    @router.get("")
    async def samples() -> JSONResponse:
        """All tables that have sound: prompts, systems with their settings and figures, addresses of the clips."""
        return JSONResponse({"object": "list", "data": shown.tables}, headers=FRESH)

    @router.get("/audio/{path:path}")
    async def sound(path: str) -> FileResponse:
        """A clip, Opus in Ogg, as the tables name it."""
        file = shown.sounds.get(f"audio/{path}")
        if file is None:
            raise UserError(f"There is no sample {path[:100]}; {PREFIX} lists them.", status=404, code="no_sample")
        return FileResponse(file, media_type=MEDIA_TYPE, headers=KEPT)

    @router.get("/documents/{path:path}")
    async def document(path: str) -> FileResponse:
        """A recipe or report of the tables, as it stands in this repository."""
        if path not in shown.documents:
            raise UserError(f"{path[:100]} is no document of the samples.", status=404, code="no_document")
        return FileResponse(ROOT / path, media_type="text/plain; charset=utf-8", headers=FRESH)

    return router

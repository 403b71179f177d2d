"""Routes that the page's player uses: streams of runs, and kept clips."""

from __future__ import annotations

import asyncio
from typing import Any

import soundfile
from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse

from app.clips import FORMATS
from app.continuation import sheet
from app.errors import UserError
from app.responses import RunResponse, frames
from app.services import Services


def media_routes(services: Services) -> APIRouter:
    """Routes under `/api/v1/runs` and `/api/v1/clips`."""
    router = APIRouter(prefix="/api/v1", tags=["studio"])

    @router.get("/runs/{run_id}/stream")
    async def stream(run_id: str) -> RunResponse:
        """Play a run that the page opened; see `app.responses.frames` for the format."""
        run = services.runs.get(run_id)
        if run is None:
            raise UserError("This run has ended or was never opened; press Speak again.", status=404, code="no_run")
        if run.claimed:
            raise UserError("This run is being played already.", status=409, code="run_taken")
        return RunResponse(
            frames(services.runs, run), media_type="application/octet-stream", headers={"Cache-Control": "no-store"}
        )

    @router.post("/runs/{run_id}/stop")
    async def stop(run_id: str) -> JSONResponse:
        """Ask a run to end at its next frame."""
        return JSONResponse({"stopped": services.runs.stop(run_id)})

    @router.get("/examples")
    async def examples() -> dict[str, Any]:
        """The pre-rendered clips with their parameters."""
        return {"object": "list", "data": [example.info for example in services.clips.examples]}

    @router.get("/clips/{clip_id}/sound")
    async def sound(clip_id: str) -> Response:
        """A kept sound as it lies on disk, for the page to play at once; downloads are the marked files below."""
        path = services.clip(clip_id).path
        rate = await asyncio.to_thread(lambda: soundfile.info(path).samplerate)
        headers = {"X-Sample-Rate": str(rate)}  # so that the page decodes it without resampling
        return FileResponse(path, media_type=FORMATS[path.suffix.lstrip(".")], headers=headers)

    @router.get("/clips/{clip_id}.{suffix}")
    async def clip(clip_id: str, suffix: str, download: bool = False) -> Response:
        """A kept sound as wav, flac or mp3, marked as synthetic, its parameters as json, or its words as txt."""
        name = f"calm-{clip_id[:8]}.{suffix}" if download else None
        headers = {"Content-Disposition": f'attachment; filename="{name}"'} if name else {}
        if suffix == "json":
            return JSONResponse(services.clip(clip_id).info, headers=headers)
        if suffix == "txt":
            return PlainTextResponse(sheet(services.clip(clip_id).info), headers=headers)
        path = await asyncio.to_thread(services.rendition, clip_id, suffix)
        return FileResponse(path, media_type=FORMATS[suffix], filename=name)

    return router

"""The public REST interface: speech as OpenAI's endpoint, models, voices and health."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from app.clips import FORMATS
from app.encoding import MEDIA_TYPES
from app.errors import UserError
from app.responses import encoded_response, marked_headers, while_connected
from app.services import Services
from app.uploads import received
from app.voices import SAVED_PREFIX


class VoiceChoice(BaseModel):
    """OpenAI's other way to name a voice."""

    model_config = ConfigDict(extra="forbid")
    id: str


class SpeechBody(BaseModel):
    """Body of `POST /api/v1/audio/speech`: OpenAI's fields, and the sampling parameters of this engine."""

    model_config = ConfigDict(extra="forbid")
    model: str = Field("", description="an id of /api/v1/models; the default model when empty")
    input: str = Field(description="the text to speak")
    voice: str | VoiceChoice = Field("", description="a name of /api/v1/voices or saved:<id>; a default when empty")
    response_format: str = Field("mp3", description="mp3, wav, flac or pcm (24 kHz, 16 bit, mono, little-endian)")
    speed: float = 1.0
    instructions: str | None = Field(None, description="accepted for compatibility; must be empty")
    stream_format: Literal["audio", "sse"] = "audio"
    stream: bool | None = Field(
        None, description="send while speaking; by default all but flac, whose header then has a length"
    )
    seed: int | None = None
    temperature: float | None = None
    steps: int | None = None
    cfg: float | None = None


def api_routes(services: Services) -> APIRouter:
    """Routes under `/api/v1` and `/healthz`."""
    router = APIRouter()
    settings, synthesizer = services.settings, services.synthesizer

    @router.get("/healthz", tags=["service"])
    async def healthz() -> dict[str, Any]:
        """Status `warming`, `ready` or `failed`, and the state of the queue."""
        return {**synthesizer.health(), "active": services.runs.active, "waiting": services.runs.waiting}

    @router.get("/api/v1/models", tags=["speech"])
    async def models() -> dict[str, Any]:
        """Every model, in the shape of OpenAI's list."""
        known = await asyncio.to_thread(synthesizer.catalogue.all)
        return {"object": "list", "data": [{"object": "model", "owned_by": info["source"], **info} for info in known]}

    @router.get("/api/v1/voices", tags=["speech"])
    async def voices(model: str = "") -> dict[str, Any]:
        """The preset voices of a model with their licences."""
        known = await asyncio.to_thread(synthesizer.voices, model or settings.default_model)
        return {"object": "list", "data": [{"object": "voice", **info} for info in known]}

    @router.post("/api/v1/voices", tags=["speech"], status_code=201)
    async def add_voice(
        request: Request,
        file: Annotated[UploadFile, File(description="a recording of the voice")],
        name: Annotated[str, Form()],
        consent: Annotated[bool, Form(description="true: you have the right to use this voice")] = False,
    ) -> dict[str, Any]:
        """Keep a recording as a voice; use the returned id as `voice`. Whoever knows the id may use it."""
        visitor = f"api:{request.client.host if request.client else ''}"
        path = await received(file, settings.max_upload_mb)
        try:
            voice = await asyncio.to_thread(
                services.voices.save, name, path, consent=consent, visitor=visitor, source="api"
            )
        finally:
            path.unlink(missing_ok=True)
        return {"object": "voice", "id": SAVED_PREFIX + voice.id, "name": voice.name, "seconds": voice.seconds}

    @router.delete("/api/v1/voices/{voice_id}", tags=["speech"])
    async def delete_voice(request: Request, voice_id: str) -> dict[str, Any]:
        """Forget a saved voice and its recording."""
        visitor = f"api:{request.client.host if request.client else ''}"
        await asyncio.to_thread(services.voices.delete, voice_id.removeprefix(SAVED_PREFIX), visitor)
        return {"object": "voice", "id": voice_id, "deleted": True}

    @router.post("/api/v1/audio/speech", tags=["speech"])
    async def speech(request: Request, body: SpeechBody) -> Response:
        """Speak a text; compatible with OpenAI's speech endpoint."""
        _check_format(body)
        model = body.model or settings.default_model
        await asyncio.to_thread(synthesizer.wait)
        name = body.voice if isinstance(body.voice, str) else body.voice.id
        if not name:
            name = await asyncio.to_thread(synthesizer.default_voice, model)
        run = services.open_run(
            model=model,
            text=body.input,
            voice=await asyncio.to_thread(services.voices.by_name, name),
            seed=body.seed,
            temperature=body.temperature,
            steps=body.steps,
            cfg=body.cfg,
            speed=body.speed,
        )
        streaming = body.response_format != "flac" if body.stream is None else body.stream
        if streaming or body.response_format not in FORMATS:
            return await encoded_response(request, services.runs, run, body.response_format)
        end = await while_connected(request, services.runs.result(run))
        if end.clip is None:
            raise UserError(end.warning or "No sound was made.", status=507, code="disk_full")
        path = await asyncio.to_thread(services.rendition, end.clip.id, body.response_format)
        return FileResponse(path, media_type=MEDIA_TYPES[body.response_format], headers=marked_headers(run))

    return router


def nowhere() -> APIRouter:
    """The rest of `/api`, so that a mistyped address is answered as JSON and not by the page."""
    router = APIRouter()

    @router.api_route("/api/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    async def unknown(request: Request) -> None:
        raise UserError(
            f"There is no {request.method} {request.url.path[:100]}; /api/docs lists what there is.",
            status=404,
            code="unknown_route",
        )

    return router


def _check_format(body: SpeechBody) -> None:
    if body.response_format not in MEDIA_TYPES:
        raise UserError(
            f"The format '{body.response_format[:20]}' is not offered; choose {', '.join(MEDIA_TYPES)}.",
            code="unsupported_format",
            param="response_format",
        )
    if body.stream_format != "audio":
        raise UserError("Only the stream format 'audio' is offered.", param="stream_format")
    if body.instructions:
        raise UserError("These models take no instructions; leave the field out.", param="instructions")

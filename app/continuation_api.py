"""REST of speech continuation: a prompt in, the prompt and what follows it out, with the words and their seconds."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from app.clips import FORMATS, Clip
from app.encoding import MEDIA_TYPES
from app.errors import UserError
from app.models import GO_ON
from app.responses import encoded_response, marked_headers, while_connected
from app.services import Services
from app.speech import VoiceRef
from app.uploads import decoded, received

ADDRESS = "/api/v1/audio/continuations"
JSON = "json"


class ContinuationBody(BaseModel):
    """Body of `POST /api/v1/audio/continuations`, as JSON or as a form; a form may bring the recording as `file`."""

    model_config = ConfigDict(extra="forbid")
    model: str = Field(
        "", description="an id of /api/v1/models whose task is speech_continuation; one of latents when empty"
    )
    prompt: str = Field("", description="a name of /api/v1/prompts, where no recording is sent")
    audio: str = Field("", description="a recording to go on from, a sound file as base64; forms send `file` instead")
    consent: bool = Field(False, description="true: you have the right to use the voice of the recording that you send")
    prompt_seconds: float | None = Field(None, description="how much of its beginning is kept; 3 by default")
    seconds: float | None = Field(None, description="of new speech; 27 by default")
    seed: int | None = None
    temperature: float | None = Field(None, description="of the sound")
    text_temperature: float | None = Field(None, description="of the words")
    steps: int | None = Field(None, description="of the sampler, for models of latents")
    top_k: int | None = Field(None, description="codes to choose from, for models of codes")
    response_format: str = Field("mp3", description="mp3, wav, flac, pcm (16 bit, mono), or json for words and links")
    stream: bool | None = Field(None, description="send while speaking; by default all but flac and json")


def _schemas() -> dict[str, Any]:
    """The two forms of the body in OpenAPI's words."""
    own = ContinuationBody.model_json_schema()
    form = {**own, "properties": {**own["properties"], "file": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": own}, "multipart/form-data": {"schema": form}}


def continuation_routes(services: Services) -> APIRouter:
    """Routes under `/api/v1/audio/continuations`, and `/api/v1/prompts`."""
    router = APIRouter(tags=["continuation"])
    synthesizer = services.synthesizer

    @router.get("/api/v1/prompts")
    async def prompts() -> dict[str, Any]:
        """The bundled recordings that a model can go on from."""
        data = [{"object": "prompt", "name": one.name, "title": one.title} for one in services.prompts.all()]
        return {"object": "list", "data": data}

    @router.post(ADDRESS, openapi_extra={"requestBody": {"required": True, "content": _schemas()}})
    async def go_on(request: Request) -> Response:
        """Go on from a recording; the header `Link` leads to the words, once the sound has been made."""
        body, path = await _read(request, services.settings.max_upload_mb)
        try:
            name = _format(body)
            await asyncio.to_thread(synthesizer.wait)
            run = services.open_continuation(
                model=body.model or await asyncio.to_thread(synthesizer.catalogue.default, GO_ON),
                prompt=await asyncio.to_thread(_prompt, services, request, body, path),
                prompt_seconds=body.prompt_seconds, seconds=body.seconds, seed=body.seed, temperature=body.temperature,
                text_temperature=body.text_temperature, steps=body.steps, top_k=body.top_k,
            )  # fmt: skip
            told = {"Link": f'<{ADDRESS}/{await asyncio.to_thread(services.runs.clip_id, run)}>; rel="describedby"'}
            streaming = name not in ("flac", JSON) if body.stream is None else body.stream and name != JSON
            if streaming or name not in (*FORMATS, JSON):
                answer = await encoded_response(request, services.runs, run, name)
                answer.headers.update(told)
                return answer
            end = await while_connected(request, services.runs.result(run))
        finally:
            if path is not None:
                path.unlink(missing_ok=True)  # the run has read it when its first sound is there
        if end.clip is None:
            raise UserError(end.warning or "No sound was made.", status=507, code="disk_full")
        headers = {**marked_headers(run), **told}
        if name == JSON:
            return JSONResponse(_told(end.clip), headers=headers)
        made = await asyncio.to_thread(services.rendition, end.clip.id, name)
        return FileResponse(made, media_type=MEDIA_TYPES[name], headers=headers)

    @router.get(ADDRESS + "/{clip_id}")
    async def words(clip_id: str) -> dict[str, Any]:
        """The words of a continuation that has been made, with the second of each, and links to its sound."""
        clip = services.clip(clip_id)
        if clip.info.get("task") != "speech_continuation":
            raise UserError("This sound is no continuation.", status=404, code="unknown_clip")
        return _told(clip)

    return router


def _told(clip: Clip) -> dict[str, Any]:
    info = clip.info
    return {
        "object": "continuation",
        "id": clip.id,
        "model": info["model"],
        "seed": info["seed"],
        "text": info.get("text", ""),
        "words": info.get("words", []),
        "prompt_seconds": info["prompt_end"],
        "seconds": info["seconds"],
        "parameters": info["request"],
        "audio": {name: f"/api/v1/clips/{clip.id}.{name}" for name in FORMATS},
    }


async def _read(request: Request, max_mb: float) -> tuple[ContinuationBody, Path | None]:
    """The body in either form, and the recording that came with it as a temporary file."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form() as form:
            values = dict(form)
            file = values.pop("file", None)
            body = _checked(values)
            if not isinstance(file, UploadFile):
                return body, await _sent(body, max_mb)
            if body.audio or body.prompt:
                raise _several()
            return body, await received(file, max_mb)
    try:
        values = json.loads(await request.body() or b"{}")
    except ValueError:
        raise UserError("The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(values, dict):
        raise UserError("The body must be a JSON object or a form.", code="invalid_json")
    body = _checked(values)
    return body, await _sent(body, max_mb)


def _checked(values: dict[str, Any]) -> ContinuationBody:
    try:
        return ContinuationBody.model_validate(values)
    except ValidationError as error:
        # in the shape of FastAPI's own findings, so that all are told in one way
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(found) from None


async def _sent(body: ContinuationBody, max_mb: float) -> Path | None:
    if body.audio and body.prompt:
        raise _several()
    return await asyncio.to_thread(decoded, body.audio, max_mb) if body.audio else None


def _several() -> UserError:
    return UserError("Send one prompt: a file, audio, or the name of an example.", param="prompt")


def _format(body: ContinuationBody) -> str:
    name = body.response_format
    if name not in (*MEDIA_TYPES, JSON):
        raise UserError(
            f"The format '{name[:20]}' is not offered; choose {', '.join(MEDIA_TYPES)} or {JSON}.",
            code="unsupported_format",
            param="response_format",
        )
    return name


def _prompt(services: Services, request: Request, body: ContinuationBody, path: Path | None) -> VoiceRef:
    if path is None:
        return services.prompts.get(body.prompt)
    visitor = f"api:{request.client.host if request.client else ''}"
    return services.own_prompt(path, consent=body.consent, visitor=visitor, source="api")

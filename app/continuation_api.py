"""REST of speech continuation: a prompt in, the prompt and what follows it out, with the words and their seconds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.clips import FORMATS
from app.errors import UserError
from app.models import GO_ON
from app.services import Services
from app.sound_bodies import answer, check_format, read_body, schemas
from app.speech import VoiceRef

ADDRESS = "/api/v1/audio/continuations"


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


def continuation_routes(services: Services) -> APIRouter:
    """Routes under `/api/v1/audio/continuations`, and `/api/v1/prompts`."""
    router = APIRouter(tags=["continuation"])
    synthesizer = services.synthesizer

    @router.get("/api/v1/prompts")
    async def prompts() -> dict[str, Any]:
        """The bundled recordings that a model can go on from."""
        data = [{"object": "prompt", "name": one.name, "title": one.title} for one in services.prompts.all()]
        return {"object": "list", "data": data}

    @router.post(ADDRESS, openapi_extra=schemas(ContinuationBody))
    async def go_on(request: Request) -> Response:
        """Go on from a recording; the header `Link` leads to the words, once the sound has been made."""
        body, path = await read_body(request, ContinuationBody, services.settings.max_upload_mb)
        try:
            check_format(body.response_format)
            await asyncio.to_thread(synthesizer.wait)
            run = services.open_continuation(
                model=body.model or await asyncio.to_thread(synthesizer.catalogue.default, GO_ON),
                prompt=await asyncio.to_thread(_prompt, services, request, body, path),
                prompt_seconds=body.prompt_seconds, seconds=body.seconds, seed=body.seed, temperature=body.temperature,
                text_temperature=body.text_temperature, steps=body.steps, top_k=body.top_k,
            )  # fmt: skip
            return await answer(request, services, run, body, ADDRESS, lambda end: _told(end.info))
        finally:
            if path is not None:
                path.unlink(missing_ok=True)  # the run has read it when its first sound is there

    @router.get(ADDRESS + "/{clip_id}")
    async def words(clip_id: str) -> dict[str, Any]:
        """The words of a continuation that has been made, with the second of each, and links to its sound."""
        clip = services.clip(clip_id)
        if clip.info.get("task") != "speech_continuation":
            raise UserError("This sound is no continuation.", status=404, code="unknown_clip")
        return _told(clip.info)

    return router


def _told(info: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "continuation",
        "id": info["id"],
        "model": info["model"],
        "seed": info["seed"],
        "text": info.get("text", ""),
        "words": info.get("words", []),
        "prompt_seconds": info["prompt_end"],
        "seconds": info["seconds"],
        "parameters": info["request"],
        "audio": {name: f"/api/v1/clips/{info['id']}.{name}" for name in FORMATS},
    }


def _prompt(services: Services, request: Request, body: ContinuationBody, path: Path | None) -> VoiceRef:
    if path is None:
        return services.prompts.get(body.prompt)
    visitor = f"api:{request.client.host if request.client else ''}"
    return services.own_prompt(path, consent=body.consent, visitor=visitor, source="api")

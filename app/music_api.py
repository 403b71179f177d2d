"""REST of music: a piece that goes on, and music of a description or of a sound that it shall be like."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.clips import FORMATS
from app.errors import UserError
from app.music import CONTINUE, DESCRIBE
from app.run_events import Finished
from app.runs import Run
from app.services import Services
from app.sound_bodies import FORMAT_HELP, JSON, answer, check_format, read_body, schemas
from app.speech import VoiceRef

ADDRESS = "/api/v1/audio/music"
CONTINUATIONS = ADDRESS + "/continuations"
PROMPTS = "/api/v1/music/prompts"


class MusicBody(BaseModel):
    """What both tasks take, as JSON or as a form; a form may bring a sound as `file`."""

    model_config = ConfigDict(extra="forbid")
    model: str = Field("", description="an id of /api/v1/models that has the task; one of latents when empty")
    audio: str = Field("", description="a sound file as base64; forms send `file` instead")
    clip: str = Field("", description="the id of a sound that was made here, instead of a file")
    seed: int | None = Field(None, description="of the first variant; the others have the seeds after it")
    count: int | None = Field(None, description="variants made in one pass; more than one come as json")
    temperature: float | None = None
    steps: int | None = Field(
        None, description="of the sampler, for models of latents; a consistency head needs 1 to 10"
    )
    top_k: int | None = Field(None, description="codes to choose from, for models of codes")
    response_format: str = Field("mp3", description=FORMAT_HELP)
    stream: bool | None = Field(None, description="send while playing; by default all but flac and json")


class MusicContinuationBody(MusicBody):
    """Body of `POST /api/v1/audio/music/continuations`."""

    prompt: str = Field("", description=f"a name of {PROMPTS}, where no sound is sent")
    prompt_part: str | None = Field(None, description="what is kept of the sound: beginning (default), end or all")
    prompt_seconds: float | None = Field(None, description="how much of that part; 3 by default")
    seconds: float | None = Field(None, description="of new music; 27 by default")
    guide: str | None = Field(None, description="none (default), or prompt: also told the CLAP embedding of the prompt")
    cfg: float | None = Field(None, description="guidance by that embedding")


class DescribedMusicBody(MusicBody):
    """Body of `POST /api/v1/audio/music`; the sound, where there is one, is what the music shall be like."""

    description: str = Field("", description="what the music is to be, in English")
    prompt: str = Field("", description=f"a name of {PROMPTS} that the music shall be like")
    text_weight: float | None = Field(None, description="share of the description where there is a sound too, 0 to 1")
    seconds: float | None = Field(None, description="of music; 30 by default")
    cfg: float | None = Field(None, description="guidance by the description; 1 is none")


def music_routes(services: Services) -> APIRouter:
    """Routes under `/api/v1/audio/music`, and `/api/v1/music/prompts`."""
    router = APIRouter(tags=["music"])

    @router.get(PROMPTS)
    async def prompts() -> dict[str, Any]:
        """The bundled pieces that music can go on from or be like."""
        data = [{"object": "prompt", "name": one.name, "title": one.title} for one in services.music.prompts.all()]
        return {"object": "list", "data": data}

    @router.post(CONTINUATIONS, openapi_extra=schemas(MusicContinuationBody))
    async def go_on(request: Request) -> Response:
        """Go on from a piece, which stays at the head of the sound; the header `Link` leads to the parameters."""
        return await _made(services, request, MusicContinuationBody, CONTINUE)

    @router.post(ADDRESS, openapi_extra=schemas(DescribedMusicBody))
    async def describe(request: Request) -> Response:
        """Make music of a description, of a sound that it shall be like, or of both; `Link` leads to the parameters."""
        return await _made(services, request, DescribedMusicBody, DESCRIBE)

    @router.get(ADDRESS + "/{clip_id}")
    async def parameters(clip_id: str) -> dict[str, Any]:
        """The parameters and notices of music that has been made, and links to its sound."""
        clip = services.clip(clip_id)
        if clip.info.get("task") not in (CONTINUE, DESCRIBE) or "request" not in clip.info:
            raise UserError("This sound is no music that was made here.", status=404, code="unknown_clip")
        return _told(clip.info)

    return router


async def _made(services: Services, request: Request, kind: type[MusicBody], task: str) -> Response:
    body, path = await read_body(request, kind, services.settings.max_upload_mb, ("clip", "prompt"))
    assert isinstance(body, MusicContinuationBody | DescribedMusicBody)
    try:
        if check_format(body.response_format) != JSON and (body.count or 1) > 1:
            raise UserError(
                f"Several variants come as links; set response_format to {JSON}, or count to 1.", param="count"
            )
        await asyncio.to_thread(services.synthesizer.wait)
        model = body.model or await asyncio.to_thread(services.synthesizer.catalogue.default, task)
        run = await asyncio.to_thread(_opened, services, body, model, path)
        return await answer(request, services, run, body, ADDRESS, _all_told)
    finally:
        if path is not None:
            path.unlink(missing_ok=True)  # the run has read it when its first sound is there


def _opened(services: Services, body: MusicContinuationBody | DescribedMusicBody, model: str, path: Path | None) -> Run:
    names = ("model", "audio", "clip", "prompt", "response_format", "stream")
    asked = body.model_dump(exclude=set(names))
    if isinstance(body, MusicContinuationBody):
        prompt = services.music.sound(path=path, example=body.prompt, clip=body.clip)
        return services.music.open_continuation(model=model, prompt=prompt, **asked)
    reference: VoiceRef | None = None
    if path or body.prompt or body.clip:
        reference = services.music.sound(path=path, example=body.prompt, clip=body.clip, param="reference")
    return services.music.open_described(model=model, reference=reference, **asked)


def _all_told(end: Finished) -> dict[str, Any]:
    """The first variant, and all of them where there are several."""
    told = [_told(one.info) for one in end.made if one.clip is not None]
    return {**told[0], **({"variants": told} if len(told) > 1 else {})}


def _told(info: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "music",
        "id": info["id"],
        "task": info["task"],
        "model": info["model"],
        "seed": info["seed"],
        "description": info.get("description", ""),
        "prompt_seconds": info.get("prompt_end", 0.0),
        "seconds": info["seconds"],
        "notices": info.get("notices", []),
        "parameters": info["request"],
        "audio": {name: f"/api/v1/clips/{info['id']}.{name}" for name in FORMATS},
    }

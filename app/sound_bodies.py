"""Bodies of requests that bring a sound, as JSON or as a form, and the answers to them in every format."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from app.clips import FORMATS
from app.encoding import MEDIA_TYPES
from app.errors import UserError
from app.responses import encoded_response, marked_headers, while_connected
from app.run_events import Finished
from app.runs import Run
from app.services import Services
from app.uploads import decoded, received

JSON = "json"
FORMAT_HELP = "mp3, wav, flac, pcm (16 bit, mono), or json for links"


class SoundBody(Protocol):
    """What every such body has."""

    audio: str
    response_format: str
    stream: bool | None


Body = TypeVar("Body", bound=BaseModel)


def schemas(body: type[BaseModel]) -> dict[str, Any]:
    """The two forms of a body in OpenAPI's words, for `openapi_extra`."""
    own = body.model_json_schema()
    form = {**own, "properties": {**own["properties"], "file": {"type": "string", "format": "binary"}}}
    content = {"application/json": {"schema": own}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


async def read_body(
    request: Request, kind: type[Body], max_mb: float, others: tuple[str, ...] = ("prompt",)
) -> tuple[Body, Path | None]:
    """The body in either form, and the sound that came with it as a temporary file, which the caller removes.

    Args:
        request: what came.
        kind: fields; `audio` is a sound as base64.
        max_mb: largest sound.
        others: fields that name a sound that is here already.

    Raises:
        UserError: it is neither form, the sound is too large, or several sounds were sent.
        RequestValidationError: a field is wrong.
    """
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form() as form:
            values = dict(form)
            file = values.pop("file", None)
            body = _checked(kind, values)
            if not isinstance(file, UploadFile):
                return body, await _sent(body, max_mb, others)
            _alone(body, ("audio", *others), 0)
            return body, await received(file, max_mb)
    try:
        values = json.loads(await request.body() or b"{}")
    except ValueError:
        raise UserError("The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(values, dict):
        raise UserError("The body must be a JSON object or a form.", code="invalid_json")
    body = _checked(kind, values)
    return body, await _sent(body, max_mb, others)


def _checked(kind: type[Body], values: dict[str, Any]) -> Body:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        # in the shape of FastAPI's own findings, so that all are told in one way
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(found) from None


async def _sent(body: Any, max_mb: float, others: tuple[str, ...]) -> Path | None:
    _alone(body, ("audio", *others), 1)
    return await asyncio.to_thread(decoded, body.audio, max_mb) if body.audio else None


def _alone(body: Any, names: tuple[str, ...], most: int) -> None:
    if sum(bool(getattr(body, name)) for name in names) > most:
        raise UserError(f"Send one sound alone: file, audio, {' or '.join(names[1:])}.", param=names[-1])


def check_format(name: str) -> str:
    """A format of an answer.

    Raises:
        UserError: it is none.
    """
    if name not in (*MEDIA_TYPES, JSON):
        raise UserError(
            f"The format '{name[:20]}' is not offered; choose {', '.join(MEDIA_TYPES)} or {JSON}.",
            code="unsupported_format",
            param="response_format",
        )
    return name


async def answer(
    request: Request, services: Services, run: Run, body: SoundBody, address: str, told: Callable[[Finished], Any]
) -> Response:
    """Carry a run out and answer in the format of a body: streamed, whole, or as JSON.

    Args:
        request: whose client may leave.
        services: of the server.
        run: it is opened.
        body: `response_format` and `stream`.
        address: the header `Link` leads to the clip's identifier below it.
        told: the end as JSON.

    Raises:
        UserError: the run failed, or its sound cannot be kept.
    """
    name = body.response_format
    link = {"Link": f'<{address}/{await asyncio.to_thread(services.runs.clip_id, run)}>; rel="describedby"'}
    streaming = name not in ("flac", JSON) if body.stream is None else body.stream and name != JSON
    if streaming or name not in (*FORMATS, JSON):
        streamed = await encoded_response(request, services.runs, run, name)
        streamed.headers.update(link)
        return streamed
    end = await while_connected(request, services.runs.result(run))
    if end.clip is None:
        raise UserError(end.warning or "No sound was made.", status=507, code="disk_full")
    headers = {**marked_headers(run, end.info.get("notices")), **link}
    if name == JSON:
        return JSONResponse(told(end), headers=headers)
    made = await asyncio.to_thread(services.rendition, end.clip.id, name)
    return FileResponse(made, media_type=MEDIA_TYPES[name], headers=headers)

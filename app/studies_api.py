"""REST of the listening tests, for participants: join, where am I, answer, vote; and the sounds.

The participant's token travels in the Authorization header. Nothing that is sent names a system.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from app.studies.errors import StudyError
from app.studies.service import Media, StudyService
from app.studies.sounds import lengthened

MAX_BODY_BYTES = 256 * 1024
# the same for every sound of every system
SOUND_HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-store",
    "Content-Type": "audio/wav",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def studies_routes(service: StudyService) -> APIRouter:
    """Routes under `/api/v1/studies` and `/api/v1/session`, and `/media`."""
    router = APIRouter(tags=["listening tests"])

    @router.get("/api/v1/studies")
    async def studies() -> Response:
        """Studies that can be joined now."""
        return json_answer({"object": "list", "data": await asyncio.to_thread(service.list_open)})

    @router.post("/api/v1/studies/{slug}/join")
    async def join(slug: str, request: Request) -> Response:
        """Begin a session: `{language, panel}`; the answer has the participant's token and the state."""
        body = await json_body(request)
        language = body.get("language")
        if language is not None and not isinstance(language, str):
            raise StudyError("language", "The language must be a word such as en or fr.", 400)
        participant, state = await asyncio.to_thread(service.join, slug, language, body.get("panel"))
        return json_answer({"participant": participant, "state": state})

    @router.get("/api/v1/session")
    async def session(request: Request) -> Response:
        """The step of the session with what the page needs to show it."""
        return json_answer(await asyncio.to_thread(service.current, bearer(request)))

    @router.post("/api/v1/session/answer")
    async def answer(request: Request) -> Response:
        """Answer a step that is no trial: `{step, answers}`; the answer is the new state."""
        body = await json_body(request)
        work = asyncio.to_thread(service.answer_step, bearer(request), body.get("step"), body.get("answers"))
        return json_answer(await work)

    @router.post("/api/v1/session/vote")
    async def vote(request: Request) -> Response:
        """Answer a trial: `{trial, key, answer, listened, events}`; repeat with the same key until it is answered."""
        return json_answer(await asyncio.to_thread(service.vote, bearer(request), await json_body(request)))

    @router.get("/api/v1/session/sounds/{name}", include_in_schema=False)
    async def sound(name: str, request: Request) -> Response:
        """A generated sound: the one to set the volume by, or one of the headphone check."""
        content = await asyncio.to_thread(service.sound, bearer(request), name)
        return Response(content, headers=SOUND_HEADERS)

    @router.api_route("/media/{media_id}", methods=["GET", "HEAD"], include_in_schema=False)
    async def media(media_id: str, request: Request) -> Response:
        """A sound of an open trial, whole or in part."""
        found = await asyncio.to_thread(service.media, media_id)
        return await asyncio.to_thread(_send, found, request.headers.get("range"), request.headers.get("if-range"))

    return router


def _send(media: Media, asked: str | None, condition: str | None) -> Response:
    """The bytes of a sound, or the range that was asked for (RFC 9110, 14); several ranges are answered whole."""
    size = media.size
    headers = {**SOUND_HEADERS, "ETag": f'"{media.tag}"'}
    wanted = read_range(asked, size) if asked and condition in (None, headers["ETag"]) else None
    if wanted == "unsatisfiable":
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    if wanted is None:
        return Response(_whole(media), headers=headers)
    start, end = wanted
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Response(_part(media, start, end), status_code=206, headers=headers)


def _whole(media: Media) -> bytes:
    content = media.path.read_bytes()
    return content if len(content) == media.size else lengthened(content, media.size)


def _part(media: Media, start: int, end: int) -> bytes:
    if media.path.stat().st_size != media.size:
        return _whole(media)[start : end + 1]
    with media.path.open("rb") as file:
        file.seek(start)
        return file.read(end - start + 1)


def read_range(header: str, size: int) -> tuple[int, int] | Literal["unsatisfiable"] | None:
    """First and last byte of a single range; None where the header is to be ignored."""
    unit, _, ranges = header.partition("=")
    first, dash, last = ranges.strip().partition("-")
    digits = first.strip() + last.strip()
    if unit.strip() != "bytes" or not dash or "," in ranges or not digits.isdecimal() or len(digits) > 30:
        return None
    first, last = first.strip(), last.strip()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and first and int(last) < int(first):
        return None
    return (start, end) if start <= end and start < size else "unsatisfiable"


def bearer(request: Request) -> str:
    """The token of the Authorization header; empty without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object of a request; NaN and Infinity are no JSON."""
    raw = b""
    async for block in request.stream():
        raw += block
        if len(raw) > MAX_BODY_BYTES:
            raise StudyError(None, f"The request is larger than {MAX_BODY_BYTES // 1024} KB.", 413, "too_large")
    try:
        body = json.loads(raw or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise StudyError(None, "The body is not valid JSON.", 400, "invalid_json") from None
    if not isinstance(body, dict):
        raise StudyError(None, "The body must be a JSON object.", 400)
    return body


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def json_answer(content: Any, status: int = 200) -> Response:
    """An answer that nobody keeps."""
    return Response(json.dumps(content, ensure_ascii=False), status, media_type="application/json", headers=NO_STORE)

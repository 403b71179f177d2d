"""Answers that carry a run: they stop it when the client leaves."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import numpy as np
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.encoding import MEDIA_TYPES, StreamEncoder, encoder, synthetic_note
from app.errors import UserError, unexpected
from app.run_events import Event, Failed, Finished, Pcm, Progress, Started, Waiting, Words
from app.runs import Run, Runs

T = TypeVar("T")
JSON_FRAME, PCM_FRAME = 0, 1
DISCONNECT_POLL_SECONDS = 0.2


class RunResponse(StreamingResponse):
    """A streamed body whose generator is closed at once when the client leaves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            close = getattr(self.body_iterator, "aclose", None)
            if close:
                await close()


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, but cancel it when the client leaves.

    Raises:
        UserError: the client left; nobody reads it.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=DISCONNECT_POLL_SECONDS)
            if not task.done() and await request.is_disconnected():
                raise UserError("The client left.", status=499, code="client_left")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def frames(runs: Runs, run: Run) -> AsyncGenerator[bytes, None]:
    """The stream of the page: blocks of one kind byte, a little-endian uint32 length and the payload.

    Kind 0 is a JSON message (`type` waiting, progress, started, words, finished or failed), kind 1 is int16 PCM, and
    the kinds above it are that of the second variant, the third, ...
    """
    async with aclosing(runs.events(run)) as events:
        async for event in events:
            if isinstance(event, Pcm):
                yield _frame(PCM_FRAME + event.variant, event.samples.astype("<i2").tobytes())
            else:
                yield _frame(JSON_FRAME, json.dumps(_message(event)).encode())


def _frame(kind: int, payload: bytes) -> bytes:
    return struct.pack("<BI", kind, len(payload)) + payload


def _message(event: Event) -> dict[str, Any]:
    match event:
        case Waiting(position):
            return {"type": "waiting", "position": position}
        case Progress(message, fraction):
            return {"type": "progress", "message": message, "fraction": fraction}
        case Started(sample_rate, parameters):
            return {"type": "started", "sample_rate": sample_rate, "parameters": parameters}
        case Words(start, words):
            return {"type": "words", "start": start, "words": words}
        case Finished(made, warning):
            variants = [{"clip": one.clip.id if one.clip else None, "info": one.info} for one in made]
            more = {"variants": variants} if len(variants) > 1 else {}
            return {"type": "finished", **variants[0], "warning": warning, **more}
        case Failed(error):
            return {"type": "failed", **error.body()["error"]}
    raise AssertionError(event)


async def encoded_response(request: Request, runs: Runs, run: Run, name: str) -> RunResponse:
    """The sound of a run, of its first variant, in one of `MEDIA_TYPES`, sent while it is made.

    Raises:
        UserError: the run failed before its first sample.
    """
    events = runs.events(run)
    try:
        started, first = await while_connected(request, _first_sound(events))
    except BaseException:
        await events.aclose()
        raise
    body = _encode(events, encoder(name, started.sample_rate, synthetic_note(started.parameters.get("task"))), first)
    headers = marked_headers(run, started.parameters.get("notices"))
    return RunResponse(body, media_type=MEDIA_TYPES[name], headers=headers)


def marked_headers(run: Run, notices: Sequence[str] | None = None) -> dict[str, str]:
    """Headers that tell programs the seed, that the sound is synthetic, and the notices as a list in JSON."""
    told = {"X-Notices": json.dumps(list(notices))} if notices else {}  # in ASCII, as headers are
    return {"X-Synthetic-Audio": "true", "X-Seed": str(run.request.seed), "Cache-Control": "no-store", **told}


async def _first_sound(events: AsyncGenerator[Event, None]) -> tuple[Started, np.ndarray]:
    started = Started(0, {})
    async for event in events:
        if isinstance(event, Started):
            started = event
        elif isinstance(event, Pcm):
            return started, event.samples
        elif isinstance(event, Failed):
            raise event.error
    raise unexpected()


async def _encode(
    events: AsyncGenerator[Event, None], sink: StreamEncoder, first: np.ndarray
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        if data := sink.feed(first):
            yield data
        async for event in events:
            if isinstance(event, Pcm) and not event.variant and (data := sink.feed(event.samples)):
                yield data
            elif isinstance(event, Failed):
                # the status line is gone already: a broken connection is the only honest sign
                raise event.error
        if data := sink.finish():
            yield data

"""Answers that carry a run: they stop it when the client leaves."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import numpy as np
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.encoding import MEDIA_TYPES, encoder
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

    Kind 0 is a JSON message (`type` waiting, progress, started, words, finished or failed), kind 1 is int16 PCM.
    """
    async with aclosing(runs.events(run)) as events:
        async for event in events:
            if isinstance(event, Pcm):
                yield _frame(PCM_FRAME, event.samples.astype("<i2").tobytes())
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
        case Finished(clip, info, warning):
            return {"type": "finished", "clip": clip.id if clip else None, "info": info, "warning": warning}
        case Failed(error):
            return {"type": "failed", **error.body()["error"]}
    raise AssertionError(event)


async def encoded_response(request: Request, runs: Runs, run: Run, name: str) -> RunResponse:
    """Speech in one of `MEDIA_TYPES`, sent while it is made.

    Raises:
        UserError: the run failed before its first sample.
    """
    events = runs.events(run)
    try:
        rate, first = await while_connected(request, _first_sound(events))
    except BaseException:
        await events.aclose()
        raise
    return RunResponse(_encode(events, name, rate, first), media_type=MEDIA_TYPES[name], headers=marked_headers(run))


def marked_headers(run: Run) -> dict[str, str]:
    """Headers that tell programs the seed and that the sound is synthetic."""
    return {"X-Synthetic-Audio": "true", "X-Seed": str(run.request.seed), "Cache-Control": "no-store"}


async def _first_sound(events: AsyncGenerator[Event, None]) -> tuple[int, np.ndarray]:
    rate = 0
    async for event in events:
        if isinstance(event, Started):
            rate = event.sample_rate
        elif isinstance(event, Pcm):
            return rate, event.samples
        elif isinstance(event, Failed):
            raise event.error
    raise unexpected()


async def _encode(
    events: AsyncGenerator[Event, None], name: str, rate: int, first: np.ndarray
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        sink = encoder(name, rate)
        if data := sink.feed(first):
            yield data
        async for event in events:
            if isinstance(event, Pcm) and (data := sink.feed(event.samples)):
                yield data
            elif isinstance(event, Failed):
                # the status line is gone already: a broken connection is the only honest sign
                raise event.error
        if data := sink.finish():
            yield data

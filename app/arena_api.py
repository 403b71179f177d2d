"""REST of the arena: what there is to say, a pair of hidden systems, the vote and then the names.

The visitor's token travels in the Authorization header; the first pair brings one. Sounds come from `/media`, as in
the listening tests. Nothing that is sent before the vote names a system.
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from app.arena.service import ArenaService
from app.settings import on_space
from app.studies_api import bearer, json_answer, json_body


def arena_routes(service: ArenaService) -> APIRouter:
    """Routes under `/api/v1/arena`."""
    router = APIRouter(prefix="/api/v1/arena", tags=["arena"])

    @router.get("")
    async def arena(request: Request) -> Response:
        """Prompts, voices and limits, and how many votes there are."""
        return json_answer(await asyncio.to_thread(service.describe, bearer(request)))

    @router.post("/battles")
    async def begin(request: Request) -> Response:
        """Ask for a pair: `{text}` or `{prompt}`, and `{voice}`; ask for its state until it is `ready`."""
        return json_answer(await service.begin(bearer(request), sender(request), await json_body(request)), 202)

    @router.get("/battles/{battle}")
    async def state(battle: str, request: Request) -> Response:
        """A pair: preparing, failed, ready with its sounds, expired, or answered with the names."""
        return json_answer(await asyncio.to_thread(service.state, bearer(request), battle))

    @router.post("/vote")
    async def vote(request: Request) -> Response:
        """Vote: `{battle, key, outcome, listened, events}`; repeat with the same key until it is answered.

        The outcome is a, b, tie or both_bad; the answer tells the names.
        """
        return json_answer(await asyncio.to_thread(service.vote, bearer(request), await json_body(request)))

    return router


def sender(request: Request) -> str:
    """Where a request comes from; on a Space the proxy before the server adds it to what the sender says."""
    forwarded = request.headers.get("x-forwarded-for", "") if on_space() else ""
    return forwarded.rpartition(",")[2].strip() or (request.client.host if request.client else "")

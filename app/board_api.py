"""REST of the leaderboard: results under filters, tables as CSV, figures as SVG; for administrators with names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from app.admin_access import AdminAccess
from app.board.figures import FIGURES
from app.board.protocol import read_protocol
from app.board.report import report
from app.board.selection import Filters
from app.board.service import Board, View
from app.board.tables import csv_table
from app.db import Database
from app.errors import UserError

WIDTHS = (280, 1600)  # px
USUAL_WIDTH = 760
HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


def board_routes(board: Board) -> APIRouter:
    """Routes under `/api/v1/leaderboard`; each takes the filters `study, language, group, from, to, flagged`."""
    router = APIRouter(prefix="/api/v1/leaderboard", tags=["leaderboard"])

    @router.get("")
    async def leaderboard(request: Request) -> Response:
        """All questions with ratings or scores, and who is left out; `ETag` changes with every vote that matters."""
        view = await _view(board, request)
        tag = f'"{view.tag}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={**HEADERS, "ETag": tag})
        return JSONResponse(public(view.content), headers={**HEADERS, "ETag": tag})

    @router.get("/table.csv")
    async def table(request: Request) -> Response:
        """The table of one question (`question`, an id of the leaderboard)."""
        view = await _view(board, request)
        question = view.question(_named(request))
        return _download(csv_table(question), "text/csv; charset=utf-8", _file_name(question, "csv"))

    @router.get("/figure.svg")
    async def figure(request: Request) -> Response:
        """A figure of a question: `figure` forest, heat, time, bars or boxes; `width` px; `page=1` without colours."""
        view = await _view(board, request)
        question = view.question(_named(request))
        drawn = _figure(request, question)
        if request.query_params.get("page") == "1":
            return Response(drawn(False), media_type="image/svg+xml", headers=HEADERS)
        name = _file_name(question, f"{request.query_params['figure']}.svg")
        return _download(drawn(True), "image/svg+xml", name)

    return router


def admin_board_routes(access: AdminAccess, board: Board, database: Database) -> APIRouter:
    """Results and reports of single studies under `/api/v1/admin/studies`; drafts and running ones too."""
    router = APIRouter(prefix="/api/v1/admin/studies", include_in_schema=False)
    who = Depends(access.who)

    @router.get("/{slug}/results")
    async def results(slug: str, request: Request, _: str = who) -> Response:
        """As the leaderboard, for one study, with the raters who are left out; never older than the call."""
        await board.run(read_protocol, database, slug)  # 404 for a study that there is not
        view = await _fresh(board, slug, request)
        return JSONResponse({**view.content, "raters": view.raters}, headers=NO_STORE)

    @router.get("/{slug}/results/figure.svg")
    async def figure(slug: str, request: Request, _: str = who) -> Response:
        """As the leaderboard's figures, for one study."""
        view = await _fresh(board, slug, request)
        drawn = _figure(request, view.question(_named(request)))
        return Response(drawn(False), media_type="image/svg+xml", headers=NO_STORE)

    @router.get("/{slug}/report.html")
    async def report_file(slug: str, request: Request, _: str = who) -> Response:
        """One page that needs nothing else: methods, figures, tables."""
        page = await board.run(report, database, _of_study(slug, request))
        headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="{slug}-report.html"'}
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)

    return router


def public(content: dict[str, Any]) -> dict[str, Any]:
    """A view without the keys of raters."""
    questions = [
        {**one, "screened": [{"rule": each["rule"], "share": each["share"]} for each in one["screened"]]}
        if "screened" in one
        else one
        for one in content["questions"]
    ]
    return {**content, "questions": questions}


async def _view(board: Board, request: Request) -> View:
    filters = Filters.read(request.query_params)
    # what is there is handed out here; only waiting takes a thread, and one of the board's own
    return board.peek(filters) or await board.run(board.view, filters)


async def _fresh(board: Board, slug: str, request: Request) -> View:
    filters = _of_study(slug, request)
    return await board.run(lambda: board.view(filters, fresh=True))


def _of_study(slug: str, request: Request) -> Filters:
    return Filters.read({**request.query_params, "study": slug})


def _named(request: Request) -> str:
    name = request.query_params.get("question", "")
    if not name:
        raise UserError("Name a question, by the id that the leaderboard gives it.", param="question")
    return name


def _figure(request: Request, question: dict[str, Any]) -> Callable[[bool], str]:
    offered = FIGURES[question["kind"]]
    name = request.query_params.get("figure", "")
    if name not in offered:
        raise UserError(f"This question has the figures {', '.join(offered)}.", status=404, param="figure")
    given = request.query_params.get("width", str(USUAL_WIDTH))
    if not (given.isascii() and given.isdigit() and WIDTHS[0] <= int(given[:6]) <= WIDTHS[1]):
        raise UserError(f"The width of a figure is {WIDTHS[0]} to {WIDTHS[1]} px.", param="width")
    return lambda alone: offered[name](question, float(given)).render(alone=alone)


def _file_name(question: dict[str, Any], ending: str) -> str:
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in question["id"]).strip("-")
    return f"{plain[:80]}.{ending}"


def _download(content: str, kind: str, name: str) -> Response:
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)

"""Errors as JSON: every error under `/api` in OpenAI's shape, without a traceback."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.errors import UserError, unexpected

log = logging.getLogger(__name__)


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error under `/api` as JSON in OpenAI's shape, without a traceback."""

    @app.exception_handler(UserError)
    async def on_user_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, UserError)
        headers = {"Retry-After": "5"} if error.status == 503 else None
        return JSONResponse(error.body(), status_code=error.status, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def on_bad_request(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return JSONResponse(UserError("The body is not valid JSON.", code="invalid_json").body(), status_code=400)
        place = ".".join(str(part) for part in first["loc"][1:]) or "body"
        sentence = f"The field '{place}' is not right: {first['msg'][0].lower()}{first['msg'][1:]}."
        return JSONResponse(UserError(sentence, param=place).body(), status_code=400)

    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        told = UserError(str(error.detail), status=error.status_code, code="http_error")
        return JSONResponse(told.body(), status_code=error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def on_fault(_: Request, error: Exception) -> JSONResponse:
        log.error("A request failed", exc_info=error)
        return JSONResponse(unexpected().body(), status_code=500)

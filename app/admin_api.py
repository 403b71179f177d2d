"""REST of the administration: sign in, studies and their states, sessions and exclusions, exports and backups."""

from __future__ import annotations

import asyncio
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse, Response

from app.admin_access import AdminAccess
from app.db import Database
from app.db.backup import backup
from app.errors import UserError
from app.settings import Settings
from app.studies import administration
from app.studies.create import create_study
from app.studies.export import export_study
from app.studies.manage import State, duplicate_study, set_state
from app.studies.sheets import FORMATS

NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
STATES: dict[str, State] = {"open": "open", "pause": "paused", "close": "closed"}


class Body(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class SignIn(Body):
    """The password; empty when signed in with Hugging Face."""

    password: str = Field("", max_length=1000)


class StateChange(Body):
    """What to do with a study, and why."""

    action: Literal["open", "pause", "close"]
    reason: str | None = Field(None, max_length=administration.MAX_REASON)


class Copy(Body):
    """The name of a copy."""

    slug: str = Field(max_length=200)


class Exclusion(Body):
    """Whether a rater's votes count, and why."""

    excluded: bool
    reason: str = Field(max_length=administration.MAX_REASON)


def admin_routes(access: AdminAccess, database: Database, settings: Settings) -> APIRouter:
    """Routes under `/api/v1/admin`; all but the first two want the token of an administrator."""
    router = APIRouter(prefix="/api/v1/admin", include_in_schema=False)
    who = Depends(access.who)

    @router.get("/ways")
    async def ways() -> Response:
        return _json(access.ways)

    @router.post("/sign-in")
    async def sign_in(request: Request, body: SignIn) -> Response:
        token = await asyncio.to_thread(access.enter, body.password, _signed_in_as(request))
        return _json({"token": token})

    @router.get("/studies")
    async def studies(_: str = who) -> Response:
        return _json({"data": await asyncio.to_thread(administration.overview, database)})

    @router.post("/studies")
    async def create(request: Request, new_version: bool = False, admin: str = who) -> Response:
        # the zip is the body itself: a form would be read to its end before anybody asks who sends it
        with tempfile.TemporaryDirectory(prefix="calm-study-") as folder:
            path = await _received(request, Path(folder) / "study.zip", settings.max_study_mb)
            made = await asyncio.to_thread(
                create_study, database, settings.media_dir, path, new_version=new_version, actor=admin
            )
        told = {"slug": made.slug, "version": made.number, "is_new": made.is_new}
        return _json({**told, "notes": made.notes, "warnings": made.warnings}, 201)

    @router.get("/studies/{slug}")
    async def study(slug: str, _: str = who) -> Response:
        return _json(await asyncio.to_thread(administration.detail, database, slug))

    @router.post("/studies/{slug}/state")
    async def state(slug: str, body: StateChange, admin: str = who) -> Response:
        wanted = STATES[body.action]
        before = await asyncio.to_thread(set_state, database, slug, wanted, actor=admin, reason=body.reason)
        return _json({"before": before, "state": wanted})

    @router.post("/studies/{slug}/duplicate")
    async def duplicate(slug: str, body: Copy, admin: str = who) -> Response:
        made = await asyncio.to_thread(duplicate_study, database, slug, body.slug, actor=admin)
        return _json({"slug": made.slug, "version": made.number}, 201)

    @router.post("/raters/{rater}/excluded")
    async def excluded(rater: str, body: Exclusion, admin: str = who) -> Response:
        work = administration.exclude if body.excluded else administration.include
        await asyncio.to_thread(work, database, rater, body.reason, actor=admin)
        return _json({"excluded": body.excluded})

    @router.get("/studies/{slug}/export")
    async def export(slug: str, format: str = "csv", anonymous: bool = False, _: str = who) -> Response:
        formats = FORMATS if format == "all" else (format,)
        return await asyncio.to_thread(_exported, database, slug, formats, anonymous)

    @router.get("/backup")
    async def whole(_: str = who) -> Response:
        return await asyncio.to_thread(_backed_up, settings)

    return router


def _json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status_code=status, headers=NO_STORE)


def _signed_in_as(request: Request) -> str | None:
    """The name on the Hub of whoever signed in, where the Space does that; the session is a signed cookie."""
    session = request.scope.get("session") or {}
    return ((session.get("oauth_info") or {}).get("userinfo") or {}).get("preferred_username")


async def _received(request: Request, path: Path, max_mb: float) -> Path:
    size = 0
    with path.open("wb") as target:
        async for block in request.stream():
            size += len(block)
            if size > max_mb * 1e6:
                raise UserError(f"The upload is larger than {max_mb:g} MB.", status=413, code="too_large", param="file")
            await asyncio.to_thread(target.write, block)
    return path


def _exported(database: Database, slug: str, formats: tuple[str, ...], anonymous: bool) -> Response:
    with tempfile.TemporaryDirectory(prefix="calm-export-") as folder:
        written = export_study(database, slug, Path(folder), formats=formats, anonymous=anonymous)
        packed = _temporary()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in written:
                archive.write(path, f"{slug}/{path.name}")
    return _download(packed, f"{slug}.zip")


def _backed_up(settings: Settings) -> Response:
    packed = _temporary()
    backup(settings.resolved_database_url(), settings.records_dir, packed)
    return _download(packed, "calm-backup.zip")


def _temporary() -> Path:
    with tempfile.NamedTemporaryFile(prefix="calm-", suffix=".zip", delete=False) as file:
        return Path(file.name)


def _download(path: Path, name: str) -> Response:
    gone = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type="application/zip", filename=name, headers=NO_STORE, background=gone)

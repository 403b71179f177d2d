"""From one step of a session to the next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.db.study_models import Flag, RaterSession
from app.studies import headphones, planning, votes
from app.studies.states import HEADPHONE_ATTEMPTS, next_trial, trials_of
from app.studies.tokens import Signer
from app.studies.versions import Version


class Progress:
    """Moves sessions on; `signer` makes the completion codes, `clock` tells the moment in UTC."""

    def __init__(self, signer: Signer, clock: Callable[[], datetime]):
        self._signer = signer
        self._clock = clock

    def advance(self, session: Session, version: Version, row: RaterSession, step: str, read: dict[str, Any]) -> None:
        """Store the answers of a step and go on to the next one."""
        now = self._clock()
        if step == "consent":
            if planning.plan(session, version, row, now) == 0:
                row.step, row.state, row.finished_at = "full", "left", now
                return
            row.setup_json = {**(row.setup_json or {}), "consented_at": now.isoformat()}
            row.step = "setup"
        elif step == "setup":
            checked = bool((row.setup_json or {}).get("headphones"))
            row.setup_json = {**(row.setup_json or {}), **read, "at": now.isoformat()}
            row.step = "trials" if checked or version.study.headphone_check == "none" else "headphones"
        elif step == "headphones":
            self._check_headphones(session, version, row, read["choices"], now)
        elif step == "questionnaire":
            row.questionnaire_json = read
            self._finish(session, version, row)
        if row.step == "trials" and next_trial(trials_of(session, row)) is None:
            self.leave_trials(session, version, row)

    def _check_headphones(
        self, session: Session, version: Version, row: RaterSession, choices: list[int], now: datetime
    ) -> None:
        check = version.study.headphone_check
        assert check != "none"
        attempts = list((row.setup_json or {}).get("headphones", []))
        passed, right = headphones.passed(check, check_seed(row.seed, len(attempts) + 1), choices)
        attempts.append({"check": check, "right": right, "passed": passed})
        row.setup_json = {**(row.setup_json or {}), "headphones": attempts}
        if not passed and len(attempts) < HEADPHONE_ATTEMPTS:
            return  # once more, with other sounds
        if not passed:
            detail = {"attempts": attempts}
            session.add(Flag(session_id=row.id, kind="headphones_failed", detail_json=detail, created_at=now))
        row.step = "trials"

    def leave_trials(self, session: Session, version: Version, row: RaterSession) -> None:
        """The trials are over: questions, or the end."""
        if version.study.questionnaire:
            row.step = "questionnaire"
        else:
            self._finish(session, version, row)

    def _finish(self, session: Session, version: Version, row: RaterSession) -> None:
        now = self._clock()
        row.step, row.state, row.finished_at = "done", "finished", now
        fixed = version.study.completion.code
        row.completion_code = fixed or self._signer.code("completion", row.id)
        if version.study.kind == "mos":
            votes.flag_monotony(session, row, now)


def check_seed(seed: int, attempt: int) -> int:
    """The seed of a headphone check: the session's own, another one for each attempt."""
    return seed + attempt

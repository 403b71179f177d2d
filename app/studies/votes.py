"""One vote: checked, stored with everything that belongs to it, and compared with what traps and gold items expect."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.study_models import (
    ComparisonRow,
    Event,
    Flag,
    MushraScoreRow,
    OpinionScoreRow,
    RaterSession,
    Trial,
    Vote,
)
from app.studies.errors import StudyError
from app.studies.listening import read_events, read_listening
from app.studies.scoring import Answer, agrees, monotony, read_answer
from app.studies.states import Heard
from app.studies.versions import Version

KEY_CHARS = (8, 64)


@dataclass(frozen=True)
class Ballot:
    """What a page sends: the trial's token, a key that stays the same for retries, the answer and how it came about."""

    trial: str
    key: str
    answer: Any
    listened: Any
    events: Any = None

    @classmethod
    def read(cls, body: Any) -> Ballot:
        """A ballot from JSON.

        Raises:
            StudyError: it is no object of these fields.
        """
        if not isinstance(body, dict):
            raise StudyError(None, "The body must be a JSON object.", 400)
        for name in ("trial", "key"):
            if not isinstance(body.get(name), str):
                raise StudyError(name, f"The field '{name}' must be text.", 400)
        unknown = set(body) - {"trial", "key", "answer", "listened", "events"}
        if unknown:
            raise StudyError(sorted(unknown)[0][:40], f"There is no field '{sorted(unknown)[0][:40]}' in a vote.", 400)
        key = body["key"]
        if not KEY_CHARS[0] <= len(key) <= KEY_CHARS[1] or not all(
            c.isascii() and (c.isalnum() or c == "-") for c in key
        ):
            raise StudyError("key", "The key must be 8 to 64 letters, digits and hyphens.", 400)
        return cls(body["trial"], key, body.get("answer"), body.get("listened"), body.get("events"))

    def digest(self) -> str:
        """A fingerprint of the content; the same for a retry, whatever the order of its fields.

        The token is left out: it is made anew when a page is loaded again, for the same trial.
        """
        content = json.dumps([self.answer, self.listened, self.events], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def store(
    session: Session, version: Version, row: RaterSession, trial: Trial, ballot: Ballot, now: datetime
) -> tuple[Answer, Heard]:
    """Check a ballot on an open trial and add all its rows.

    Raises:
        StudyError: a field is wrong; nothing may be committed then.
    """
    assert trial.served_at is not None and trial.answered_at is None
    heard = Heard.of(session, trial)
    slots = heard.rated(version)
    answer = read_answer(version.study, slots, ballot.answer)
    listened = read_listening(
        ballot.listened,
        lengths=[version.seconds[stimulus] for _, stimulus in heard.slots],
        reference_length=version.seconds[heard.reference[1]] if heard.reference else None,
        minimum_seconds=version.study.minimum_seconds,
        elapsed_seconds=(now - trial.served_at).total_seconds(),
        language=row.language,
    )
    events = read_events(ballot.events)
    session.add(Vote(key=ballot.key, trial_id=trial.id, received_at=now, body_digest=ballot.digest()))
    trial.answered_at = now
    trial.listening_seconds = math.fsum(listened.values())
    _add_scores(session, version, trial, answer, [stimulus for _, stimulus in heard.slots])
    for event in [*events, {"kind": "listened", "ms": None, "data": listened}]:
        session.add(
            Event(
                session_id=row.id, trial_id=trial.id, kind=event["kind"], client_ms=event["ms"], at=now,
                data_json=event["data"],
            )
        )  # fmt: skip
    if trial.phase in ("trap", "gold") and agrees(version.study, slots, answer, trial.expected_json) is False:
        detail = {"answer": answer, "expected": trial.expected_json}
        session.add(
            Flag(session_id=row.id, trial_id=trial.id, kind=f"{trial.phase}_failed", detail_json=detail, created_at=now)
        )
    return answer, heard


def _add_scores(session: Session, version: Version, trial: Trial, answer: Answer, stimuli: list[str]) -> None:
    if version.study.kind == "mos":
        for attribute, score in answer.items():
            row = OpinionScoreRow(trial_id=trial.id, stimulus_id=stimuli[0], attribute=attribute, score=float(score))
            session.add(row)
    elif version.study.kind == "mushra":
        attribute = version.study.judged()[0].name
        for slot, score in answer.items():
            stimulus = stimuli[int(slot)]
            session.add(MushraScoreRow(trial_id=trial.id, stimulus_id=stimulus, attribute=attribute, score=score))
    else:
        first, second = stimuli
        for attribute, outcome in answer.items():
            session.add(
                ComparisonRow(
                    trial_id=trial.id, attribute=attribute, stimulus_a_id=first, stimulus_b_id=second, outcome=outcome
                )
            )


def flag_monotony(session: Session, row: RaterSession, now: datetime) -> None:
    """Raise a flag when the opinions of a session hardly differ (ITU-T P.808)."""
    query = (
        select(OpinionScoreRow.score)
        .join(Trial, OpinionScoreRow.trial_id == Trial.id)
        .where(Trial.session_id == row.id, Trial.phase == "main")
    )
    session.flush()  # the last opinion is among them
    variance = monotony(list(session.scalars(query)))
    if variance is not None:
        session.add(Flag(session_id=row.id, kind="low_variance", detail_json={"variance": variance}, created_at=now))

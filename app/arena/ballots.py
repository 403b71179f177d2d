"""A vote on a pair: read, stored as a comparison of the arena's study, and told with the names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.arena.records import Pair, version_for
from app.db.study_models import ComparisonRow, Event, Vote
from app.studies import votes
from app.studies.errors import StudyError
from app.studies.versions import Versions
from app.studies.votes import Ballot

BOTH_BAD = "both_bad"
# as the page says it -> as a comparison is stored; that both were bad is an event beside the tie
OUTCOMES = {"a": "a", "b": "b", "tie": "tie", BOTH_BAD: "tie"}
FIELDS = {"battle", "key", "outcome", "listened", "events"}


@dataclass(frozen=True)
class Choice(Ballot):
    """A ballot whose outcome may be that both were bad."""

    outcome: str = "tie"

    @classmethod
    def of(cls, body: Any) -> Choice:
        """A choice from JSON.

        Raises:
            StudyError: it is no object of these fields, or the outcome is not one.
        """
        if not isinstance(body, dict):
            raise StudyError(None, "The body must be a JSON object.", 400)
        unknown = sorted(set(body) - FIELDS)
        if unknown:
            raise StudyError(unknown[0][:40], f"There is no field '{unknown[0][:40]}' in a vote.", 400)
        outcome = body.get("outcome")
        if not isinstance(outcome, str) or outcome not in OUTCOMES:
            raise StudyError("outcome", f"The outcome must be one of {', '.join(OUTCOMES)}.")
        if not isinstance(body.get("battle"), str):
            raise StudyError("battle", "The field 'battle' must be text.", 400)
        given = {name: body.get(name) for name in ("key", "listened", "events")}
        read = Ballot.read({"trial": body["battle"], "answer": None, **given})
        return cls(read.trial, read.key, read.answer, read.listened, read.events, outcome)

    def digest(self) -> str:
        """A fingerprint of the content; a tie and two bad sounds differ."""
        content = json.dumps([self.outcome, self.listened, self.events], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def is_repeated(session: Session, pair: Pair, choice: Choice) -> bool:
    """Whether this very vote was taken before.

    Raises:
        StudyError: 409 the key was used for another vote.
    """
    earlier = session.get(Vote, choice.key)
    if earlier is None:
        return False
    if earlier.trial_id != pair.trial.id or earlier.body_digest != choice.digest():
        raise StudyError("key", "This key was used for another vote; make a new one.", 409, "key_taken")
    return True


def store(session: Session, versions: Versions, pair: Pair, choice: Choice, now: datetime) -> None:
    """Check the listening and add all rows of a vote.

    Raises:
        StudyError: too little or impossible listening, or events that are none; nothing may be committed then.
    """
    version, sitting, _ = version_for(session, versions, pair)
    answer = {one.name: OUTCOMES[choice.outcome] for one in version.study.judged()}
    votes.store(session, version, sitting, pair.trial, replace(choice, answer=answer), now)
    if choice.outcome == BOTH_BAD:
        session.add(
            Event(session_id=sitting.id, trial_id=pair.trial.id, kind=BOTH_BAD, client_ms=None, at=now, data_json=None)
        )


def revealed(session: Session, versions: Versions, pair: Pair) -> dict[str, Any]:
    """The names and settings of a pair that was voted on, and how."""
    _, _, arena = version_for(session, versions, pair)
    outcome = session.scalar(select(ComparisonRow.outcome).where(ComparisonRow.trial_id == pair.trial.id).limit(1))
    bad = session.scalar(select(Event.id).where(Event.trial_id == pair.trial.id, Event.kind == BOTH_BAD).limit(1))
    systems = [arena.system(name) for name in pair.systems]
    return {
        "outcome": BOTH_BAD if bad else outcome,
        "text": pair.text,
        "systems": [
            {"label": label, "name": one.name, "title": one.title or one.name, "settings": one.settings()}
            for label, one in zip("AB", systems, strict=True)
        ],
    }

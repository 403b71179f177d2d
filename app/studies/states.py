"""What the page is told at each step of a session. Nothing here names a system before its vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.study_models import RaterSession, Study, Trial, TrialStimulus
from app.studies.listening import needed_seconds
from app.studies.participant_words import word
from app.studies.scoring import Slot
from app.studies.tokens import Signer
from app.studies.versions import Version

TRIAL_SECONDS = 12 * 3600.0  # how long a trial may stay open in a tab
HEADPHONE_ATTEMPTS = 2
SETUP_AGAIN_MINUTES = 30.0  # ITU-T P.808: the set-up is checked again after half an hour
AWAY_SECONDS = 180.0  # longer on one trial is a pause and does not count as time in the session


@dataclass(frozen=True)
class Heard:
    """What sounds in a trial, in the order of the slots: (media id, stimulus id), and the reference that is given."""

    slots: list[tuple[str, str]]
    reference: tuple[str, str] | None

    @classmethod
    def of(cls, session: Session, trial: Trial) -> Heard:
        """Read it for a trial."""
        query = select(TrialStimulus).where(TrialStimulus.trial_id == trial.id).order_by(TrialStimulus.slot)
        rows = list(session.scalars(query))
        given = [(row.media_id, row.stimulus_id) for row in rows if row.is_reference_given]
        return cls(
            [(row.media_id, row.stimulus_id) for row in rows if not row.is_reference_given], given[0] if given else None
        )

    def rated(self, version: Version) -> list[Slot]:
        """System and role of each slot, for the server's own use."""
        names = [version.systems[stimulus] for _, stimulus in self.slots]
        return [Slot(name, version.roles[name]) for name in names]


def trials_of(session: Session, row: RaterSession) -> list[Trial]:
    """All trials of a session in their order: one query for whatever is asked about them."""
    return list(session.scalars(select(Trial).where(Trial.session_id == row.id).order_by(Trial.position)))


def next_trial(trials: Sequence[Trial]) -> Trial | None:
    """The first trial without an answer."""
    return next((trial for trial in trials if trial.answered_at is None), None)


def active_seconds(trials: Sequence[Trial]) -> float:
    """Time that a session has spent on its trials; a pause does not count."""
    spans = [trial.answered_at - trial.served_at for trial in trials if trial.served_at and trial.answered_at]
    return sum(min(span.total_seconds(), AWAY_SECONDS) for span in spans)


def study_hindrance(study: Study, version: Version, now: datetime) -> str | None:
    """Why nobody can work on a study now, as a key of the participants' sentences; None when it is open."""
    plan = version.study
    if study.state == "paused":
        return "paused"
    if study.state != "open" or (plan.closes_at is not None and now >= plan.closes_at):
        return "closed"
    return "not_open" if plan.opens_at is not None and now < plan.opens_at else None


def set_up_is_old(trials: Sequence[Trial], row: RaterSession, now: datetime) -> bool:
    """Whether the last answer, or the set-up itself, lies so far back that the sound has to be checked again."""
    moments = [trial.answered_at for trial in trials if trial.answered_at is not None]
    at = (row.setup_json or {}).get("at")
    if at:
        moments.append(datetime.fromisoformat(at))
    return bool(moments) and now - max(moments) > timedelta(minutes=SETUP_AGAIN_MINUTES)


class States:
    """Builds the answer to "where am I?" for a session."""

    def __init__(self, signer: Signer):
        self._signer = signer

    def of(
        self,
        session: Session,
        version: Version,
        row: RaterSession,
        study: Study,
        trials: Sequence[Trial],
        now: datetime,
    ) -> dict[str, Any]:
        """The state of a session; a trial that is shown for the first time is stamped, so the session is one to write.

        Args:
            session: a session of the database.
            version: of the rater's session.
            row: the rater's session.
            study: its study.
            trials: of the rater's session.
            now: the present moment.
        """
        state: dict[str, Any] = {
            "step": row.step,
            "language": row.language,
            "languages": list(version.study.languages),
            "study": {"slug": study.slug, "title": version.study.title.get(row.language)},
            "progress": _progress(trials),
        }
        if row.step == "done":
            return {**state, "done": self._done(version, row)}
        hindrance = self._hindrance(version, row, study, now)
        if hindrance is not None:
            told = {"reason": hindrance, "message": word(row.language, hindrance)}
            return {**state, "step": "closed", "closed": told}
        if row.step == "trials":
            trial = next_trial(trials)
            assert trial is not None, "a session without open trials has left the step of the trials"
            step = "training" if trial.phase == "training" else "trial"
            return {**state, "step": step, "trial": self._trial(session, version, row, trial, now)}
        return {**state, row.step: getattr(self, f"_{row.step}")(version, row)}

    def _hindrance(self, version: Version, row: RaterSession, study: Study, now: datetime) -> str | None:
        if row.step == "full":
            return "full"
        if row.state == "expired" or (row.deadline_at is not None and now > row.deadline_at):
            return "expired"
        if row.state == "left":
            return "closed"
        return study_hindrance(study, version, now)

    def _consent(self, version: Version, row: RaterSession) -> dict[str, Any]:
        study = version.study
        trials = study.items_per_session + study.served("trap") + study.served("gold")
        return {
            "title": study.title.get(row.language),
            "text": study.information.get(row.language),
            "trials": trials + study.served("training"),
            "minutes": expected_minutes(version),
        }

    def _setup(self, version: Version, row: RaterSession) -> dict[str, Any]:
        return {"volume": "/api/v1/session/sounds/volume", "again": "device" in (row.setup_json or {})}

    def _headphones(self, version: Version, row: RaterSession) -> dict[str, Any]:
        attempt = len((row.setup_json or {}).get("headphones", [])) + 1
        sounds = [f"/api/v1/session/sounds/headphones-{attempt}-{number}" for number in range(6)]
        return {"kind": version.study.headphone_check, "attempt": attempt, "of": HEADPHONE_ATTEMPTS, "sounds": sounds}

    def _questionnaire(self, version: Version, row: RaterSession) -> list[dict[str, Any]]:
        def told(question: Any) -> dict[str, Any]:
            choices = [{"value": one.value, "label": one.label.get(row.language)} for one in question.choices or []]
            return {
                "name": question.name,
                "kind": question.kind,
                "label": question.label.get(row.language),
                "required": question.required,
                "choices": choices,
                "minimum": question.minimum,
                "maximum": question.maximum,
            }

        return [told(question) for question in version.study.questionnaire]

    def _done(self, version: Version, row: RaterSession) -> dict[str, Any]:
        code = row.completion_code or ""
        redirect = version.study.completion.redirect
        return {"code": code, "redirect": redirect.replace("{code}", code) if redirect else None}

    def _trial(
        self, session: Session, version: Version, row: RaterSession, trial: Trial, now: datetime
    ) -> dict[str, Any]:
        if trial.served_at is None:
            trial.served_at = now
        study = version.study
        heard = Heard.of(session, trial)
        attributes = [
            {
                "name": one.name,
                "question": one.question.get(row.language),
                "labels": [label.get(row.language) for label in one.labels] if one.labels else None,
            }
            for one in study.judged()
        ]
        return {
            "token": self._signer.sign("trial", {"t": trial.id, "n": trial.nonce}, seconds=TRIAL_SECONDS),
            "kind": study.kind,
            "question": study.question.get(row.language),
            "attributes": attributes,
            "labels": attributes[0]["labels"] if study.kind == "mushra" else None,
            "slots": [{"media": media, "label": Slot.label(at)} for at, (media, _) in enumerate(heard.slots)],
            "reference": heard.reference[0] if heard.reference else None,
            "ties": study.ties,
            "minimum_seconds": needed_seconds(study.minimum_seconds),
            "loop": True,
        }


def _progress(trials: Sequence[Trial]) -> dict[str, int]:
    """Counted over what is rated, traps and gold items among it; training stands apart."""
    counted = [trial.answered_at is not None for trial in trials if trial.phase != "training"]
    return {"done": sum(counted), "of": len(counted)}


def expected_minutes(version: Version) -> int:
    """About how long a session takes: every sound once and half, and ten seconds to answer, but at most the limit."""
    study = version.study
    trials = study.items_per_session + study.served("trap") + study.served("gold") + study.served("training")
    mean = sum(version.seconds.values()) / max(1, len(version.seconds))
    sounds = {"mos": 1, "pairwise": 2}.get(study.kind, len(study.rated()))
    return max(1, round(min(study.session_minutes, trials * (1.5 * sounds * mean + 10) / 60)))

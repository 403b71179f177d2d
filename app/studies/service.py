"""The study service: the server owns the session, the trial and the clock; the page only shows and asks.

    consent -> setup -> headphones -> trials (training first) -> questionnaire -> done

A vote and everything that follows from it is one transaction, so that it counts once or not at all.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from app.db.engine import Database
from app.db.study_models import (
    Flag,
    Rater,
    RaterSession,
    Stimulus,
    Study,
    StudyVersion,
    Trial,
    TrialStimulus,
    Vote,
)
from app.studies import headphones, steps, votes
from app.studies.errors import StudyError
from app.studies.participant_words import word
from app.studies.progress import Progress, check_seed
from app.studies.rules import OWN_PAGES
from app.studies.scoring import feedback
from app.studies.states import (
    HEADPHONE_ATTEMPTS,
    Heard,
    States,
    active_seconds,
    expected_minutes,
    next_trial,
    set_up_is_old,
    study_hindrance,
    trials_of,
)
from app.studies.tokens import Signer, TokenError
from app.studies.versions import Version, Versions
from app.studies.votes import Ballot

LINK_DAYS = 30.0
State = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Media:
    """A sound to be sent, `size` bytes in all: `tag` is random for each media id and says nothing of the content."""

    path: Path
    tag: str
    size: int


class StudyService:
    """Everything that a participant can do.

    Args:
        database: see `app.db.engine`.
        media_root: the folder that stimuli's paths are relative to.
        secret: signs links, trials and completion codes.
        clock: the present moment in UTC.
    """

    def __init__(
        self,
        database: Database,
        media_root: Path,
        secret: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        self._database = database
        self._media_root = media_root
        self._clock = clock
        self._signer = Signer(secret, clock)
        self._states = States(self._signer)
        self._versions = Versions()
        self._progress = Progress(self._signer, clock)

    # ---------------------------------------------------------------------------- before a session

    def list_open(self) -> list[dict[str, Any]]:
        """Studies that can be joined: slug, title in each language, languages, minutes. No kind, no systems."""
        now = self._clock()
        found = []
        opened = select(Study).where(Study.state == "open", Study.slug.not_in(OWN_PAGES)).order_by(Study.created_at)
        with self._database.read() as session:
            for study in session.scalars(opened):
                version = self._latest(session, study)
                if version is None or study_hindrance(study, version, now):
                    continue
                title = {language: version.study.title.get(language) for language in version.study.languages}
                found.append(
                    {
                        "slug": study.slug,
                        "title": title,
                        "languages": list(version.study.languages),
                        "minutes": expected_minutes(version),
                    }
                )
        return found

    def join(self, slug: str, language: str | None = None, panel: Any = None) -> tuple[str, State]:
        """Begin a session, or come back to the one that the same person of a panel has.

        Args:
            slug: of the study.
            language: wished for; the study's first one when it is not offered.
            panel: the panel's ids as they stood in the address (Prolific's or MTurk's names).

        Returns:
            The participant's token and the state of the session.

        Raises:
            StudyError: no such study, not open, or ids that cannot be any.
        """
        name, person, ids = steps.read_panel(panel)
        seed = secrets.randbits(62)

        def work(session: Session) -> tuple[str, State]:
            now = self._clock()
            study = session.scalars(select(Study).where(Study.slug == slug)).first()
            version = self._latest(session, study) if study else None
            if study is None or version is None or study.state == "draft" or slug in OWN_PAGES:
                raise StudyError("study", word(language or "en", "unknown_study"), 404, "unknown_study")
            offered = list(version.study.languages)
            spoken = language if language in offered else offered[0]
            rater = None
            if person is not None:
                known = select(Rater).where(Rater.study_id == study.id, Rater.panel == name, Rater.panel_id == person)
                rater = session.scalars(known).first()
            if rater is not None:
                mine = select(RaterSession).where(RaterSession.rater_id == rater.id)
                row = session.scalars(mine.order_by(RaterSession.started_at.desc()).limit(1)).first()
                if row is not None:
                    return self._link(row), self._state(session, row)
            hindrance = study_hindrance(study, version, now)
            if hindrance is not None:
                raise StudyError("study", word(spoken, hindrance), 409, hindrance)
            if rater is None:
                rater = Rater(study_id=study.id, panel=name, panel_id=person, created_at=now)
                session.add(rater)
                session.flush()
            row = RaterSession(
                rater_id=rater.id, version_id=version.id, seed=seed, language=spoken, started_at=now,
                deadline_at=now + timedelta(days=LINK_DAYS), panel_json=ids or None, step="consent", state="active",
            )  # fmt: skip
            session.add(row)
            session.flush()
            return self._link(row), self._state(session, row)

        return self._transact(work)

    # ---------------------------------------------------------------------------- in a session

    def current(self, participant: str) -> State:
        """Where a session stands; the set-up comes again after a long pause.

        Raises:
            StudyError: 401 when the token is no participant's.
        """

        def work(session: Session) -> State:
            row = self._session(session, participant)
            trials = trials_of(session, row)
            if row.step == "trials" and row.state == "active" and set_up_is_old(trials, row, self._clock()):
                row.step = "setup"
            return self._state(session, row, trials)

        return self._transact(work)

    def answer_step(self, participant: str, step: Any, answers: Any) -> State:
        """Answer a step that is no trial; an answer to a step that is already behind changes nothing.

        Raises:
            StudyError: an answer is missing or not allowed, or the session has not come to this step.
        """
        if not isinstance(step, str) or step not in steps.READERS:
            raise StudyError("step", f"The step must be one of {', '.join(steps.READERS)}.", 400)

        def work(session: Session) -> State:
            row = self._session(session, participant)
            version = self._versions.get(session, row.version_id)
            read = steps.READERS[step](version.study, answers)
            if step == "language":
                row.language = read["language"]
            elif row.state == "active" and row.step == step:
                self._progress.advance(session, version, row, step, read)
            elif steps.ORDER.index(step) > steps.ORDER.index(row.step) and row.state == "active":
                raise StudyError("step", word(row.language, "elsewhere"), 409, "wrong_step")
            return self._state(session, row)

        return self._transact(work)

    def vote(self, participant: str, body: Any) -> dict[str, Any]:
        """Take a vote. The same key with the same content is answered as before and counted once.

        Raises:
            StudyError: a forged, foreign, expired or used trial token, an answer that is not one, too little or
                impossible listening; nothing is stored then.
        """
        ballot = Ballot.read(body)

        def work(session: Session) -> dict[str, Any]:
            row = self._session(session, participant)
            version = self._versions.get(session, row.version_id)
            earlier = session.get(Vote, ballot.key)
            if earlier is not None:
                trial = session.get_one(Trial, earlier.trial_id)
                if trial.session_id != row.id or earlier.body_digest != ballot.digest():
                    raise StudyError("key", "This key was used for another vote; make a new one.", 409, "key_taken")
                return self._accepted(session, version, row, trial, ballot.answer, Heard.of(session, trial))
            trials = trials_of(session, row)
            trial = self._open_trial(session, row, trials, ballot)
            now = self._clock()
            with session.no_autoflush:  # all rows go to the database together, at the end
                answer, heard = votes.store(session, version, row, trial, ballot, now)
                late = active_seconds(trials) >= 60 * version.study.session_minutes
                if late and next_trial(trials) is not None:
                    session.add(Flag(session_id=row.id, kind="time_limit", detail_json=None, created_at=now))
                if late or next_trial(trials) is None:
                    self._progress.leave_trials(session, version, row)
                return self._accepted(session, version, row, trial, answer, heard, trials)

        return self._transact(work)

    def media(self, media_id: str) -> Media:
        """A sound of a trial that is open.

        Raises:
            StudyError: 404 for anything else, and for a sound whose file is gone.
        """
        heard = aliased(TrialStimulus)
        with self._database.read() as session:
            found = session.execute(
                select(heard.media_id, Stimulus.path)
                .select_from(TrialStimulus)
                .join(Trial, TrialStimulus.trial_id == Trial.id)
                .join(heard, heard.trial_id == Trial.id)
                .join(Stimulus, Stimulus.id == heard.stimulus_id)
                .where(TrialStimulus.media_id == media_id, Trial.answered_at.is_(None), Trial.served_at.is_not(None))
            ).all()
        paths = {media: self._media_root / path for media, path in found}
        if media_id not in paths or not paths[media_id].is_file():
            raise StudyError("media", word("en", "no_sound"), 404, "no_sound")
        # recordings of the arena were not made together: as sent, those of a trial have one size all the same
        size = max(path.stat().st_size for path in paths.values() if path.is_file())
        return Media(paths[media_id], self._signer.code("media-tag", media_id, letters=20), size)

    def sound(self, participant: str, name: str) -> bytes:
        """A generated sound of this session as WAV: `volume`, or `headphones-ATTEMPT-NUMBER`.

        Raises:
            StudyError: 404 for any other name.
        """
        with self._database.read() as session:
            row = self._session(session, participant, lock=False)
            check = self._versions.get(session, row.version_id).study.headphone_check
            seed = row.seed
        kind, _, rest = name.partition("-")
        if kind == "volume" and not rest:
            return headphones.volume_wave(seed)
        attempt, _, number = rest.partition("-")
        possible = kind == "headphones" and check != "none" and attempt.isdecimal() and number.isdecimal()
        if possible and 1 <= int(attempt[:3]) <= HEADPHONE_ATTEMPTS and int(number[:3]) < headphones.TRIALS:
            assert check != "none"
            return headphones.trial_wave(check, check_seed(seed, int(attempt)), int(number))
        raise StudyError("sound", "There is no such sound.", 404, "no_sound")

    def is_completion_code(self, slug: str, code: str) -> bool:
        """Whether a code was given to somebody who finished a study."""
        with self._database.read() as session:
            query = (
                select(RaterSession.id)
                .join(StudyVersion, RaterSession.version_id == StudyVersion.id)
                .join(Study, StudyVersion.study_id == Study.id)
                .where(Study.slug == slug, RaterSession.state == "finished", RaterSession.completion_code.is_not(None))
            )
            return any(self._signer.is_code("completion", one, code) for one in session.scalars(query))

    # ---------------------------------------------------------------------------- inside

    def _transact(self, work: Callable[[Session], Result]) -> Result:
        # two requests at once may both pass a check before either writes; the unique keys then stop one of them, and
        # its second run finds what the other wrote
        try:
            return self._database.transact(work)
        except IntegrityError:
            return self._database.transact(work)

    def _latest(self, session: Session, study: Study) -> Version | None:
        newest = select(StudyVersion.id).where(StudyVersion.study_id == study.id).order_by(StudyVersion.number.desc())
        version_id = session.scalar(newest.limit(1))
        return self._versions.get(session, version_id) if version_id else None

    def _session(self, session: Session, participant: str, lock: bool = True) -> RaterSession:
        try:
            content = self._signer.read("participant", participant or "")
        except TokenError as error:
            key = "expired" if error.expired else "bad_link"
            raise StudyError("participant", word("en", key), 401, key) from None
        # requests of one participant are served one after the other: each sees all that the ones before it wrote
        row = session.get(RaterSession, content["s"], with_for_update=lock)
        if row is None:
            raise StudyError("participant", word("en", "bad_link"), 401, "bad_link")
        return row

    def _link(self, row: RaterSession) -> str:
        return self._signer.sign("participant", {"s": row.id}, seconds=LINK_DAYS * 86_400)

    def _state(self, session: Session, row: RaterSession, trials: Sequence[Trial] | None = None) -> State:
        now = self._clock()
        version = self._versions.get(session, row.version_id)
        study = session.get_one(Study, version.study_id)
        if row.state == "active" and row.deadline_at is not None and now > row.deadline_at:
            row.state = "expired"
        trials = trials_of(session, row) if trials is None else trials
        return self._states.of(session, version, row, study, trials, now)

    def _open_trial(self, session: Session, row: RaterSession, trials: Sequence[Trial], ballot: Ballot) -> Trial:
        """The trial that a token speaks of, if it is the one that this session has to answer now."""
        try:
            content = self._signer.read("trial", ballot.trial)
        except TokenError as error:
            if error.expired:
                raise StudyError("trial", word(row.language, "stale"), 410, "expired_trial") from None
            raise StudyError("trial", word(row.language, "foreign"), 403, "forged_trial") from None
        trial = session.get(Trial, content["t"])
        if trial is None or trial.session_id != row.id:
            raise StudyError("trial", word(row.language, "foreign"), 403, "foreign_trial")
        if trial.answered_at is not None or trial.nonce != content["n"]:
            raise StudyError("trial", word(row.language, "answered"), 409, "answered")
        current = next_trial(trials)
        if row.state != "active" or row.step not in ("trials", "setup") or current is None or current.id != trial.id:
            raise StudyError("trial", word(row.language, "elsewhere"), 409, "wrong_trial")
        return trial

    def _accepted(
        self,
        session: Session,
        version: Version,
        row: RaterSession,
        trial: Trial,
        answer: Any,
        heard: Heard,
        trials: Sequence[Trial] | None = None,
    ) -> dict[str, Any]:
        accepted: dict[str, Any] = {"accepted": True}
        if trial.phase == "training":
            name = next(name for name, key in version.prompts.items() if key == trial.prompt_id)
            slots = heard.rated(version)
            accepted["feedback"] = feedback(version.study, name, slots, answer, trial.expected_json, row.language)
        return {**accepted, "state": self._state(session, row, trials)}

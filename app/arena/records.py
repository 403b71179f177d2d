"""The arena in the tables of the listening tests: its study, its recordings, its pairs and their votes.

A pair is a trial of the study `arena` with two stimuli, so that journal, export, exclusion and statistics hold for it.
An item (a row of `prompts`) is a text in a voice; each system has one recording of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.arena.systems import SLUG, Arena, kept_in, renamed_settings
from app.arena.tasks import DESCRIBE, GO_ON, SPEAK, Task
from app.db import study_models as rows
from app.errors import UserError
from app.speech import VoiceRef
from app.studies.create import add_version, key_of
from app.studies.manage import newest_version
from app.studies.stimuli import Ready
from app.studies.versions import Version, Versions

SESSION_DAYS = 90.0
TYPED, SENT = "typed", "sent"  # texts and recordings that are no listed ones


@dataclass(frozen=True)
class Item:
    """What both systems say, go on from, or make music of.

    Attributes:
        name: the listed prompt with the voice, or a fingerprint of a typed text with the voice.
        text: what is said, or describes the music.
        voice: the arena's name of it, or the name of a recording to go on from; empty for a description.
        recording: what both go on from; None for a text.
        task: what the systems do with it.
    """

    name: str
    text: str
    voice: str
    recording: VoiceRef | None = None
    task: Task = SPEAK

    @classmethod
    def of(cls, text: str, voice: str, prompt: str | None) -> Item:
        """The item of a text in a voice; `prompt` is the name of a listed text."""
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        return cls(f"{prompt or f'{TYPED}-{fingerprint[:16]}'}.{voice}", text, voice)

    @classmethod
    def after(cls, recording: VoiceRef, title: str, seconds: float, task: Task = GO_ON) -> Item:
        """The item of a recording whose first `seconds` both systems go on from; one of a visitor has no title."""
        name = recording.name if title else f"{SENT}-{(recording.sha256 or '')[:16]}"
        what, kind = ("a recording", "after") if task == GO_ON else ("a piece", "after-music")
        text = f"The first {seconds:g} seconds of {what}: {title or 'your own'}"
        return cls(f"{kind}.{name}", text, recording.name, recording, task)

    @classmethod
    def described(cls, text: str, prompt: str | None) -> Item:
        """The item of a description of music; `prompt` is the name of a listed one."""
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        return cls(f"music.{prompt or f'{TYPED}-{fingerprint[:16]}'}", text, "", None, DESCRIBE)


@dataclass(frozen=True)
class Pair:
    """A stored pair: the trial and its sounds in the order of showing."""

    trial: rows.Trial
    rater_id: str
    text: str
    systems: tuple[str, str]
    media: tuple[str, str]


def install(session: Session, arena: Arena) -> str:
    """The key of the version that new pairs belong to; made when the file differs from the newest one.

    Raises:
        UserError: 409 a study of another kind has the arena's slug, or a name stands for other settings than before.
    """
    text = arena.study_text()
    study = session.scalar(select(rows.Study).where(rows.Study.slug == SLUG))
    number = 0
    if study is None:
        study = rows.Study(id=key_of("study", SLUG), slug=SLUG, state="open")
        session.add(study)
        session.flush()
    else:
        newest = newest_version(session, study)
        if newest.yaml == text:
            return newest.id
        before = kept_in(newest.yaml)
        if before is None:
            raise UserError(
                f"A study of listeners has the name {SLUG!r}, which the arena needs; set CALM_ARENA=0.", status=409
            )
        changed = renamed_settings(before, arena)
        if changed is not None:
            raise UserError(
                f"The system {changed!r} of the arena stood for other settings before; give the new ones a new name, "
                "so that its votes keep their meaning.",
                status=409,
                code="renamed_settings",
            )
        number = newest.number
    version_id = add_version(session, study.id, number + 1, text, [(name, "system") for name in arena.names()], [], [])
    action = "create" if number == 0 else "new version"
    session.add(rows.Audit(actor="start", action=action, target=SLUG, reason=f"version {number + 1}"))
    session.flush()
    return version_id


def state_of(session: Session) -> str:
    """Whether the administration has the arena open, paused or closed."""
    return session.scalar(select(rows.Study.state).where(rows.Study.slug == SLUG)) or "closed"


def counted_votes(session: Session, rater_id: str | None = None) -> int:
    """Pairs that were voted on, by everybody or by one rater."""
    query = (
        select(func.count())
        .select_from(rows.Trial)
        .join(rows.RaterSession, rows.RaterSession.id == rows.Trial.session_id)
        .join(rows.Rater, rows.Rater.id == rows.RaterSession.rater_id)
        .join(rows.Study, rows.Study.id == rows.Rater.study_id)
        .where(rows.Study.slug == SLUG, rows.Trial.answered_at.is_not(None))
    )
    return session.scalar(query.where(rows.Rater.id == rater_id) if rater_id else query) or 0


def recording(session: Session, version_id: str, system: str, item: Item) -> Ready | None:
    """What is stored of a system's recording of an item."""
    row = session.get(rows.Stimulus, key_of("stimulus", version_id, system, item.name))
    if row is None:
        return None
    return Ready(system, item.name, row.digest, row.path, row.seconds, row.sample_rate, row.channels, row.lufs)


def add_pair(
    session: Session,
    version_id: str,
    trial_id: str,
    rater_id: str,
    item: Item,
    sounds: tuple[Ready, Ready],
    seed: int,
    now: datetime,
) -> None:
    """Store a pair that is ready to be heard, with whatever it needs and is not there yet."""
    if session.get(rows.Trial, trial_id) is not None:
        return
    version = session.get_one(rows.StudyVersion, version_id)
    if session.get(rows.Rater, rater_id) is None:
        session.add(rows.Rater(id=rater_id, study_id=version.study_id, panel=SLUG, created_at=now))
        session.flush()
    sitting = _sitting(session, rater_id, version_id, seed, now)
    prompt_id = key_of("prompt", version_id, item.name)
    if session.get(rows.Prompt, prompt_id) is None:
        session.add(rows.Prompt(id=prompt_id, version_id=version_id, name=item.name, text=item.text))
    session.flush()
    stimuli = [_stimulus(session, version_id, prompt_id, sound) for sound in sounds]
    session.flush()
    last = session.scalar(select(func.max(rows.Trial.position)).where(rows.Trial.session_id == sitting.id))
    session.add(
        rows.Trial(
            id=trial_id, session_id=sitting.id, position=0 if last is None else last + 1, prompt_id=prompt_id,
            seed=seed, served_at=now,
        )
    )  # fmt: skip
    session.flush()
    for slot, stimulus_id in enumerate(stimuli):
        session.add(rows.TrialStimulus(trial_id=trial_id, stimulus_id=stimulus_id, slot=slot))


def _sitting(session: Session, rater_id: str, version_id: str, seed: int, now: datetime) -> rows.RaterSession:
    """The rater's session on this version; one on an older version ends."""
    mine = select(rows.RaterSession).where(rows.RaterSession.rater_id == rater_id, rows.RaterSession.state == "active")
    row = session.scalar(mine)
    if row is not None and row.version_id == version_id:
        return row
    if row is not None:
        row.state, row.finished_at = "finished", now
        session.flush()
    row = rows.RaterSession(
        rater_id=rater_id, version_id=version_id, seed=seed, language="en", step=SLUG, state="active", started_at=now,
        deadline_at=now + timedelta(days=SESSION_DAYS),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def _stimulus(session: Session, version_id: str, prompt_id: str, sound: Ready) -> str:
    key = key_of("stimulus", version_id, sound.system, sound.prompt)
    row = session.get(rows.Stimulus, key)
    if row is None:
        row = rows.Stimulus(
            id=key, version_id=version_id, system_id=key_of("system", version_id, sound.system), prompt_id=prompt_id
        )
        session.add(row)
    # of a recording whose file was lost, and that was made again
    row.digest, row.path, row.seconds, row.lufs = sound.digest, sound.path, sound.seconds, sound.lufs
    row.sample_rate, row.channels = sound.sample_rate, sound.channels
    return key


def find_pair(session: Session, trial_id: str, *, lock: bool = False) -> Pair | None:
    """A stored pair; `lock` keeps others from voting on it until the transaction ends."""
    trial = session.get(rows.Trial, trial_id, with_for_update=lock)
    if trial is None:
        return None
    rater_id = session.scalar(select(rows.RaterSession.rater_id).where(rows.RaterSession.id == trial.session_id))
    text = session.scalar(select(rows.Prompt.text).where(rows.Prompt.id == trial.prompt_id))
    query = (
        select(rows.TrialStimulus.media_id, rows.System.name)
        .join(rows.Stimulus, rows.Stimulus.id == rows.TrialStimulus.stimulus_id)
        .join(rows.System, rows.System.id == rows.Stimulus.system_id)
        .where(rows.TrialStimulus.trial_id == trial_id)
        .order_by(rows.TrialStimulus.slot)
    )
    (first, a), (second, b) = session.execute(query).all()
    return Pair(trial, rater_id or "", text or "", (a, b), (first, second))


def arena_of(session: Session, pair: Pair) -> Arena:
    """The arena as it was when a pair was made."""
    sitting = session.get_one(rows.RaterSession, pair.trial.session_id)
    arena = kept_in(session.get_one(rows.StudyVersion, sitting.version_id).yaml)
    assert arena is not None, "a pair belongs to a version that the arena has made"
    return arena


def version_for(session: Session, versions: Versions, pair: Pair) -> tuple[Version, rows.RaterSession, Arena]:
    """What a vote on a pair is checked against: the version with this pair's recordings in it, and its arena."""
    sitting = session.get_one(rows.RaterSession, pair.trial.session_id)
    version, arena = versions.get(session, sitting.version_id), arena_of(session, pair)
    query = (
        select(rows.Stimulus.id, rows.System.name, rows.Stimulus.seconds)
        .join(rows.System, rows.System.id == rows.Stimulus.system_id)
        .join(rows.TrialStimulus, rows.TrialStimulus.stimulus_id == rows.Stimulus.id)
        .where(rows.TrialStimulus.trial_id == pair.trial.id)
    )
    heard = session.execute(query).all()
    systems, seconds = {one[0]: one[1] for one in heard}, {one[0]: one[2] for one in heard}
    # recordings come after the version was first read, and a version that is kept in memory does not know them
    study = arena.study_of(version.study, arena.system(pair.systems[0]).task)
    return replace(version, study=study, systems=systems, seconds=seconds), sitting, arena

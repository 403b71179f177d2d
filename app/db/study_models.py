"""Tables of the listening tests: what is asked, of whom, what was heard and what was said of it.

    study 1-n version 1-n system, prompt 1-n stimulus
    study 1-n rater 1-n session 1-n trial 1-n trial stimulus
    trial 1-1 vote, 1-n score or comparison

Keys are random text made by us, so that a row has the same key in every copy of the database. Unique keys, not checks
made before a write, keep a vote from counting twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.models import Base, Moment, new_id, now

Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

Key = Annotated[str, mapped_column(String(32), primary_key=True, default=new_id)]
Name = Annotated[str, mapped_column(String(200))]
Word = Annotated[str, mapped_column(String(32))]
Stamp = Annotated[datetime, mapped_column(Moment, default=now)]
Later = Annotated[datetime | None, mapped_column(Moment)]
Json = Annotated[dict[str, Any] | None, mapped_column(Document)]


def _of(table: str, *, index: bool = False) -> Any:
    """A key of another table."""
    return mapped_column(String(32), ForeignKey(f"{table}.id"), index=index)


def _one_of(column: str, *words: str) -> CheckConstraint:
    allowed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({allowed})", name=f"{column}_known")


class Study(Base):
    """A listening test under a name for the address bar; what it asks stands in its versions."""

    __tablename__ = "studies"
    __table_args__ = (_one_of("state", "draft", "open", "paused", "closed"),)

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    state: Mapped[Word] = mapped_column(default="draft")
    created_at: Mapped[Stamp]


class StudyVersion(Base):
    """One wording of a study; sessions finish on the version that they began."""

    __tablename__ = "study_versions"
    __table_args__ = (UniqueConstraint("study_id", "number"),)

    id: Mapped[Key]
    study_id: Mapped[str] = _of("studies")
    number: Mapped[int] = mapped_column(doc="1, 2, 3 ... within the study")
    yaml: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64), doc="SHA-256 of the YAML and of every stimulus")
    created_at: Mapped[Stamp]

    study: Mapped[Study] = relationship()


class System(Base):
    """What is compared: a system under test, the hidden reference or an anchor."""

    __tablename__ = "systems"
    __table_args__ = (
        UniqueConstraint("version_id", "name"),
        _one_of("role", "system", "reference", "anchor_low", "anchor_mid"),
    )

    id: Mapped[Key]
    version_id: Mapped[str] = _of("study_versions")
    name: Mapped[Name]
    role: Mapped[Word] = mapped_column(default="system")

    version: Mapped[StudyVersion] = relationship()


class Prompt(Base):
    """One item: what every system says, plays or continues."""

    __tablename__ = "prompts"
    __table_args__ = (
        UniqueConstraint("version_id", "name"),
        _one_of("phase", "main", "training", "trap", "gold"),
    )

    id: Mapped[Key]
    version_id: Mapped[str] = _of("study_versions")
    name: Mapped[Name]
    text: Mapped[str | None] = mapped_column(Text)
    phase: Mapped[Word] = mapped_column(default="main")

    version: Mapped[StudyVersion] = relationship()


class Stimulus(Base):
    """One system's rendition of one prompt: a file under the media root, named by its content."""

    __tablename__ = "stimuli"
    __table_args__ = (UniqueConstraint("system_id", "prompt_id"),)

    id: Mapped[Key]
    version_id: Mapped[str] = _of("study_versions", index=True)
    system_id: Mapped[str] = _of("systems")
    prompt_id: Mapped[str] = _of("prompts", index=True)
    digest: Mapped[str] = mapped_column(String(64), doc="SHA-256 of the file")
    path: Mapped[str] = mapped_column(String(300), doc="relative to the media root")
    seconds: Mapped[float]
    sample_rate: Mapped[int] = mapped_column(doc="Hz")
    channels: Mapped[int]
    lufs: Mapped[float | None] = mapped_column(
        doc="integrated loudness as served; none for a sound too short to have one"
    )

    version: Mapped[StudyVersion] = relationship()
    system: Mapped[System] = relationship()
    prompt: Mapped[Prompt] = relationship()


class Rater(Base):
    """One person in one study; a panel's person is the same one each time they come."""

    __tablename__ = "raters"
    __table_args__ = (UniqueConstraint("study_id", "panel", "panel_id"),)

    id: Mapped[Key]
    study_id: Mapped[str] = _of("studies")
    panel: Mapped[Word] = mapped_column(default="open", doc="open, prolific, mturk ...")
    panel_id: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[Stamp]
    excluded_at: Mapped[Later]
    excluded_reason: Mapped[str | None] = mapped_column(String(1000))

    study: Mapped[Study] = relationship()


class RaterSession(Base):
    """One sitting of one rater; at most one is active."""

    __tablename__ = "sessions"
    __table_args__ = (
        _one_of("state", "active", "finished", "expired", "left"),
        Index(
            "sessions_one_active",
            "rater_id",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )

    id: Mapped[Key]
    rater_id: Mapped[str] = _of("raters", index=True)
    version_id: Mapped[str] = _of("study_versions", index=True)
    seed: Mapped[int] = mapped_column(BigInteger, doc="below 2**63")
    state: Mapped[Word] = mapped_column(default="active")
    step: Mapped[Word] = mapped_column(default="consent")
    language: Mapped[Word] = mapped_column(default="en")
    started_at: Mapped[Stamp]
    deadline_at: Mapped[Later]
    finished_at: Mapped[Later]
    panel_json: Mapped[Json]
    setup_json: Mapped[Json]
    questionnaire_json: Mapped[Json]
    completion_code: Mapped[str | None] = mapped_column(String(64))

    rater: Mapped[Rater] = relationship()
    version: Mapped[StudyVersion] = relationship()


class Trial(Base):
    """One page of a session, planned when the session starts, served once, answered once."""

    __tablename__ = "trials"
    __table_args__ = (
        UniqueConstraint("session_id", "position"),
        _one_of("phase", "main", "training", "trap", "gold"),
    )

    id: Mapped[Key]
    session_id: Mapped[str] = _of("sessions")
    position: Mapped[int] = mapped_column(doc="0, 1, 2 ... in the order of serving")
    phase: Mapped[Word] = mapped_column(default="main")
    prompt_id: Mapped[str] = _of("prompts", index=True)
    seed: Mapped[int] = mapped_column(BigInteger, doc="below 2**63")
    expected_json: Mapped[Json] = mapped_column(doc="right answers of traps and gold; never sent")
    served_at: Mapped[Later]
    answered_at: Mapped[Later]
    nonce: Mapped[str] = mapped_column(String(64), unique=True, default=new_id)
    listening_seconds: Mapped[float | None] = mapped_column(doc="as accepted by the server, over all slots")

    session: Mapped[RaterSession] = relationship()
    prompt: Mapped[Prompt] = relationship()


class TrialStimulus(Base):
    """A stimulus in a slot of a trial, under the only name that the page ever learns."""

    __tablename__ = "trial_stimuli"
    __table_args__ = (UniqueConstraint("trial_id", "slot"),)

    media_id: Mapped[Key]
    trial_id: Mapped[str] = _of("trials")
    stimulus_id: Mapped[str] = _of("stimuli", index=True)
    slot: Mapped[int] = mapped_column(doc="0, 1, 2 ... shown as A, B, C ...")
    is_reference_given: Mapped[bool] = mapped_column(default=False, doc="played as the reference, not rated")

    trial: Mapped[Trial] = relationship()
    stimulus: Mapped[Stimulus] = relationship()


class OpinionScoreRow(Base):
    """One opinion of one stimulus."""

    __tablename__ = "opinion_scores"
    __table_args__ = (UniqueConstraint("trial_id", "stimulus_id", "attribute"),)

    id: Mapped[Key]
    trial_id: Mapped[str] = _of("trials")
    stimulus_id: Mapped[str] = _of("stimuli", index=True)
    attribute: Mapped[Name]
    score: Mapped[float]

    trial: Mapped[Trial] = relationship()
    stimulus: Mapped[Stimulus] = relationship()


class MushraScoreRow(Base):
    """One grade of one stimulus, 0 to 100."""

    __tablename__ = "mushra_scores"
    __table_args__ = (
        UniqueConstraint("trial_id", "stimulus_id", "attribute"),
        CheckConstraint("score >= 0 AND score <= 100", name="score_range"),
    )

    id: Mapped[Key]
    trial_id: Mapped[str] = _of("trials")
    stimulus_id: Mapped[str] = _of("stimuli", index=True)
    attribute: Mapped[Name]
    score: Mapped[float]

    trial: Mapped[Trial] = relationship()
    stimulus: Mapped[Stimulus] = relationship()


class ComparisonRow(Base):
    """One choice between two stimuli; a is the one that was shown first."""

    __tablename__ = "comparisons"
    __table_args__ = (UniqueConstraint("trial_id", "attribute"), _one_of("outcome", "a", "b", "tie"))

    id: Mapped[Key]
    trial_id: Mapped[str] = _of("trials")
    attribute: Mapped[Name]
    stimulus_a_id: Mapped[str] = _of("stimuli", index=True)
    stimulus_b_id: Mapped[str] = _of("stimuli", index=True)
    outcome: Mapped[Word]

    trial: Mapped[Trial] = relationship()
    stimulus_a: Mapped[Stimulus] = relationship(foreign_keys=[stimulus_a_id])
    stimulus_b: Mapped[Stimulus] = relationship(foreign_keys=[stimulus_b_id])


class Vote(Base):
    """That a trial was answered, under the key with which the page may ask again."""

    __tablename__ = "votes"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    trial_id: Mapped[str] = mapped_column(String(32), ForeignKey("trials.id"), unique=True)
    received_at: Mapped[Stamp]
    body_digest: Mapped[str] = mapped_column(
        String(64), doc="SHA-256 of the body: the same key with another body is refused"
    )

    trial: Mapped[Trial] = relationship()


class Event(Base):
    """What the page told beside the answer: play, pause, focus."""

    __tablename__ = "events"

    id: Mapped[Key]
    session_id: Mapped[str] = _of("sessions", index=True)
    trial_id: Mapped[str | None] = _of("trials", index=True)
    kind: Mapped[Word]
    client_ms: Mapped[float | None] = mapped_column(doc="by the page's clock, since the trial was shown")
    at: Mapped[Stamp]
    data_json: Mapped[Json]

    session: Mapped[RaterSession] = relationship()
    trial: Mapped[Trial | None] = relationship()


class Flag(Base):
    """A doubt about a session; people decide what follows from it."""

    __tablename__ = "flags"

    id: Mapped[Key]
    session_id: Mapped[str] = _of("sessions", index=True)
    trial_id: Mapped[str | None] = _of("trials", index=True)
    kind: Mapped[Word]
    detail_json: Mapped[Json]
    created_at: Mapped[Stamp]

    session: Mapped[RaterSession] = relationship()
    trial: Mapped[Trial | None] = relationship()


class Audit(Base):
    """Who changed what in the administration, and why."""

    __tablename__ = "audit"

    id: Mapped[Key]
    at: Mapped[Stamp]
    actor: Mapped[Name]
    action: Mapped[Word]
    target: Mapped[Name]
    reason: Mapped[str | None] = mapped_column(String(1000))


class JournalMark(Base):
    """A record of the journal that this database has taken in, so that a replay takes it once."""

    __tablename__ = "journal_marks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)

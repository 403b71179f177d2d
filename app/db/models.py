"""Tables of the application."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Float, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Parent of every table."""


class Consent(Base):
    """One visitor's statement that a voice may be cloned, for one recording."""

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    visitor: Mapped[str] = mapped_column(String(64), doc="SHA-256 of the visitor's token")
    audio_sha256: Mapped[str] = mapped_column(String(64))
    statement: Mapped[str] = mapped_column(String(500), doc="the words that were agreed to")
    source: Mapped[str] = mapped_column(String(16), doc="page or api")
    given_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)

    __table_args__ = (Index("consent_of_recording", "visitor", "audio_sha256", unique=True),)


class VoiceRow(Base):
    """A reference recording that a visitor kept under a name; the sound lies in the data folder."""

    __tablename__ = "saved_voice"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, doc="unguessable")
    visitor: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(60))
    audio_sha256: Mapped[str] = mapped_column(String(64))
    seconds: Mapped[float] = mapped_column(Float)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)

"""The parent of every table, column types that both databases share, and the tables of the voices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import DateTime, Dialect, Float, Index, MetaData, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random key: 32 hexadecimal digits that say nothing and never meet."""
    return uuid4().hex


class Moment(TypeDecorator[datetime]):
    """A moment in UTC that comes back with its zone; SQLite by itself forgets it.

    Raises:
        ValueError: the moment to be stored has no zone.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Everything is stored in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment without a zone cannot be stored; use datetime.now(UTC).")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Everything comes back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Parent of every table; constraints have names, so that a migration can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "%(table_name)s_%(column_0_N_name)s_once",
            "ck": "%(table_name)s_%(constraint_name)s",
            "fk": "%(table_name)s_%(column_0_name)s_of_%(referred_table_name)s",
            "pk": "%(table_name)s_key",
        }
    )


class Consent(Base):
    """One visitor's statement that a voice may be cloned, for one recording."""

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    visitor: Mapped[str] = mapped_column(String(64), doc="SHA-256 of the visitor's token")
    audio_sha256: Mapped[str] = mapped_column(String(64))
    statement: Mapped[str] = mapped_column(String(500), doc="the words that were agreed to")
    source: Mapped[str] = mapped_column(String(16), doc="page or api")
    given_at: Mapped[datetime] = mapped_column(Moment, default=now)

    __table_args__ = (Index("consent_of_recording", "visitor", "audio_sha256", unique=True),)


class VoiceRow(Base):
    """A reference recording that a visitor kept under a name; the sound lies in the data folder."""

    __tablename__ = "saved_voice"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, doc="unguessable")
    visitor: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(60))
    audio_sha256: Mapped[str] = mapped_column(String(64))
    seconds: Mapped[float] = mapped_column(Float)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)

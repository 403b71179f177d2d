"""Consents and saved voices in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.db.engine import Database
from app.db.models import Consent, VoiceRow


@dataclass(frozen=True)
class SavedVoice:
    """A saved voice as the services see it: `seconds` is the length of the reference recording."""

    id: str
    name: str
    audio_sha256: str
    seconds: float


class Store:
    """Consents and saved voices, in SQLite or PostgreSQL."""

    def __init__(self, database: Database):
        self._database = database

    def record_consent(self, *, visitor: str, audio_sha256: str, statement: str, source: str) -> bool:
        """Write down a consent once for each visitor and recording.

        Returns:
            True when it is new, False when the same consent was recorded before.
        """
        try:
            with self._database.write() as session:
                session.add(Consent(visitor=visitor, audio_sha256=audio_sha256, statement=statement, source=source))
        except IntegrityError:
            return False
        return True

    def consents(self, *, visitor: str | None = None) -> list[dict[str, Any]]:
        """All consents, or those of one visitor, oldest first."""
        query = select(Consent).order_by(Consent.id)
        if visitor is not None:
            query = query.where(Consent.visitor == visitor)
        with self._database.read() as session:
            return [
                {
                    "visitor": row.visitor,
                    "audio_sha256": row.audio_sha256,
                    "statement": row.statement,
                    "source": row.source,
                    "given_at": row.given_at,
                }
                for row in session.scalars(query)
            ]

    def add_voice(self, *, voice: SavedVoice, visitor: str) -> None:
        """Keep a voice for a visitor."""
        with self._database.write() as session:
            session.add(
                VoiceRow(
                    id=voice.id,
                    visitor=visitor,
                    name=voice.name,
                    audio_sha256=voice.audio_sha256,
                    seconds=voice.seconds,
                )
            )

    def voices(self, *, visitor: str) -> list[SavedVoice]:
        """The voices of one visitor, oldest first."""
        query = select(VoiceRow).where(VoiceRow.visitor == visitor).order_by(VoiceRow.created_at)
        with self._database.read() as session:
            return [_saved(row) for row in session.scalars(query)]

    def count_voices(self, *, visitor: str) -> int:
        """How many voices a visitor keeps."""
        with self._database.read() as session:
            return session.scalar(select(func.count(VoiceRow.id)).where(VoiceRow.visitor == visitor)) or 0

    def voice(self, *, voice_id: str) -> SavedVoice | None:
        """A saved voice by its identifier."""
        with self._database.read() as session:
            row = session.get(VoiceRow, voice_id)
            return _saved(row) if row else None

    def delete_voice(self, *, voice_id: str, visitor: str) -> bool:
        """Forget a voice of this visitor; False when the visitor has none of that identifier."""
        with self._database.write() as session:
            row = session.get(VoiceRow, voice_id)
            if row is None or row.visitor != visitor:
                return False
            session.delete(row)
            return True


def _saved(row: VoiceRow) -> SavedVoice:
    return SavedVoice(id=row.id, name=row.name, audio_sha256=row.audio_sha256, seconds=row.seconds)

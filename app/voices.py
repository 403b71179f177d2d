"""Whose voice speaks: presets, recordings with consent, and voices that a visitor saved."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from pathlib import Path
from typing import Protocol

from app.continuation import OWN_RECORDING
from app.db import SavedVoice, Store
from app.errors import UserError
from app.settings import Settings
from app.speech import VoiceRef

STATEMENT = "I have the right to use this voice: it is mine, or its owner has agreed to this cloning."
SAVED_PREFIX = "saved:"


class ReferenceReader(Protocol):
    """What this service needs from the engine."""

    def check_reference(self, path: Path) -> float:
        """Seconds of a sound that a voice can be cloned from; raises UserError otherwise."""
        ...


class Voices:
    """References, consents and saved voices; a visitor is known by a random token of their browser."""

    def __init__(self, reader: ReferenceReader, store: Store, settings: Settings):
        """Saved recordings lie in `voices` under the data folder."""
        self._reader = reader
        self._store = store
        self._settings = settings
        self._folder = settings.data_dir / "voices"

    def preset(self, name: str | None) -> VoiceRef:
        """A bundled voice; whether the model knows it is checked when the run begins.

        Raises:
            UserError: no name.
        """
        if not name:
            raise UserError("Choose a voice first.", code="unknown_voice", param="voice")
        return VoiceRef(name)

    def by_name(self, name: str) -> VoiceRef:
        """A preset by its name, or a saved voice as `saved:<id>`.

        Raises:
            UserError: the saved voice does not exist.
        """
        return self.saved(name.removeprefix(SAVED_PREFIX)) if name.startswith(SAVED_PREFIX) else self.preset(name)

    def saved(self, voice_id: str | None) -> VoiceRef:
        """A saved voice.

        Raises:
            UserError: it does not exist, or its recording is gone.
        """
        if not voice_id:
            raise UserError("Choose one of your saved voices first.", code="unknown_voice", param="voice")
        voice = self._store.voice(voice_id=voice_id)
        path = self._recording(voice_id)
        if voice is None or not path.exists():
            raise UserError(
                "This saved voice does not exist any more; record or upload it again.",
                code="unknown_voice",
                param="voice",
            )
        return VoiceRef(voice.name, path, voice.audio_sha256)

    def from_recording(self, path: str | Path | None, *, consent: bool, visitor: str, source: str) -> VoiceRef:
        """A voice to clone from an uploaded or recorded sound; writes the consent down.

        Raises:
            UserError: no sound, no consent, or a sound that no voice can be taken from.
        """
        path = self._checked(path, consent)
        self._reader.check_reference(path)
        return self._consented(path, visitor, source)

    def save(self, name: str, path: str | Path | None, *, consent: bool, visitor: str, source: str) -> SavedVoice:
        """Keep a recording as a named voice of this visitor.

        Raises:
            UserError: as `from_recording`, or a bad name, or too many saved voices.
        """
        name = re.sub(r"\s+", " ", name or "").strip()
        if not 1 <= len(name) <= 60 or not name.isprintable():
            raise UserError("Give the voice a name of 1 to 60 characters.", param="name")
        path = self._checked(path, consent)
        limit = self._settings.max_saved_voices
        if self._store.count_voices(visitor=_hashed(visitor)) >= limit:
            raise UserError(f"You keep {limit} voices already, which is the limit: delete one first.", param="name")
        seconds = self._reader.check_reference(path)
        ref = self._consented(path, visitor, source)
        voice = SavedVoice(secrets.token_hex(16), name, ref.sha256 or "", round(seconds, 2))
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, self._recording(voice.id))
        self._store.add_voice(voice=voice, visitor=_hashed(visitor))
        return voice

    def of(self, visitor: str) -> list[SavedVoice]:
        """The saved voices of a visitor."""
        return self._store.voices(visitor=_hashed(visitor)) if visitor else []

    def delete(self, voice_id: str, visitor: str) -> None:
        """Forget a voice and its recording.

        Raises:
            UserError: the visitor has no such voice.
        """
        if not self._store.delete_voice(voice_id=voice_id, visitor=_hashed(visitor)):
            raise UserError("You have no saved voice of this name.", status=404, code="unknown_voice", param="voice")
        self._recording(voice_id).unlink(missing_ok=True)

    def _recording(self, voice_id: str) -> Path:
        return self._folder / f"{re.sub(r'[^0-9a-f]', '', voice_id)}.audio"

    def _checked(self, path: str | Path | None, consent: bool) -> Path:
        if not path:
            raise UserError("Record or upload a voice first.", code="no_audio", param="voice")
        if not consent:
            raise UserError(
                "Tick the box that says you have the right to use this voice; without it no voice is cloned.",
                status=403,
                code="consent_needed",
                param="consent",
            )
        path = Path(path)
        limit = self._settings.max_upload_mb
        if path.stat().st_size > limit * 1e6:
            raise UserError(f"The sound is larger than {limit:g} MB: use a shorter one.", status=413, param="voice")
        return path

    def _consented(self, path: Path, visitor: str, source: str) -> VoiceRef:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self._store.record_consent(visitor=_hashed(visitor), audio_sha256=digest, statement=STATEMENT, source=source)
        return VoiceRef(OWN_RECORDING, path, digest)


def _hashed(visitor: str) -> str:
    """Only a hash of the browser's token is kept."""
    return hashlib.sha256(visitor.encode()).hexdigest()

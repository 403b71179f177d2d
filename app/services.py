"""The services that pages and routes are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.arena.service import ArenaService, with_models
from app.arena.systems import read_arena
from app.clips import FORMATS, Clip, ClipCache
from app.continuation import ExamplePrompts, check_continuation
from app.db import Database, Store, open_from
from app.encoding import synthetic_note
from app.errors import UserError
from app.music_prompts import LIST as PROMPT_LIST
from app.music_service import MusicService
from app.runs import Run, Runs
from app.settings import Settings
from app.speech import VoiceRef, check_request
from app.studies.service import StudyService
from app.synthesis import Synthesizer
from app.voices import Voices


@dataclass(frozen=True)
class Services:
    """One instance of each for the whole process."""

    settings: Settings
    synthesizer: Synthesizer
    clips: ClipCache
    runs: Runs
    database: Database
    store: Store
    voices: Voices
    prompts: ExamplePrompts
    music: MusicService
    studies: StudyService
    arena: ArenaService | None

    def open_run(self, *, model: str, text: str, voice: VoiceRef, **parameters: Any) -> Run:
        """Check a request and put it in the queue.

        Raises:
            UserError: a value is outside its limits, or the queue is full.
        """
        limit = self.settings.max_text_chars
        return self.runs.open(check_request(model=model, text=text, voice=voice, max_text_chars=limit, **parameters))

    def open_continuation(self, *, model: str, prompt: VoiceRef, after: Run | None = None, **parameters: Any) -> Run:
        """Check a request to go on from a recording and put it in the queue.

        Args:
            model: an identifier.
            prompt: the recording.
            after: a run that it waits for.
            parameters: see `app.continuation.check_continuation`.

        Raises:
            UserError: a value is outside its limits, or the queue is full.
        """
        longest = self.settings.max_continuation_seconds
        request = check_continuation(model=model, prompt=prompt, max_seconds=longest, **parameters)
        return self.runs.open(request, after)

    def own_prompt(self, path: str | Path | None, *, consent: bool, visitor: str, source: str) -> VoiceRef:
        """A visitor's recording to go on from; writes the consent down, as for every voice that is taken on.

        Raises:
            UserError: no sound, no consent, or a sound that cannot be used.
        """
        if not path:
            raise UserError("Record or upload a prompt first, or choose an example.", code="no_audio", param="prompt")
        return self.voices.from_recording(path, consent=consent, visitor=visitor, source=source)

    def rendition(self, clip_id: str, suffix: str) -> Path:
        """The file of a clip as wav, flac or mp3, marked as synthetic in its metadata.

        Raises:
            UserError: no such clip or format.
        """
        clip = self.clip(clip_id)
        if suffix not in FORMATS:
            raise UserError(f"Clips come as {', '.join(FORMATS)} or json.", status=404, code="unknown_format")
        return self.clips.rendition(clip, suffix, lambda path: self._export(clip, path))

    def clip(self, clip_id: str) -> Clip:
        """A kept clip.

        Raises:
            UserError: it is unknown, or made room for newer ones.
        """
        clip = self.clips.get(clip_id)
        if clip is None:
            raise UserError("This sound is no longer kept; make it again.", status=404, code="unknown_clip")
        return clip

    def _export(self, clip: Clip, path: Path) -> None:
        samples, rate = clip.pcm()
        self.synthesizer.export(samples, rate, path, marks(clip.info))


def marks(info: dict[str, Any]) -> dict[str, str]:
    """Metadata that says a sound is synthetic and how it was made, or that it is a visitor's recording."""
    if not info.get("synthetic", True):
        return {"title": "Original sound", "comment": "Not synthetic: an uploaded sound at the rate of the codec."}
    note = synthetic_note(info.get("task"))
    made_by = ", ".join(f"{name} {info[name]}" for name in ("model", "voice", "seed") if info.get(name) is not None)
    head = (
        f" The first {info['prompt_end']:.2f} s are the recording that it goes on from." if "prompt_end" in info else ""
    )
    what = "music" if "music" in note else "voice"
    return {
        "title": str(info.get("text") or f"After {info.get('prompt', 'a recording')}")[:200],
        "artist": f"CALM Space (synthetic {what})",
        "comment": f"{note}: {made_by}.{head}",
        "software": "CALM Space",
    }


def build_services(settings: Settings) -> Services:
    """Put the services together; nothing slow happens here.

    Raises:
        UserError: the database or the arena's file cannot be used.
    """
    arena = read_arena(settings.arena_file) if settings.arena else None
    settings = with_models(arena, settings) if arena else settings
    synthesizer = Synthesizer(settings)
    clips = ClipCache(settings.data_dir / "clips", limit_mb=settings.clip_cache_mb, examples=settings.examples_dir)
    database = open_from(settings)
    store = Store(database)
    runs = Runs(synthesizer, clips, settings)
    return Services(
        settings=settings,
        synthesizer=synthesizer,
        clips=clips,
        runs=runs,
        database=database,
        store=store,
        voices=Voices(synthesizer, store, settings),
        prompts=ExamplePrompts(settings.prompts_dir),
        music=MusicService(settings, synthesizer, clips, runs, ExamplePrompts(settings.music_prompts_dir, PROMPT_LIST)),
        studies=StudyService(database, settings.media_dir, settings.resolved_secret_key()),
        arena=ArenaService(arena, database, runs, settings) if arena else None,
    )

"""A system speaks an item, or goes on from it: one run of the queue, brought to one rate, loudness and format."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from pathlib import Path

import numpy as np

from app.arena.records import Item
from app.arena.systems import Arena, System
from app.arena.tasks import CONTINUE_MUSIC, DESCRIBE, MusicContinuation
from app.clips import Clip
from app.continuation import check_continuation
from app.errors import UserError
from app.music import check_described_music, check_music_continuation
from app.run_events import Request
from app.runs import Runs
from app.settings import Settings
from app.speech import MAX_SEED, VoiceRef, check_request
from app.studies.loudness import CEILING_DBTP, amplified, loudness, true_peak
from app.studies.sounds import MIN_SECONDS, Sound, alike
from app.studies.stimuli import Ready, keep_sound

log = logging.getLogger(__name__)
CANNOT_SPEAK = "cannot_speak"
TOLD = {"busy", "not_ready", "disk_full"}  # sentences that say nothing about a system


class Recordings:
    """Makes recordings; see `make`.

    Args:
        runs: the engine's queue and its cache of clips.
        arena: rate, loudness and systems.
        media_root: where finished recordings go.
        secret: seeds follow from it, so that nobody can make a recording again to learn whose it is.
        settings: the app's, with the limits of the engine; what the arena's own file asks for is never refused.
    """

    def __init__(self, runs: Runs, arena: Arena, media_root: Path, secret: str, settings: Settings):
        self._runs = runs
        self._arena = arena
        self._media_root = media_root
        self._secret = secret.encode()
        self._max_text_chars = settings.max_text_chars
        # the operator's own rules are wider than what visitors may ask for
        self._music_settings = settings.model_copy(update={"max_music_seconds": 60.0, "max_music_steps": 128})

    def has(self, ready: Ready) -> bool:
        """Whether the file of a stored recording is there."""
        return (self._media_root / ready.path).is_file()

    async def make(self, system: System, item: Item) -> Ready:
        """Speak an item and keep it; both systems of a pair speak it with one seed.

        Raises:
            UserError: it cannot be made; the sentence does not tell which system failed.
        """
        try:
            run = self._runs.open(self._request(system, item))
            end = await self._runs.result(run)
            if end.clip is None:
                raise UserError(end.warning or "No sound was made.", status=507, code="disk_full")
            return await asyncio.to_thread(self._kept, end.clip, system, item)
        except UserError as error:
            if error.code in TOLD or error.param == "prompt":  # the recording's fault, and not a system's
                raise
            log.warning("The arena's system %s could not speak %r: %s", system.name, item.text[:60], error.message)
            raise cannot_speak() from error

    def _request(self, system: System, item: Item) -> Request:
        if item.task in (CONTINUE_MUSIC, DESCRIBE):
            return self._music(system, item)
        if item.recording is None:
            voice = system.voices.get(item.voice, item.voice)
            return check_request(
                model=system.model, text=item.text, voice=VoiceRef(voice), max_text_chars=self._max_text_chars,
                seed=self._seed(item), temperature=system.temperature, steps=system.steps, cfg=system.cfg,
            )  # fmt: skip
        own = self._arena.continuation
        assert own is not None, "such items are made by arenas that have it"
        return check_continuation(
            model=system.model, prompt=item.recording, prompt_seconds=own.prompt_seconds, seconds=own.seconds,
            max_seconds=own.seconds, seed=self._seed(item), temperature=system.temperature, steps=system.steps,
            text_temperature=system.text_temperature, top_k=system.top_k,
        )  # fmt: skip

    def _music(self, system: System, item: Item) -> Request:
        rules = self._arena.rules(item.task)
        assert rules is not None, "such items are made by arenas that have them"
        sampling = {
            "seconds": rules.seconds, "seed": self._seed(item), "temperature": system.temperature,
            "steps": system.steps, "top_k": system.top_k,
        }  # fmt: skip
        limits = self._music_settings
        if isinstance(rules, MusicContinuation) and item.recording is not None:
            return check_music_continuation(
                limits, model=system.model, prompt=item.recording, prompt_seconds=rules.prompt_seconds, **sampling
            )
        return check_described_music(limits, model=system.model, description=item.text, cfg=system.cfg, **sampling)

    def _seed(self, item: Item) -> int:
        drawn = hmac.digest(self._secret, f"arena seed {item.name} {item.text}".encode(), hashlib.sha256)
        return int.from_bytes(drawn[:8]) % (MAX_SEED + 1)

    def _kept(self, clip: Clip, system: System, item: Item) -> Ready:
        samples, rate = clip.pcm()
        heard = clip.info.get("prompt_end", 0.0)
        sound = alike(Sound(samples[:, None].astype(np.float64) / 32768.0, rate), self._arena.rate_of(item.task), 1)
        # of continuations the common beginning is made equally loud, so that it is the same in both
        head = sound if item.recording is None else Sound(sound.samples[: round(heard * sound.rate)], sound.rate)
        own = loudness(head)
        if not np.isfinite(own) or sound.seconds < MIN_SECONDS:
            raise UserError("The recording is silent or shorter than half a second.", code="no_sound")
        gain = min(self._arena.loudness_lufs - own, CEILING_DBTP - true_peak(sound))  # never clipped
        sound = amplified(sound, gain)
        return keep_sound(sound, system.name, item.name, len(sound.samples), self._media_root)


def cannot_speak() -> UserError:
    """The sentence for a system that failed; it names none."""
    return UserError(
        "One of the two systems made no usable sound of this; choose something else, or another voice.",
        status=422,
        code=CANNOT_SPEAK,
        param="text",
    )

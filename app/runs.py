"""Runs: one utterance, continuation or set of variants each, from the queue to the last sample, with a stop flag.

A run produces events in a worker thread; whoever listens gets them through an async iterator. When the
listener leaves, the stop flag is set, the engine ends at its next frame and the place in the queue is free again.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
import threading
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.clips import Clip, ClipCache
from app.continuation import words_changed
from app.encoding import to_int16
from app.errors import BusyError, UserError, disk_full, unexpected
from app.run_events import Event, Failed, Finished, Made, Pcm, Progress, Request, Speaker, Started, Waiting, Words
from app.settings import Settings

log = logging.getLogger(__name__)
REPLAY_SECONDS = 0.24  # length of a block when a kept clip is sent again


@dataclass
class Run:
    """A request with its identity and its stop flag; it begins when the run `after` which it comes has ended."""

    request: Request
    after: Run | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    stop: threading.Event = field(default_factory=threading.Event)
    created: float = field(default_factory=time.monotonic)
    claimed: bool = False
    abandoned: bool = False


class Runs:
    """The queue: at most `concurrency` runs at work and `queue_size` waiting."""

    def __init__(self, speaker: Speaker, clips: ClipCache, settings: Settings):
        """Nothing starts before somebody listens."""
        self._speaker = speaker
        self._clips = clips
        self._settings = settings
        self._runs: dict[str, Run] = {}
        self._line: list[str] = []  # runs that wait, first come first served
        self._working: set[str] = set()
        self._changed: asyncio.Event | None = None

    @property
    def active(self) -> int:
        """Runs whose thread is at work."""
        return len(self._working)

    @property
    def waiting(self) -> int:
        """Runs that wait for a place."""
        return len(self._line)

    def open(self, request: Request, after: Run | None = None) -> Run:
        """Register a run; it begins when its events are read, and the run `after` which it comes has ended.

        Raises:
            BusyError: every place in the queue is taken.
        """
        self._forget_old()
        places = self._settings.queue_size + self._settings.concurrency
        if len(self._runs) >= places:
            raise BusyError(places)
        run = Run(request, after)
        self._runs[run.id] = run
        return run

    def get(self, run_id: str) -> Run | None:
        """A run that has not ended yet."""
        return self._runs.get(run_id)

    def stop(self, run_id: str) -> bool:
        """Ask a run to end at its next frame; False when there is none of that identifier."""
        run = self._runs.get(run_id)
        if run is None:
            return False
        run.stop.set()
        self._notify()
        if not run.claimed:
            del self._runs[run_id]
        return True

    def stop_all(self) -> None:
        """Ask every run to end, when the server goes down."""
        for run in list(self._runs.values()):
            run.stop.set()
        self._notify()

    async def events(self, run: Run) -> AsyncGenerator[Event, None]:
        """Carry a run out; leaving the iterator early stops it.

        Raises:
            UserError: somebody listens to this run already.
        """
        if run.claimed or run.id not in self._runs:
            raise UserError("This run was already played; press Speak again.", status=409, code="run_taken")
        run.claimed = True
        try:
            while run.after is not None and run.after.id in self._runs and not run.stop.is_set():
                await self._change()
            kept = await asyncio.to_thread(self._kept, run.request)
            if kept:
                async for event in _replay(kept, run):
                    yield event
                return
            async for event in self._place_in_line(run):
                yield event
            if run.stop.is_set():
                self._leave(run)
                yield Finished((Made(None, {**run.request.parameters(), "stopped": True, "seconds": 0.0}),))
                return
            async for event in self._work(run):
                yield event
        finally:
            run.abandoned = True  # after the last event this changes nothing
            run.stop.set()
            if run.id not in self._working:
                self._leave(run)

    def clip_id(self, run: Run) -> str:
        """What the clip of a run's first variant will be called when it ends by itself; stopped ones are named anew."""
        return self._key(run.request.alone()[0])

    async def result(self, run: Run) -> Finished:
        """Carry a run out and return its end.

        Raises:
            UserError: the run failed.
        """
        stream = self.events(run)
        try:
            async for event in stream:
                if isinstance(event, Failed):
                    raise event.error
                if isinstance(event, Finished):
                    return event
        finally:
            await stream.aclose()
        raise unexpected()

    def _kept(self, request: Request) -> list[Clip]:
        """The clips of all variants; none where one of them is not kept."""
        found = [self._clips.example(one.parameters()) or self._clips.get(self._key(one)) for one in request.alone()]
        return [clip for clip in found if clip is not None] if all(found) else []

    def _key(self, request: Request) -> str:
        return request.key(self._speaker.fingerprint(request.model))

    async def _place_in_line(self, run: Run) -> AsyncGenerator[Event, None]:
        self._line.append(run.id)
        told = 0
        while not run.stop.is_set():
            position = self._line.index(run.id) + 1
            if position == 1 and len(self._working) < self._settings.concurrency:
                break
            if position != told:
                told = position
                yield Waiting(position)
            await self._change()
        if run.id in self._line:
            self._line.remove(run.id)
        if not run.stop.is_set():
            self._working.add(run.id)
        self._notify()

    async def _work(self, run: Run) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        box: asyncio.Queue[Event | None] = asyncio.Queue()

        def tell(event: Event | None) -> None:
            loop.call_soon_threadsafe(box.put_nowait, event)

        def work() -> None:
            try:
                self._speak(run, tell)
            finally:
                tell(None)
                loop.call_soon_threadsafe(self._leave, run)

        threading.Thread(target=work, name=f"run-{run.id[:6]}", daemon=True).start()
        while (event := await box.get()) is not None:
            yield event

    def _speak(self, run: Run, tell: Any) -> None:
        """The worker's side: every way out of it tells exactly one end."""
        blocks: list[np.ndarray] = []
        words: list[dict[str, Any]] = []
        rate, notes = 0, {}
        begun = time.monotonic()
        first: float | None = None
        try:
            spoken = self._speaker.speak(run.request, run.stop, lambda *news: tell(Progress(*news)))
            for rate, samples, notes in spoken:
                if first is None:
                    first = time.monotonic() - begun
                    tell(Started(rate, _told(run.request, notes)))
                if (now := notes.get("words", [])) != words:
                    start = words_changed(words, now)
                    tell(Words(start, now[start:]))
                    words = now
                block = to_int16(np.atleast_2d(samples))
                blocks.append(block)
                for variant, row in enumerate(block):
                    tell(Pcm(row, variant))
                if run.stop.is_set():
                    break
        except UserError as error:
            tell(Failed(error))
            return
        except OSError as error:
            log.exception("A run failed")
            tell(Failed(disk_full() if error.errno == errno.ENOSPC else unexpected()))
            return
        except Exception:
            log.exception("A run failed")
            tell(Failed(unexpected()))
            return
        tell(self._keep(run, blocks, rate, notes, first, time.monotonic() - begun))

    def _keep(
        self,
        run: Run,
        blocks: list[np.ndarray],
        rate: int,
        notes: dict[str, Any],
        first: float | None,
        took: float,
    ) -> Finished | Failed:
        rows = np.concatenate(blocks, axis=1) if blocks else np.zeros((1, 0), np.int16)
        seconds = rows.shape[1] / rate if rate else 0.0
        prompt = notes.get("prompt_end", 0.0)  # a prompt is given, not made
        stopped = run.stop.is_set()
        common = {
            **notes,
            "seconds": round(seconds, 3),
            "first_audio_seconds": None if first is None else round(first, 4),
            # seconds of sound made in one second, of each variant
            "real_time_factor": round(max(0.0, seconds - prompt) / took, 3),
            "stopped": stopped,
            "cloned": run.request.cloned,
            "synthetic": True,
        }
        alone = run.request.alone()[: len(rows)]
        infos = [
            {**common, **{k: v for k, v in one.parameters().items() if v is not None}, "request": one.parameters()}
            for one in alone
        ]
        nothing = Finished(tuple(Made(None, info) for info in infos))
        if run.abandoned or (stopped and not seconds):
            return nothing
        if not seconds:
            return Failed(UserError("The model made no sound; try another text or another seed.", code="no_sound"))
        made = []
        try:
            for one, info, samples in zip(alone, infos, rows, strict=True):
                clip = self._clips.put(samples, rate, info, None if stopped else self._key(one))
                made.append(Made(clip, clip.info))
        except OSError:
            log.exception("A clip was not kept")
            return Finished((*made, *nothing.made[len(made) :]), warning=disk_full().message)
        return Finished(tuple(made))

    def _leave(self, run: Run) -> None:
        self._working.discard(run.id)
        if run.id in self._line:
            self._line.remove(run.id)
        self._runs.pop(run.id, None)
        self._notify()

    def _forget_old(self) -> None:
        limit = time.monotonic() - self._settings.run_ttl_seconds
        for run in [run for run in self._runs.values() if not run.claimed and run.created < limit]:
            del self._runs[run.id]
            self._notify()

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = asyncio.Event()
        await self._changed.wait()


async def _replay(clips: list[Clip], run: Run) -> AsyncGenerator[Event, None]:
    sounds = [await asyncio.to_thread(clip.pcm) for clip in clips]
    rate = sounds[0][1]
    yield Started(rate, _told(run.request, clips[0].info))
    if words := clips[0].info.get("words"):
        yield Words(0, words)
    step = int(REPLAY_SECONDS * rate)
    for start in range(0, max(len(samples) for samples, _ in sounds), step):
        if run.stop.is_set():
            break
        for variant, (samples, _) in enumerate(sounds):
            yield Pcm(samples[start : start + step], variant)
    yield Finished(tuple(Made(clip, {**clip.info, "from_cache": True, "stopped": False}) for clip in clips))


def _told(request: Request, notes: dict[str, Any]) -> dict[str, Any]:
    """The parameters, where a prompt ends, and what is to be said to whoever asked."""
    return {**request.parameters(), **{name: notes[name] for name in ("prompt_end", "notices") if name in notes}}

"""Many callers, one loaded model: rows of all utterances advance together, sounds decode beside them.

    callers -> jobs -> one thread: next frame of every row in one pass over the weights
                         |-> a few threads: latents of a row to samples -> the caller's queue

Callers share nothing but the weights; a job has its own states and random numbers. The threads begin
with the first job and end when there has been none for a while. Each of them computes on one core:
two stages side by side use two cores without waiting for each other inside every small operation.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from torch import Tensor

from calm_core.generate import Row, Sound, advance, group_sizes
from calm_core.model import CALM
from calm_core.types import SamplingParams
from calm_core.voices import Voice

IDLE_SECONDS = 5.0
MAX_ROWS = 16


@dataclass(frozen=True)
class Silence:
    """A pause between pieces of text."""

    seconds: float


# What an utterance consists of: pieces of text, each fit for the text conditioner, and pauses.
Segment = str | Silence


@dataclass(eq=False)
class Job:
    """One utterance on its way through the threads.

    Attributes:
        segments: what is left to say.
        voice: of the speaker.
        params: how to sample.
        generator: source of all noise of this utterance.
        stop: set by anyone to end early.
    """

    segments: deque[Segment]
    voice: Voice
    params: SamplingParams
    generator: torch.Generator
    stop: threading.Event
    # Chunks of samples for the caller; None ends them, an exception is raised to the caller.
    chunks: queue.SimpleQueue[Tensor | BaseException | None] = field(default_factory=queue.SimpleQueue)
    row: Row | None = None
    # Handed from the frame thread to the sound threads, in order, by `lock`.
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: deque[Tensor | Silence | None] = field(default_factory=deque)
    sounding: bool = False
    # Only the sound thread that holds `sounding` touches these.
    sound: Sound | None = None
    sizes: Iterator[int] = field(default_factory=group_sizes)
    size: int = 0
    finished: bool = False


_LEAVING = threading.Event()
_SCHEDULERS: weakref.WeakSet[Scheduler] = weakref.WeakSet()


@atexit.register
def _end_threads() -> None:
    """Let no thread be inside torch while the interpreter goes away: that aborts the process."""
    _LEAVING.set()
    for scheduler in list(_SCHEDULERS):
        scheduler.wait_for_end()


class Scheduler:
    """Runs the jobs of one model.

    Args:
        model: loaded, in evaluation mode.
        sound_threads: threads that decode latents; the number of cores when None.
    """

    def __init__(self, model: CALM, sound_threads: int | None = None):
        self._model = model
        self._sound_threads = sound_threads or os.cpu_count() or 1
        self._wake = threading.Condition()
        self._incoming: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None
        _SCHEDULERS.add(self)

    def wait_for_end(self) -> None:
        """Wait until the frame thread, told by `_LEAVING`, has ended."""
        with self._wake:
            thread = self._thread
            self._wake.notify_all()
        if thread is not None:
            thread.join()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take jobs; those handed in together start together."""
        with self._wake:
            self._incoming.extend(jobs)
            if self._thread is None:
                self._pool = ThreadPoolExecutor(
                    self._sound_threads, "calm-sound", initializer=torch.set_num_threads,
                    initargs=(1,),
                )  # fmt: skip
                self._thread = threading.Thread(target=self._run, name="calm-frames", daemon=True)
                self._thread.start()
            self._wake.notify()

    # --------------------------------------------------------------------- the frame thread

    def _run(self) -> None:
        torch.set_num_threads(1)
        active: list[Job] = []
        pool = self._pool
        assert pool is not None
        while not _LEAVING.is_set():
            with self._wake:
                if not active and not self._incoming and not _LEAVING.is_set():
                    self._wake.wait(IDLE_SECONDS)
                    if not self._incoming:
                        self._thread = self._pool = None
                        break
                while self._incoming and len(active) < MAX_ROWS:
                    active.append(self._incoming.popleft())
            try:
                active = self._frame(active, pool)
            except BaseException as error:  # the callers must hear of it; nobody else can
                for job in active:
                    job.chunks.put(error)
                active = []
        pool.shutdown(wait=False)

    def _frame(self, active: list[Job], pool: ThreadPoolExecutor) -> list[Job]:
        """One frame for every job; returns the jobs that go on.

        Reading a piece takes as long as several frames. Only one job does it before each frame, so that
        those who already speak, and the first of those who begin, do not wait for all others.
        """
        going: list[Job] = []
        resting: list[Job] = []
        opened = False
        for job in active:
            has_row = job.row is not None and not job.row.done
            if opened and not has_row and job.segments and not job.stop.is_set():
                resting.append(job)
                continue
            opened = opened or not has_row
            try:
                goes_on = self._open(job, pool)
            except Exception as error:  # a piece that cannot be spoken ends its own job only
                job.chunks.put(error)
                continue
            if goes_on:
                going.append(job)
        rows = [job.row for job in going if job.row is not None]
        if rows:
            for job, latent in zip(going, advance(self._model, rows), strict=True):
                if latent is not None:
                    self._hand_over(job, [latent], pool)
        return going + resting

    def _open(self, job: Job, pool: ThreadPoolExecutor) -> bool:
        """Make sure that the job has a row with frames left; False when it is over."""
        while not job.stop.is_set():
            if job.row is not None and not job.row.done:
                return True
            if job.row is not None:
                job.row = None
                self._hand_over(job, [Silence(0.0)], pool)
            if not job.segments:
                break
            segment = job.segments.popleft()
            if isinstance(segment, Silence):
                self._hand_over(job, [segment], pool)
                continue
            with torch.inference_mode():
                condition = self._model.text.condition(segment, job.voice.embedding, job.params.speed)
                job.row = Row(self._model, job.voice, condition, job.params, job.generator)
        job.row = None
        self._hand_over(job, [None], pool)
        return False

    def _hand_over(self, job: Job, items: Sequence[Tensor | Silence | None], pool: ThreadPoolExecutor) -> None:
        with job.lock:
            job.waiting.extend(items)
            if job.sounding:
                return
            job.sounding = True
        pool.submit(self._sound, job)

    # -------------------------------------------------------------------- the sound threads

    def _sound(self, job: Job) -> None:
        """Decode what waits, as far as whole groups go."""
        try:
            while True:
                group = self._next_group(job)
                if group is None:
                    return
                latents, boundary = group
                if latents and not job.stop.is_set():
                    if job.sound is None:
                        job.sound = Sound(self._model)
                    job.chunks.put(job.sound.decode(latents))
                if isinstance(boundary, Silence):
                    job.sound = None
                    job.sizes, job.size = group_sizes(), 0
                    count = round(boundary.seconds * self._model.codec.sample_rate)
                    if count:
                        job.chunks.put(torch.zeros(count))
                if job.finished:
                    job.chunks.put(None)
                    return
        except BaseException as error:
            job.stop.set()
            job.chunks.put(error)

    def _next_group(self, job: Job) -> tuple[list[Tensor], Silence | None] | None:
        """The next latents to decode together and what follows them; None while too few wait.

        Groups depend on the frame number alone, never on timing, so that every run of a seed makes
        the same calls and gives the same bits.
        """
        with job.lock:
            job.size = job.size or next(job.sizes)
            latents: list[Tensor] = []
            for item in job.waiting:
                if not isinstance(item, Tensor):
                    break
                latents.append(item)
                if len(latents) == job.size:
                    break
            at_boundary = len(latents) < len(job.waiting) and not isinstance(job.waiting[len(latents)], Tensor)
            if len(latents) < job.size and not at_boundary:
                job.sounding = False
                return None
            for _ in latents:
                job.waiting.popleft()
            job.size = 0
            boundary = None
            if at_boundary:
                item = job.waiting.popleft()
                boundary = item if isinstance(item, Silence) else None
                job.finished = item is None
            return latents, boundary


def chunks_of(job: Job) -> Iterator[Tensor]:
    """The samples [N] of a job as they come; leaving early stops the job."""
    try:
        while True:
            chunk = job.chunks.get()
            if chunk is None:
                return
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk
    finally:
        job.stop.set()

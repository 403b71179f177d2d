"""The leaderboard's results: made by a thread of their own, handed out from memory.

A request never computes. It asks for a view; the thread looks at the database every `LOOK_SECONDS` for as long as
somebody asks, and when votes, exclusions or flags have changed, makes the views anew that were asked for lately. Until
then the older answer is given. Of a view only the questions are computed whose answers are others than before, so a
vote in one study costs one question. Reading never locks out a vote: SQLite keeps readers and the writer apart in WAL
mode, PostgreSQL by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from app.board.about import About, Catalogue
from app.board.ballots import Ballot, Ballots, Raters, read_raters, stamp
from app.board.selection import Filters, QuestionKey, options, select
from app.db import Database
from app.errors import UserError

log = logging.getLogger(__name__)
Result = TypeVar("Result")
LOOK_SECONDS = 0.2
WATCHED_SECONDS = 30.0  # a view that nobody has asked for since is not kept up to date
IDLE_SECONDS = 60.0  # then the thread ends; the next request starts another
PATIENCE_SECONDS = 20.0
MOST_VIEWS = 64
MOST_QUESTIONS = 256
MOST_WAITING = 16
WAITERS = 4
LIVE_PERMUTATIONS = 1000  # a tenth of what a report takes


@dataclass(frozen=True)
class View:
    """The results of all questions under some filters, as JSON; `raters` is for administrators only."""

    tag: str
    stamp: str
    content: dict[str, Any]
    raters: dict[str, Any]

    def question(self, name: str) -> dict[str, Any]:
        """One question.

        Raises:
            UserError: 404, this view has none of that name.
        """
        for one in self.content["questions"]:
            if one["id"] == name:
                return one
        raise UserError(
            "No vote within these filters answers this question; choose another question or widen the filters.",
            status=404,
            code="unknown_question",
            param="question",
        )


@dataclass
class _Wanted:
    """A view that is asked for; all that was committed at `right_at` is in it."""

    asked_at: float
    right_at: float = float("-inf")
    view: View | None = None
    error: UserError | None = None
    seen: str = ""
    lock: threading.Condition = field(default_factory=threading.Condition)


class Board:
    """Hands out views of the results; `permutations` are those of MUSHRA's tests."""

    def __init__(self, database: Database, permutations: int = LIVE_PERMUTATIONS):
        self._database = database
        self._permutations = permutations
        self._wanted: OrderedDict[Filters, _Wanted] = OrderedDict()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._closed = False
        self._last_asked = 0.0
        # those who wait for results do so apart from those who vote
        self._waiters = ThreadPoolExecutor(WAITERS, thread_name_prefix="leaderboard-waiter")
        # of the thread alone
        self._ballots = Ballots()
        self._catalogue = Catalogue()
        self._loaded = ""
        self._raters = Raters({}, {})
        self._about: dict[str, About] = {}
        self._questions: OrderedDict[tuple[QuestionKey, str], dict[str, Any]] = OrderedDict()

    def view(self, filters: Filters, *, fresh: bool = False, patience_seconds: float = PATIENCE_SECONDS) -> View:
        """The newest results there are; waits only for a view that nobody has asked for yet.

        Args:
            filters: What to restrict it to.
            fresh: Wait for results that hold everything committed before this call.
            patience_seconds: How long to wait at most.

        Raises:
            UserError: 503 when the results do not come in time, or the database does not answer.
        """
        called_at = time.monotonic()
        wanted = self._want(filters)
        if fresh:
            self._wake.set()
        end = called_at + patience_seconds
        with wanted.lock:
            wanted.error = None  # of an earlier call; this one may go well
            while wanted.view is None or (fresh and wanted.right_at < called_at):
                if wanted.error is not None and wanted.view is None:
                    raise wanted.error
                left = end - time.monotonic()
                if left <= 0 or self._closed:
                    raise UserError(
                        "The results are still being computed; please try again in a few seconds.",
                        status=503,
                        code="computing",
                    )
                wanted.lock.wait(min(left, LOOK_SECONDS))
                wanted.asked_at = time.monotonic()
            return wanted.view

    def peek(self, filters: Filters) -> View | None:
        """The newest results if there are any, without waiting; the view is kept up to date from now on."""
        return self._want(filters).view

    async def run(self, work: Callable[..., Result], *given: Any) -> Result:
        """Do `work` in a thread for those who wait for results; votes have threads of their own."""
        return await asyncio.get_running_loop().run_in_executor(self._waiters, lambda: work(*given))

    def close(self) -> None:
        """End the thread; no view is made any more."""
        self._closed = True
        self._wake.set()
        thread = self._thread
        if thread is not None:
            thread.join(PATIENCE_SECONDS)
        self._waiters.shutdown(wait=False, cancel_futures=True)

    def _want(self, filters: Filters) -> _Wanted:
        with self._lock:
            wanted = self._wanted.get(filters)
            if wanted is None:
                waiting = sum(one.view is None for one in self._wanted.values())
                if waiting >= MOST_WAITING:
                    raise UserError(
                        f"{waiting} other views are being computed; please try again in a few seconds.",
                        status=503,
                        code="busy",
                    )
                wanted = self._wanted[filters] = _Wanted(time.monotonic())
            wanted.asked_at = self._last_asked = time.monotonic()
            self._wanted.move_to_end(filters)
            while len(self._wanted) > MOST_VIEWS:
                self._wanted.popitem(last=False)
            if (self._thread is None or not self._thread.is_alive()) and not self._closed:
                self._thread = threading.Thread(target=self._run, name="leaderboard", daemon=True)
                self._thread.start()
        if wanted.view is None:
            self._wake.set()
        return wanted

    def _run(self) -> None:
        while not self._closed:
            with self._lock:
                if time.monotonic() - self._last_asked > IDLE_SECONDS:
                    self._thread = None
                    return
            began = time.monotonic()
            try:
                self._look()
            except Exception as error:  # the thread lives on: the next look may go well
                log.error("The leaderboard could not be brought up to date", exc_info=error)
                self._fail(error)
            self._wake.wait(max(LOOK_SECONDS, time.monotonic() - began))  # half of the time at most is ours
            self._wake.clear()

    def _look(self) -> None:
        """Read what is new, and make the views that are behind."""
        began = time.monotonic()
        with self._database.read() as session:
            now = stamp(session)
            if now != self._loaded:
                self._ballots.refresh(session)
                self._raters = read_raters(session)
                self._about = self._catalogue.all(session)
                self._loaded = now
        with self._lock:
            recent = time.monotonic() - WATCHED_SECONDS
            watched = [
                (filters, one)
                for filters, one in reversed(self._wanted.items())
                if one.view is None or one.asked_at > recent
            ]
        for filters, wanted in watched:
            view = self._make(filters, now) if wanted.seen != now else wanted.view
            with wanted.lock:
                wanted.view, wanted.seen, wanted.right_at, wanted.error = view, now, began, None
                wanted.lock.notify_all()

    def _fail(self, error: Exception) -> None:
        told = error if isinstance(error, UserError) else UserError(
            "The results cannot be computed just now; please try again.", status=503, code="no_results"
        )  # fmt: skip
        with self._lock:
            waiting = [one for one in self._wanted.values() if one.view is None]
        for one in waiting:
            with one.lock:
                one.error = told
                one.lock.notify_all()

    def _make(self, filters: Filters, now: str) -> View:
        from app.board.results import overview, question_results  # scipy and pandas take their time to load

        ballots = self._ballots.counted
        selected = select(ballots, self._raters, filters)
        questions = []
        for key, own in selected.questions.items():
            known = (key, _digest(own))
            if known not in self._questions:
                self._questions[known] = question_results(key, own, self._about, self._permutations)
            self._questions.move_to_end(known)
            questions.append(self._questions[known])
        while len(self._questions) > MOST_QUESTIONS:
            self._questions.popitem(last=False)
        content = overview(filters, selected, options(ballots), self._about, questions)
        made_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        tag = hashlib.sha256(f"{now}|{filters}".encode()).hexdigest()[:20]
        raters = {
            "excluded": {rater: self._raters.excluded[rater] for rater in sorted(selected.excluded)},
            "flagged": {rater: list(self._raters.flagged[rater]) for rater in sorted(selected.flagged)},
        }
        return View(tag, now, {"tag": tag, "made_at": made_at, **content}, raters)


def _digest(ballots: Sequence[Ballot]) -> str:
    """A fingerprint of which answers these are, whatever their order."""
    found = hashlib.sha256()
    for key in sorted(ballot.key for ballot in ballots):
        found.update(key.encode())
    return found.hexdigest()

"""The arena's service: it makes pairs, keeps their secret until the vote, takes the vote and tells the names.

    begin -> preparing -> ready -> answered        or: failed, expired

A pair that is being made lives in memory; once it can be heard it is a trial in the database, and outlives a restart.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.arena import ballots, records
from app.arena.ballots import Choice
from app.arena.limits import Limiter
from app.arena.recordings import CANNOT_SPEAK, Recordings
from app.arena.records import Item, Pair
from app.arena.systems import Arena
from app.arena.tasks import CONTINUE_MUSIC, DESCRIBE, GO_ON, SPEAK, Task
from app.arena.wishes import Wishes
from app.continuation import ExamplePrompts
from app.db.engine import Database
from app.db.models import new_id
from app.db.store import Store
from app.errors import UserError, unexpected
from app.music_prompts import LIST as MUSIC_PROMPTS
from app.runs import Runs
from app.settings import Settings
from app.studies.errors import StudyError
from app.studies.listening import needed_seconds
from app.studies.stimuli import Ready
from app.studies.tokens import Purpose, Signer, TokenError
from app.studies.versions import Versions

log = logging.getLogger(__name__)
HOUR = 3600.0
DAY = 86_400.0
VISITOR_DAYS = 90.0
REST_SECONDS = 120.0  # how long a system that failed is not chosen, while two others can be
State = dict[str, Any]
Result = TypeVar("Result")


@dataclass
class Making:
    """A pair whose recordings are being made, or could not be made."""

    trial_id: str
    rater_id: str
    item: Item
    systems: tuple[str, str]
    since: datetime
    failure: UserError | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class ArenaService:
    """Everything that a visitor of the arena can do.

    Args:
        arena: systems, voices and prompts.
        database: where pairs and votes go.
        runs: the engine's queue.
        settings: limits and folders.
        rng: source of the choice of pairs and voices.
        clock: the present moment in UTC.

    Raises:
        UserError: the database holds another arena under the same names; see `app.arena.records.install`.
    """

    def __init__(
        self,
        arena: Arena,
        database: Database,
        runs: Runs,
        settings: Settings,
        rng: np.random.Generator | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        self.arena = arena
        self._database = database
        self._settings = settings
        self._clock = clock
        self._rng = rng or np.random.default_rng()
        self._lock = threading.Lock()
        secret = settings.resolved_secret_key()
        self._signer = Signer(secret, clock)
        examples: dict[Task, ExamplePrompts] = {
            GO_ON: ExamplePrompts(settings.prompts_dir),
            CONTINUE_MUSIC: ExamplePrompts(settings.music_prompts_dir, MUSIC_PROMPTS),
        }
        self._wishes = Wishes(arena, examples, settings.data_dir / "prompts", settings.arena_text_chars)
        self._store_of_consents = Store(database)
        self._recordings = Recordings(runs, arena, settings.media_dir, secret, settings)
        self._versions = Versions()
        self._making: dict[str, Making] = {}
        self._resting: dict[str, datetime] = {}
        self._visitors = Limiter(settings.arena_pairs_per_hour, HOUR)
        self._addresses = Limiter(settings.arena_pairs_per_address, HOUR)
        self._version_id = self._transact(lambda session: records.install(session, arena))

    # ---------------------------------------------------------------------------- asking

    def describe(self, visitor: str = "") -> State:
        """What the page needs before the first pair; no system is named."""
        rater_id = self._known(visitor)
        with self._database.read() as session:
            return {
                "state": records.state_of(session),
                "question": self.arena.question,
                "tasks": self.arena.tasks(),
                **self._wishes.describe(),
                "prompts": [{"name": one.name, "text": one.text} for one in self.arena.prompts],
                "voices": [{"name": name, "title": title} for name, title in self.arena.voices.items()],
                "systems": len(self.arena.names(SPEAK)),
                "max_chars": self._settings.arena_text_chars,
                "minutes": self._settings.arena_minutes,
                "votes": records.counted_votes(session),
                "own_votes": records.counted_votes(session, rater_id) if rater_id else 0,
            }

    async def begin(self, visitor: str, address: str, body: Any) -> State:
        """Choose two systems and let them speak; the answer has the visitor's and the pair's token.

        The same request while its pair is being made is answered with that pair.

        Raises:
            UserError: the text, the prompt or the voice cannot be used, 409 the arena is not open or the last pair is
                still being made, 429 too many pairs in an hour.
        """
        wish = self._wishes.read(body)
        rater_id = self._known(visitor) or new_id()
        self._forget_old()
        mine = next((one for one in self._making.values() if one.rater_id == rater_id and not one.failure), None)
        if mine is not None:
            if wish.is_for(mine.item):
                return self._begun(mine)
            raise UserError("Your last pair is still being made; wait a few seconds.", status=409, code="still_making")
        self._count(rater_id, address)
        item = self._wishes.item(wish, self._draw, lambda digest, text: self._consented(rater_id, digest, text))
        # in the list before anything is waited for: a second request at the same moment finds it there
        making = Making(new_id(), rater_id, item, ("", ""), self._clock())
        self._making[making.trial_id] = making
        try:
            making.systems = await asyncio.to_thread(self._choose, item.task)
        except BaseException:
            del self._making[making.trial_id]
            raise
        making.task = asyncio.create_task(self._make(making))
        return self._begun(making)

    def state(self, visitor: str, token: str) -> State:
        """Where a pair stands: preparing, failed, ready with its sounds, expired, or answered with the names.

        Raises:
            UserError: the token is forged or belongs to somebody else, or the pair is gone.
        """
        rater_id, trial_id = self._rater(visitor), self._read_token("battle", token)["t"]
        making = self._making.get(trial_id)
        if making is not None and making.rater_id == rater_id:
            if making.failure is None:
                return {"state": "preparing", "battle": token}
            return {"state": "failed", "battle": token, **making.failure.body()}
        with self._database.read() as session:
            pair = self._own(records.find_pair(session, trial_id), rater_id)
            if pair.trial.answered_at is not None:
                return self._revealed(session, pair, rater_id)
            seconds = self._seconds_left(pair)
            if seconds <= 0:
                return {"state": "expired", "battle": token, **expired().body()}
            arena = records.arena_of(session, pair)
            task = arena.system(pair.systems[0]).task
            return {
                "state": "ready",
                "battle": token,
                "task": task,
                "question": arena.question_of(task),
                "text": pair.text,
                "slots": [{"media": media, "label": label} for media, label in zip(pair.media, "AB", strict=True)],
                "minimum_seconds": needed_seconds(arena.least_seconds(task)),
                "seconds_left": round(seconds),
            }

    def vote(self, visitor: str, body: Any) -> State:
        """Take a vote and tell the names. The same key with the same content is answered as before, counted once.

        Raises:
            UserError: 403 a forged or foreign token, 409 voted on already, 410 expired, 422 too little or impossible
                listening or no outcome; nothing is stored then.
        """
        choice = Choice.of(body)
        rater_id, trial_id = self._rater(visitor), self._read_token("battle", choice.trial)["t"]

        def work(session: Session) -> State:
            pair = self._own(records.find_pair(session, trial_id, lock=True), rater_id)
            if ballots.is_repeated(session, pair, choice):
                return self._revealed(session, pair, rater_id)
            if pair.trial.answered_at is not None:
                raise StudyError("battle", "You voted on this pair already, and its names are shown.", 409, "answered")
            if self._seconds_left(pair) <= 0:
                raise expired()
            ballots.store(session, self._versions, pair, choice, self._clock())
            session.flush()
            return self._revealed(session, pair, rater_id)

        return self._transact(work)

    # ---------------------------------------------------------------------------- making a pair

    def _choose(self, task: Task) -> tuple[str, str]:
        from app.arena import pairs  # brings the statistics, which nobody needs before the first pair

        now = self._clock()
        names = self.arena.names(task)
        able = [name for name in names if self._resting.get(name, now) <= now]
        with self._database.read() as session:
            state = records.state_of(session)
            if state != "open":
                raise UserError(f"The arena is {state}; please come back later.", status=409, code="not_open")
            table = pairs.vote_table(session, able if len(able) > 1 else names)
        with self._lock:
            awaited = sum(one.item.task == task for one in self._making.values()) - 1
            return pairs.choose(table, self._rng, awaited)

    async def _make(self, making: Making) -> None:
        """Make both recordings, store the pair; whatever goes wrong is told to the visitor who waits."""
        try:
            try:
                sounds = await self._both(making)
            except UserError as error:
                if error.code != CANNOT_SPEAK:
                    raise
                making.systems = await asyncio.to_thread(
                    self._choose, making.item.task
                )  # once more without the one that failed
                sounds = await self._both(making)
            await asyncio.to_thread(self._store, making, sounds)
            self._making.pop(making.trial_id, None)
        except UserError as error:
            making.failure = error
        except Exception:
            log.exception("The arena could not make a pair")
            making.failure = unexpected()
        finally:
            self._wishes.forget(making.item)

    async def _both(self, making: Making) -> tuple[Ready, Ready]:
        made = await asyncio.gather(*(self._recording(name, making.item) for name in making.systems))
        return made[0], made[1]

    async def _recording(self, name: str, item: Item) -> Ready:
        kept = await asyncio.to_thread(self._stored, name, item)
        if kept is not None:
            return kept
        try:
            return await self._recordings.make(self.arena.system(name), item)
        except UserError as error:
            if error.code == CANNOT_SPEAK:
                # one without votes is always chosen, and one that cannot be loaded would never get any
                self._resting[name] = self._clock() + timedelta(seconds=REST_SECONDS)
            raise

    def _stored(self, name: str, item: Item) -> Ready | None:
        with self._database.read() as session:
            ready = records.recording(session, self._version_id, name, item)
        return ready if ready is not None and self._recordings.has(ready) else None

    def _store(self, making: Making, sounds: tuple[Ready, Ready]) -> None:
        with self._lock:
            seed = int(self._rng.integers(2**62))

        def work(session: Session) -> None:
            records.add_pair(
                session, self._version_id, making.trial_id, making.rater_id, making.item, sounds, seed, self._clock()
            )

        self._transact(work)

    def _consented(self, rater_id: str, digest: str, statement: str) -> None:
        self._store_of_consents.record_consent(
            visitor=rater_id, audio_sha256=digest, statement=statement, source="arena"
        )

    def _begun(self, making: Making) -> State:
        return {
            "state": "preparing",
            "visitor": self._signer.sign("visitor", {"r": making.rater_id}, seconds=VISITOR_DAYS * DAY),
            # good for longer than the pair is, so that a vote whose answer was lost can be asked for again
            "battle": self._signer.sign(
                "battle", {"t": making.trial_id}, seconds=DAY + 60 * self._settings.arena_minutes
            ),
            "text": making.item.text,
        }

    def _forget_old(self) -> None:
        limit = self._clock() - timedelta(minutes=self._settings.arena_minutes)
        for key in [key for key, one in self._making.items() if one.since < limit]:
            self._making.pop(key, None)

    def _draw(self, names: Sequence[str]) -> str:
        with self._lock:
            return str(self._rng.choice(list(names)))

    # ---------------------------------------------------------------------------- checks

    def _count(self, rater_id: str, address: str) -> None:
        for limiter, key in ((self._visitors, rater_id), (self._addresses, address)):
            seconds = limiter.wait(key)
            if seconds > 0:
                minutes = max(1, round(seconds / 60))
                raise UserError(
                    f"{limiter.times} pairs were asked for from here within an hour, which is the limit; the next can "
                    f"be made in {minutes} minute{'s' if minutes > 1 else ''}.",
                    status=429,
                    code="too_many_pairs",
                )

    def _read_token(self, purpose: Purpose, token: str) -> dict[str, Any]:
        try:
            return self._signer.read(purpose, token)
        except TokenError as error:
            if error.expired:
                raise expired() from None
            raise StudyError(purpose, "This pair is not one of yours; ask for a new one.", 403, "forged") from None

    def _known(self, visitor: str) -> str | None:
        """The rater of a token; none where it is missing, old or not ours: a new one is begun then."""
        try:
            return self._signer.read("visitor", visitor)["r"]
        except TokenError:
            return None

    def _rater(self, visitor: str) -> str:
        rater_id = self._known(visitor)
        if rater_id is None:
            raise StudyError("visitor", "This visit has ended; ask for a new pair.", 401, "unknown_visitor")
        return rater_id

    def _own(self, pair: Pair | None, rater_id: str) -> Pair:
        if pair is None:
            raise StudyError("battle", "This pair is gone; ask for a new one.", 410, "gone")
        if pair.rater_id != rater_id:
            raise StudyError("battle", "This pair is not one of yours; ask for a new one.", 403, "forged")
        return pair

    def _seconds_left(self, pair: Pair) -> float:
        assert pair.trial.served_at is not None
        return 60 * self._settings.arena_minutes - (self._clock() - pair.trial.served_at).total_seconds()

    def _revealed(self, session: Session, pair: Pair, rater_id: str) -> State:
        told = ballots.revealed(session, self._versions, pair)
        return {"state": "answered", **told, "own_votes": records.counted_votes(session, rater_id)}

    def _transact(self, work: Callable[[Session], Result]) -> Result:
        # two requests at once may both find nothing; the unique keys stop one, whose second run finds the other's rows
        try:
            return self._database.transact(work)
        except IntegrityError:
            return self._database.transact(work)


def expired() -> StudyError:
    """The sentence for a pair that waited for too long."""
    return StudyError("battle", "This pair was open for too long; ask for a new one.", 410, "expired")


def with_models(arena: Arena, settings: Settings) -> Settings:
    """Settings under which the arena's own models may be loaded."""
    changes: dict[str, list[Path]] = {}
    for tasks, setting in (
        ((SPEAK,), "extra_models"),
        ((GO_ON,), "extra_continuations"),
        ((CONTINUE_MUSIC, DESCRIBE), "extra_music"),
    ):
        known = [*getattr(settings, setting), Path(settings.default_model)]
        own = [Path(system.model) for system in arena.systems if system.task in tasks and Path(system.model).exists()]
        changes[setting] = [*getattr(settings, setting), *dict.fromkeys(path for path in own if path not in known)]
    return settings.model_copy(update=changes)

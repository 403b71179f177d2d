"""Raters who answer as fast as the server takes it: many of them in one thread, over plain HTTP/1.1 connections.

Each keeps its connection, sends a vote until it is acknowledged, with the same key at every attempt, and comes back
as another person when a session is finished.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RETRY_SECONDS = 0.3
ANSWER_SECONDS = 60.0


@dataclass
class Ledger:
    """What the raters know at the end.

    Attributes:
        acknowledged: each key that the server said it took, with the answer that was sent.
        sent: each key that was ever sent.
        seconds: from sending a vote to its acknowledgement, one for each vote, retries included.
        retries: attempts after the first one.
        ready: raters who have come to their first trial.
        last: moment of the newest acknowledgement, by `time.perf_counter`.
        errors: answers that no rater should see.
    """

    acknowledged: dict[str, float] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)
    retries: int = 0
    ready: int = 0
    last: float = 0.0
    errors: list[str] = field(default_factory=list)


class Unreachable(Exception):
    """No answer came."""


class Line:
    """One connection to the server, opened again when it breaks."""

    def __init__(self, host: str, port: int):
        self._address = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer.

        Raises:
            Unreachable: the connection broke, or there is none.
        """
        raw = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._address[0]}\r\nContent-Length: {len(raw)}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\r\n"
        )
        kept = self._streams is not None
        try:
            return await self._exchange(head.encode() + raw)
        except Unreachable:
            if not kept:
                raise
        return await self._exchange(
            head.encode() + raw
        )  # the server ends connections that idle; browsers ask again too

    async def _exchange(self, request: bytes) -> tuple[int, Any]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(*self._address)
                reader, writer = self._streams
                writer.write(request)
                await writer.drain()
                return await self._answer(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            await self.close()
            raise Unreachable(str(error)) from error

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, Any]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        content = await reader.readexactly(int(headers["content-length"]))
        return int(lines[0].split()[1]), json.loads(content)

    async def close(self) -> None:
        """Leave the connection."""
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(OSError):
                await self._streams[1].wait_closed()
            self._streams = None


class Voter:
    """One rater after the other at one connection.

    Args:
        number: names the raters, and seeds their answers.
        patient: a server that is away or busy is asked again; otherwise that is an error.
        think_seconds: pause before each vote.
        gate: opened when the first raters may vote.
    """

    def __init__(
        self,
        host: str,
        port: int,
        slug: str,
        number: int,
        ledger: Ledger,
        *,
        patient: bool = False,
        think_seconds: float = 0.0,
        gate: asyncio.Event | None = None,
    ):
        self._gate = gate
        self._line = Line(host, port)
        self._slug, self._number, self._ledger = slug, number, ledger
        self._patient, self._think = patient, think_seconds
        self._rng = np.random.default_rng(number)
        self._votes = 0

    async def work(self, stop: asyncio.Event) -> None:
        """Take part until `stop`; a vote that is on its way is brought to its end."""
        person = 0
        try:
            while not stop.is_set():
                person += 1
                await self._session(f"voter-{self._number}-{person}", stop)
        except (Unreachable, KeyError, AssertionError) as error:
            self._ledger.errors.append(f"voter {self._number}: {type(error).__name__} {error}")
        finally:
            await self._line.close()

    async def _session(self, person: str, stop: asyncio.Event) -> None:
        join = {"language": "en", "panel": {"PROLIFIC_PID": person}}
        joined = await self._ask("POST", f"/api/v1/studies/{self._slug}/join", "", join)
        token, state = joined["participant"], joined["state"]
        answers = {"consent": {"agree": True}, "setup": {"device": "headphones", "room": "quiet", "volume": True}}
        while state["step"] in answers and not stop.is_set():
            body = {"step": state["step"], "answers": answers[state["step"]]}
            state = await self._ask("POST", "/api/v1/session/answer", token, body)
        if person.endswith("-1"):
            self._ledger.ready += 1
            if self._gate:
                await self._gate.wait()
        while state["step"] == "trial" and not stop.is_set():
            if self._think:
                await asyncio.sleep(self._think * self._rng.uniform(0.5, 1.5))
            state = await self._vote(token, state["trial"])
        if state["step"] not in ("trial", "done", *answers):
            raise AssertionError(f"the session went to the step {state['step']}")

    async def _vote(self, token: str, trial: dict[str, Any]) -> dict[str, Any]:
        self._votes += 1
        key, score = f"{self._number}-{self._votes}-{self._rng.integers(1 << 60):x}", float(self._rng.integers(1, 6))
        body = {
            "trial": trial["token"],
            "key": key,
            "answer": {one["name"]: score for one in trial["attributes"]},
            "listened": {str(slot): 0.6 for slot in range(len(trial["slots"]))},
            "events": [{"kind": "play", "ms": 5, "slot": 0}, {"kind": "pause", "ms": 605, "slot": 0}],
        }
        self._ledger.sent.add(key)
        began = time.perf_counter()
        answer = await self._ask("POST", "/api/v1/session/vote", token, body)
        assert answer["accepted"] is True
        self._ledger.last = time.perf_counter()
        self._ledger.seconds.append(self._ledger.last - began)
        self._ledger.acknowledged[key] = score
        return answer["state"]

    async def _ask(self, method: str, path: str, token: str, body: Any) -> Any:
        while True:
            try:
                status, answer = await self._line.ask(method, path, token, body)
                if status == 200:
                    return answer
                told = f"{path} was answered with {status}: {answer.get('error', {}).get('message')}"
                if status not in (500, 503) or not self._patient:
                    raise AssertionError(told)
                if status == 500:
                    self._ledger.errors.append(told)
            except Unreachable:
                if not self._patient:
                    raise
            self._ledger.retries += 1
            await asyncio.sleep(RETRY_SECONDS)


async def crowd(
    host: str,
    port: int,
    slug: str,
    size: int,
    stop: asyncio.Event,
    *,
    patient: bool = False,
    think_seconds: float = 0.0,
    ledger: Ledger | None = None,
    gate: asyncio.Event | None = None,
) -> Ledger:
    """Let `size` raters work until `stop` is set; `ledger` can be watched meanwhile."""
    ledger = Ledger() if ledger is None else ledger
    options = {"patient": patient, "think_seconds": think_seconds, "gate": gate}
    voters = [Voter(host, port, slug, number, ledger, **options) for number in range(size)]
    await asyncio.gather(*(voter.work(stop) for voter in voters))
    return ledger

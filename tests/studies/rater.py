"""A participant without a page: the REST interface, as a program would use it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from tests.studies.making import Clock


class Rater:
    """One session; keeps every response, for tests that search them."""

    def __init__(self, client: httpx.Client, slug: str, clock: Clock, panel: dict[str, str] | None = None):
        self.client, self.clock = client, clock
        self.responses: list[httpx.Response] = []
        joined = self.send("POST", f"/api/v1/studies/{slug}/join", {"language": "en", "panel": panel or {}})
        self.token: str = joined.json()["participant"]
        self.state: dict[str, Any] = joined.json()["state"]

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if hasattr(self, "token") else {}
        response = self.client.request(method, path, json=body, headers=headers)
        self.responses.append(response)
        return response

    def answer(self, step: str, answers: dict[str, Any]) -> dict[str, Any]:
        response = self.send("POST", "/api/v1/session/answer", {"step": step, "answers": answers})
        assert response.status_code == 200, response.text
        self.state = response.json()
        return self.state

    def begin(self) -> dict[str, Any]:
        """Up to the first trial."""
        self.answer("consent", {"agree": True})
        return self.answer("setup", {"device": "headphones", "room": "quiet", "volume": True})

    @property
    def trial(self) -> dict[str, Any]:
        return self.state["trial"]

    def ballot(self, **changes: Any) -> dict[str, Any]:
        """A vote that is in order, for the trial at hand."""
        trial = self.trial
        slots = [str(number) for number in range(len(trial["slots"]))]
        answer: dict[str, Any] = {one["name"]: 4 for one in trial["attributes"]}
        if trial["kind"] == "pairwise":
            answer = {one["name"]: "a" for one in trial["attributes"]}
        elif trial["kind"] == "mushra":
            answer = {slot: 50 + 7 * int(slot) for slot in slots}
        heard = slots + (["reference"] if trial["reference"] else [])
        return {
            "trial": trial["token"], "key": uuid4().hex, "answer": answer, "listened": dict.fromkeys(heard, 1.0),
            "events": [{"kind": "play", "ms": 12, "slot": 0}],
        } | changes  # fmt: skip

    def vote(self, **changes: Any) -> httpx.Response:
        """Listen for a while by the server's clock and vote; the state follows when it is taken."""
        self.clock.skip(20)
        response = self.send("POST", "/api/v1/session/vote", self.ballot(**changes))
        if response.status_code == 200:
            self.state = response.json()["state"]
        return response

    def finish(self) -> str:
        """Everything to the completion code."""
        while self.state["step"] in ("training", "trial"):
            for slot in self.trial["slots"]:
                assert self.send("GET", f"/media/{slot['media']}").status_code == 200
            assert self.vote().status_code == 200
        if self.state["step"] == "questionnaire":
            self.answer("questionnaire", {"musician": "no"})
        return self.state["done"]["code"]

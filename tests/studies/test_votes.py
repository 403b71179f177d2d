"""The server owns the trial: every vote is checked, counted once, and belongs to whom it was served."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.db.study_models import (
    ComparisonRow,
    Event,
    Flag,
    MushraScoreRow,
    OpinionScoreRow,
    RaterSession,
    Study,
    StudyVersion,
    Trial,
    Vote,
)
from app.studies.states import TRIAL_SECONDS
from tests.studies.conftest import Hall
from tests.studies.making import SYSTEMS, put_study, study
from tests.studies.rater import Rater

KINDS = ["mos", "pairwise", "mushra"]


def rater(hall: Hall, client: httpx.Client, kind: str = "mos", panel: dict | None = None, **changes: Any) -> Rater:
    with hall.database.read() as session:
        there = session.scalars(select(Study)).first()
    if there is None:
        put_study(hall.database, hall.media, study(kind, **changes))
    one = Rater(client, f"{kind}-test", hall.clock, panel)
    if one.state["step"] == "consent":
        one.begin()
    return one


def count(hall: Hall, table: Any) -> int:
    with hall.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def refused(response: httpx.Response, status: int, field: str | None) -> str:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["param"] == field, error
    assert error["message"].endswith(".") and "Traceback" not in error["message"]
    return error["code"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_session_leaves_every_row_once(hall: Hall, client: httpx.Client, kind: str) -> None:
    one = rater(hall, client, kind)
    code = one.finish()
    assert hall.service.is_completion_code(f"{kind}-test", f" {code.lower().replace('-', ' ')} ")
    assert not hall.service.is_completion_code(f"{kind}-test", "AAAAA-BBBBB")
    assert count(hall, Vote) == 5
    rows = {"mos": (OpinionScoreRow, 5), "pairwise": (ComparisonRow, 5), "mushra": (MushraScoreRow, 25)}
    assert count(hall, rows[kind][0]) == rows[kind][1]
    with hall.database.read() as session:
        heard = [event.data_json for event in session.scalars(select(Event).where(Event.kind == "listened"))]
        assert len(heard) == 5 and all(heard)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("mos", {"overall": 0}), ("mos", {"overall": 6}), ("mos", {"overall": 3.5}), ("mos", {"overall": "4"}),
        ("mos", {"overall": True}), ("mos", {"overall": None}), ("mos", {}), ("mos", {"overall": 10**400}),
        ("mos", {"overall": [4]}), ("pairwise", {"overall": "c"}), ("pairwise", {"overall": 1}),
        ("pairwise", {"overall": ["a"]}), ("mushra", {str(n): 50 for n in range(4)}),
        ("mushra", {str(n): 101 for n in range(5)}), ("mushra", {str(n): -0.001 for n in range(5)}),
        ("mushra", {str(n): "50" for n in range(5)}), ("mushra", {str(n): None for n in range(5)}),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_refused_and_stores_nothing(
    hall: Hall, client: httpx.Client, kind: str, answer: dict
) -> None:
    one = rater(hall, client, kind)
    code = refused(
        one.vote(answer=answer), 422, f"answer.{next(iter(answer), 'overall')}" if len(answer) != 4 else "answer.4"
    )
    assert code == "invalid_input"
    assert count(hall, Vote) == count(hall, Event) == 0
    assert one.vote().status_code == 200  # the trial is still open


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_know_are_refused(hall: Hall, client: httpx.Client, word: str) -> None:
    one = rater(hall, client)
    body = json.dumps(one.ballot()).replace('"overall": 4', f'"overall": {word}')
    headers = {"Authorization": f"Bearer {one.token}", "Content-Type": "application/json"}
    response = client.post("/api/v1/session/vote", content=body, headers=headers)
    assert refused(response, 400, None) == "invalid_json"


def test_unknown_questions_and_fields_are_refused(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client)
    refused(one.vote(answer={"overall": 4, "<script>": 1}), 422, "answer")
    refused(one.vote(system="zebra"), 400, "system")
    refused(one.vote(key="short"), 400, "key")
    refused(one.vote(key="a/../b" * 3), 400, "key")
    refused(one.vote(events=[{"kind": "format disk", "ms": 1}]), 422, "events.0")
    refused(one.vote(events=[{"kind": "play", "ms": -1}]), 422, "events.0.ms")
    refused(one.vote(events=[{"kind": "play", "ms": 1}] * 401), 422, "events")
    headers = {"Authorization": f"Bearer {one.token}"}
    large = client.post("/api/v1/session/vote", content=b"{" + b" " * 300_000 + b"}", headers=headers)
    assert refused(large, 413, None) == "too_large"
    assert count(hall, Vote) == 0


def test_listening_is_asked_for_and_cannot_exceed_the_clock(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client)
    assert refused(one.vote(listened={"0": 0.1}), 422, "listened.0") == "listen_more"
    refused(one.vote(listened={}), 422, "listened")
    refused(one.vote(listened={"0": "1"}), 422, "listened.0")
    refused(one.vote(listened={"0": 1.0, "1": 1.0}), 422, "listened")
    hours = one.vote(listened={"0": 9_000.0})  # twenty seconds have passed for each try
    assert refused(hours, 422, "listened") == "implausible_listening"
    assert one.vote(listened={"0": 60.0}).status_code == 200


def test_forged_expired_and_foreign_tokens(hall: Hall, client: httpx.Client) -> None:
    one, other = rater(hall, client), rater(hall, client)
    token = one.trial["token"]
    payload, _, signature = token.partition(".")
    for forged in ("", "x", token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), f"{payload}x.{signature}", one.token):
        assert refused(one.vote(trial=forged), 403, "trial") == "forged_trial"
    assert refused(one.vote(trial=other.trial["token"]), 403, "trial") == "foreign_trial"
    hall.clock.skip(TRIAL_SECONDS + 1)
    assert refused(one.vote(), 410, "trial") == "expired_trial"
    one.state = one.send("GET", "/api/v1/session").json()
    if one.state["step"] == "setup":  # half a day has passed, so the sound is checked again
        one.answer("setup", {"device": "headphones", "room": "quiet", "volume": True})
    assert one.vote().status_code == 200


def test_a_participant_is_who_the_link_says(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client)
    for token in ("", "nonsense", one.trial["token"], one.token[:-3] + "AAA", "é", "x" * 5000):
        response = client.get("/api/v1/session", headers=[(b"Authorization", f"Bearer {token}".strip().encode())])
        assert refused(response, 401, "participant") == "bad_link"
    hall.clock.skip(31 * 86_400)
    response = one.send("GET", "/api/v1/session")
    assert refused(response, 401, "participant") == "expired"


def test_a_vote_is_counted_once_whatever_is_sent_again(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client)
    ballot = one.ballot()
    hall.clock.skip(20)
    first = one.send("POST", "/api/v1/session/vote", ballot)
    again = one.send("POST", "/api/v1/session/vote", json.loads(json.dumps(ballot, sort_keys=True)))
    assert first.status_code == again.status_code == 200
    assert first.json()["feedback"] and first.json()["feedback"] == again.json()["feedback"]
    slots = [r.json()["state"]["trial"]["slots"] for r in (first, again)]
    assert slots[0] == slots[1]
    assert refused(one.send("POST", "/api/v1/session/vote", {**ballot, "answer": {"overall": 1}}), 409, "key")
    assert (
        refused(one.send("POST", "/api/v1/session/vote", {**ballot, "key": "another-key-1"}), 409, "trial")
        == "answered"
    )
    other = rater(hall, client)
    assert refused(other.vote(key=ballot["key"]), 409, "key") == "key_taken"
    assert count(hall, Vote) == count(hall, OpinionScoreRow) == 1


def test_twenty_clicks_at_once_are_one_vote(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client, "mushra")
    hall.clock.skip(20)
    same, others = one.ballot(), [one.ballot() for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda body: one.send("POST", "/api/v1/session/vote", body), [same] * 10 + others))
    accepted = [response.status_code for response in answers]
    assert set(accepted) == {200, 409}
    assert accepted[:10] in ([200] * 10, [409] * 10)  # one key: all retries hear the same
    assert sum(status == 200 for status in accepted[10:]) == (0 if accepted[0] == 200 else 1)
    assert count(hall, Vote) == 1 and count(hall, MushraScoreRow) == 5


def test_two_tabs_show_the_same_trial_and_the_second_vote_is_told(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client)
    tab = one.send("GET", "/api/v1/session").json()
    assert [slot["media"] for slot in tab["trial"]["slots"]] == [slot["media"] for slot in one.trial["slots"]]
    late = one.ballot(trial=tab["trial"]["token"])
    assert one.vote().status_code == 200
    assert refused(one.send("POST", "/api/v1/session/vote", late), 409, "trial") == "answered"


def test_traps_and_gold_raise_flags_and_exclude_nobody(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client)
    while one.state["step"] in ("training", "trial"):
        one.vote(answer={"overall": 1})
    with hall.database.read() as session:
        flags = {flag.kind: flag.detail_json for flag in session.scalars(select(Flag))}
        assert set(flags) >= {"trap_failed", "gold_failed"}
        assert flags["gold_failed"] == {"answer": {"overall": 1}, "expected": {"scores": {SYSTEMS[0]: [4.0, 5.0]}}}
        assert session.scalars(select(RaterSession)).one().state == "active"


def test_opinions_that_hardly_differ_raise_a_flag(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client, items_per_session=4, questionnaire=[])
    while one.state["step"] in ("training", "trial"):
        one.vote(answer={"overall": 4})
    assert one.state["step"] == "done"
    with hall.database.read() as session:
        assert [flag.kind for flag in session.scalars(select(Flag))] == ["low_variance"]


def test_a_session_ends_after_its_minutes_but_a_pause_does_not_count(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client, session_minutes=1.0, items_per_session=4)
    hall.clock.skip(1000)  # a pause, counted as three minutes at most
    assert one.vote().status_code == 200
    assert one.state["step"] == "questionnaire"
    with hall.database.read() as session:
        assert [flag.kind for flag in session.scalars(select(Flag))] == ["time_limit"]
        open_trials = session.scalar(select(func.count(Trial.id)).where(Trial.answered_at.is_(None)))
        assert open_trials == 6


def test_after_half_an_hour_the_sound_is_set_up_again(hall: Hall, client: httpx.Client) -> None:
    one = rater(hall, client)
    assert one.vote().status_code == 200
    hall.clock.skip(31 * 60)
    state = one.send("GET", "/api/v1/session").json()
    assert state["step"] == "setup" and state["setup"]["again"]
    one.answer("setup", {"device": "earphones", "room": "quiet", "volume": True})
    assert one.state["step"] == "trial"


def test_a_panel_member_comes_back_to_the_same_session(hall: Hall, client: httpx.Client) -> None:
    ids = {"PROLIFIC_PID": "5f0c", "STUDY_ID": "s", "SESSION_ID": "t"}
    one = rater(hall, client, panel=ids)
    again = Rater(client, "mos-test", hall.clock, ids)
    assert again.state["trial"]["slots"] == one.state["trial"]["slots"]
    one.finish()
    assert Rater(client, "mos-test", hall.clock, ids).state["step"] == "done"
    for bad in ({"PROLIFIC_PID": ""}, {"PROLIFIC_PID": "x" * 201}, {"PROLIFIC_PID": "a\nb"}, {"workerId": 3}):
        response = client.post("/api/v1/studies/mos-test/join", json={"panel": bad})
        refused(response, 422, f"panel.{next(iter(bad))}")
    refused(client.post("/api/v1/studies/mos-test/join", json={"panel": {"__proto__": "x"}}), 400, "panel")


def test_a_study_that_is_paused_closed_or_full_says_so_and_takes_no_new_raters(
    hall: Hall, client: httpx.Client
) -> None:
    one = rater(hall, client)
    for state, code in (("paused", "paused"), ("closed", "closed")):
        with hall.database.write() as session:
            session.scalars(select(Study)).one().state = state
        assert one.send("GET", "/api/v1/session").json()["closed"]["reason"] == code
        assert refused(client.post("/api/v1/studies/mos-test/join", json={}), 409, "study") == code
        assert client.get("/api/v1/studies").json()["data"] == []
    assert one.vote().status_code == 200  # what was being answered is not lost
    refused(client.post("/api/v1/studies/none/join", json={}), 404, "study")
    with hall.database.write() as session:
        session.scalars(select(Study)).one().state = "open"
    codes = set()
    for _ in range(60):
        late = Rater(client, "mos-test", hall.clock)
        late.answer("consent", {"agree": True})
        codes.add(late.state["step"])
        if late.state["step"] == "closed":
            assert late.state["closed"]["reason"] == "full"
            break
        late.answer("setup", {"device": "headphones", "room": "quiet", "volume": True})
        late.finish()
    assert codes == {"setup", "closed"}


def test_a_study_that_is_edited_while_it_runs_keeps_its_sessions_on_their_version(
    hall: Hall, client: httpx.Client
) -> None:
    one = rater(hall, client)
    question = one.trial["question"]
    with hall.database.write() as session:
        old = session.scalars(select(StudyVersion)).one()
        changed = old.yaml.replace("How good does it sound?", "How clear is it?")
        session.add(StudyVersion(study_id=old.study_id, number=2, yaml=changed, digest="1" * 64))
    assert one.vote().status_code == 200
    assert one.trial["question"] == question != "How clear is it?"


def test_steps_are_answered_in_their_order(hall: Hall, client: httpx.Client) -> None:
    put_study(hall.database, hall.media, study("mos", headphone_check="woods"))
    one = Rater(client, "mos-test", hall.clock)

    def send(step: Any, answers: Any) -> httpx.Response:
        return one.send("POST", "/api/v1/session/answer", {"step": step, "answers": answers})

    refused(send("setup", {"device": "headphones", "room": "quiet", "volume": True}), 409, "step")
    refused(send("trials", {}), 400, "step")
    refused(send(["consent"], {}), 400, "step")
    refused(send("consent", {"agree": "yes"}), 422, "answers.agree")
    assert send("consent", {"agree": True}).json()["step"] == "setup"
    assert send("consent", {"agree": True}).json()["step"] == "setup"  # a reload in the middle
    refused(send("setup", {"device": "ears", "room": "quiet", "volume": True}), 422, "answers.device")
    refused(send("setup", {"device": "headphones", "room": "quiet"}), 422, "answers.volume")
    assert send("setup", {"device": "headphones", "room": "quiet", "volume": True}).json()["step"] == "headphones"
    refused(send("headphones", {"choices": [0, 1, 2]}), 422, "answers.choices")
    refused(send("headphones", {"choices": [0, 1, 2, 3, 0, 1]}), 422, "answers.choices")
    again = send("headphones", {"choices": [0] * 6}).json()
    assert (again["step"], again["headphones"]["attempt"]) == ("headphones", 2)
    assert send("headphones", {"choices": [0] * 6}).json()["step"] == "training"
    with hall.database.read() as session:
        assert [flag.kind for flag in session.scalars(select(Flag))] == ["headphones_failed"]

"""From a text to a vote over REST, with a real queue and a real model."""

import threading
from collections.abc import Callable
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import select

from app.arena import records
from app.arena.service import ArenaService
from app.arena.systems import Arena, read_arena
from app.db.study_models import (
    ComparisonRow,
    Event,
    Prompt,
    Rater,
    RaterSession,
    Stimulus,
    Study,
    System,
    Trial,
    TrialStimulus,
    Vote,
)
from app.errors import UserError
from app.studies.manage import duplicate_study, set_state
from tests.arena.conftest import LINE, SYSTEMS, Ring, Visitor, values


def stored(ring: Ring, table: type) -> list:
    with ring.database.read() as session:
        found = list(session.scalars(select(table)))
        session.expunge_all()  # they are looked at after the session
        return found


def test_a_vote_is_a_comparison_of_the_arenas_study(ring: Ring, visitor: Visitor) -> None:
    pair = visitor.pair(prompt="boats", voice="slt")
    assert pair["text"] == LINE and [slot["label"] for slot in pair["slots"]] == ["A", "B"]
    told = visitor.vote(pair, outcome="b")
    assert told.status_code == 200, told.text
    names = [system["name"] for system in told.json()["systems"]]
    assert told.json()["outcome"] == "b" and told.json()["own_votes"] == 1
    assert len(set(names)) == 2 and set(names) <= set(SYSTEMS)
    with ring.database.read() as session:
        row = session.scalars(select(ComparisonRow)).one()
        heard = [session.get_one(Stimulus, key) for key in (row.stimulus_a_id, row.stimulus_b_id)]
        assert [session.get_one(System, one.system_id).name for one in heard] == names
        assert (row.outcome, row.attribute) == ("b", "overall")
        assert all(one.lufs == pytest.approx(-23, abs=0.2) and one.sample_rate == 24_000 for one in heard)
        trial = session.scalars(select(Trial)).one()
        assert (trial.phase, trial.listening_seconds) == ("main", 2.0)
        assert trial.answered_at and trial.served_at and trial.answered_at > trial.served_at
        assert session.scalars(select(Rater)).one().panel == "arena"
        assert session.scalars(select(Study)).one().slug == "arena"
        assert session.scalars(select(Prompt.name)).one() == "boats.slt"


def test_the_settings_are_told_with_the_names(ring: Ring, visitor: Visitor) -> None:
    told = visitor.vote(visitor.pair()).json()["systems"]
    for system in told:
        own = ring.arena.system(system["name"])
        assert system["title"] == (own.title or own.name)
        assert system["settings"]["model"] == ring.model.name
        assert system["settings"].get("temperature") == own.temperature


@pytest.mark.parametrize(("outcome", "kept"), [("a", "a"), ("tie", "tie"), ("both_bad", "tie")])
def test_both_bad_is_a_tie_with_an_event(ring: Ring, visitor: Visitor, outcome: str, kept: str) -> None:
    told = visitor.vote(visitor.pair(), outcome=outcome).json()
    assert told["outcome"] == outcome
    (row,) = stored(ring, ComparisonRow)
    assert row.outcome == kept
    assert [event.kind for event in stored(ring, Event)].count("both_bad") == (outcome == "both_bad")


def test_the_same_key_counts_once_and_no_vote_follows_the_names(ring: Ring, visitor: Visitor) -> None:
    pair = visitor.pair()
    visitor.ring.clock.skip(10)
    ballot = visitor.ballot(pair, outcome="tie")
    answers = [visitor.send("POST", "/api/v1/arena/vote", ballot) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json() == answers[2].json()
    # the names are shown: nothing changes the vote, neither another key nor another outcome under the same one
    other = visitor.send("POST", "/api/v1/arena/vote", {**ballot, "key": uuid4().hex, "outcome": "a"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "answered")
    worse = visitor.send("POST", "/api/v1/arena/vote", {**ballot, "outcome": "both_bad"})
    assert (worse.status_code, worse.json()["error"]["code"]) == (409, "key_taken")
    assert [row.outcome for row in stored(ring, ComparisonRow)] == ["tie"]
    assert len(stored(ring, Vote)) == 1
    assert visitor.state(pair["battle"]).json()["state"] == "answered"
    for slot in pair["slots"]:
        assert visitor.send("GET", f"/media/{slot['media']}").status_code == 404


def test_votes_at_the_same_moment_count_once(ring: Ring, visitor: Visitor) -> None:
    pair = visitor.pair()
    ring.clock.skip(10)
    ballots = [visitor.ballot(pair, outcome=outcome) for outcome in ("a", "b", "tie", "both_bad") * 3]
    codes: list[int] = []

    def vote(ballot: dict) -> None:
        codes.append(visitor.send("POST", "/api/v1/arena/vote", ballot).status_code)

    threads = [threading.Thread(target=vote, args=(ballot,)) for ballot in ballots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] + [409] * 11
    assert len(stored(ring, ComparisonRow)) == len(stored(ring, Vote)) == 1


def test_too_little_or_impossible_listening_is_refused(ring: Ring, visitor: Visitor) -> None:
    pair = visitor.pair()
    ring.clock.skip(10)
    short = visitor.send("POST", "/api/v1/arena/vote", visitor.ballot(pair, listened={"0": 1.0, "1": 0.1}))
    assert (short.status_code, short.json()["error"]["code"]) == (422, "listen_more")
    assert "listen to B" in short.json()["error"]["message"]
    long = visitor.send("POST", "/api/v1/arena/vote", visitor.ballot(pair, listened={"0": 900.0, "1": 900.0}))
    assert (long.status_code, long.json()["error"]["code"]) == (422, "implausible_listening")
    one = visitor.send("POST", "/api/v1/arena/vote", visitor.ballot(pair, listened={"0": 1.0}))
    assert one.status_code == 422
    assert not stored(ring, Vote) and visitor.vote(pair).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "c"}, {"outcome": None}, {"outcome": ["a"]}, {"key": "short"}, {"key": 7}, {"battle": 7},
        {"listened": "all"}, {"events": [{"kind": "win", "ms": 1}]}, {"winner": "a"},
    ],
)  # fmt: skip
def test_a_vote_that_is_none_is_one_sentence(ring: Ring, visitor: Visitor, change: dict) -> None:
    answer = visitor.vote(visitor.pair(), **change)
    assert answer.status_code in (400, 422)
    message = answer.json()["error"]["message"]
    assert message.endswith(".") and "Traceback" not in message and not stored(ring, Vote)


def test_forged_and_foreign_tokens_open_nothing(ring: Ring, visitor: Visitor, visitors: Callable[[], Visitor]) -> None:
    pair = visitor.pair()
    other = visitors()
    mine = other.pair(prompt="rain", voice="slt")
    foreign = other.vote({**mine, "battle": pair["battle"]})
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "forged")
    assert other.state(pair["battle"]).status_code == 403
    head, _, tail = pair["battle"].partition(".")
    for token in (f"{head}.{tail[:-2]}AA", head, visitor.token, "x", "%00"):
        assert visitor.state(token).status_code in (403, 404)
        assert visitor.vote({**pair, "battle": token}).status_code == 403
    nobody = visitors()
    assert nobody.vote(pair).status_code == 401
    assert not stored(ring, Vote)


def test_an_abandoned_pair_expires(ring: Ring, visitor: Visitor) -> None:
    pair = visitor.pair()
    ring.clock.skip(60 * ring.settings.arena_minutes)
    assert visitor.state(pair["battle"]).json()["state"] == "expired"
    late = visitor.vote(pair)
    assert (late.status_code, late.json()["error"]["code"]) == (410, "expired")
    ring.clock.skip(2 * 86_400)
    assert visitor.state(pair["battle"]).status_code == 410
    assert not stored(ring, Vote)
    assert visitor.vote(visitor.pair()).status_code == 200, "the visitor goes on"


def test_a_vote_whose_answer_was_lost_is_answered_after_the_pair_expired(ring: Ring, visitor: Visitor) -> None:
    pair = visitor.pair()
    ring.clock.skip(10)
    ballot = visitor.ballot(pair)
    first = visitor.send("POST", "/api/v1/arena/vote", ballot)
    ring.clock.skip(3 * 60 * ring.settings.arena_minutes)
    assert visitor.send("POST", "/api/v1/arena/vote", ballot).json() == first.json()


def test_recordings_of_a_line_are_made_once(ring: Ring, visitor: Visitor) -> None:
    for _ in range(6):
        assert visitor.vote(visitor.pair(prompt="boats", voice="slt")).status_code == 200
    assert len(stored(ring, Stimulus)) <= len(SYSTEMS)
    assert len(stored(ring, Prompt)) == 1 and len(stored(ring, Trial)) == 6
    trials = sorted(stored(ring, Trial), key=lambda trial: trial.position)
    assert [trial.position for trial in trials] == list(range(6)), "all in one session"
    assert len(stored(ring, RaterSession)) == 1
    # the same text, typed, is the same item
    visitor.pair(text=f"  {LINE}  ", voice="slt")
    assert len(stored(ring, Prompt)) == 1


def test_a_lost_file_is_made_again(ring: Ring, visitor: Visitor) -> None:
    visitor.vote(visitor.pair())
    for path in ring.settings.media_dir.rglob("*.wav"):
        path.unlink()
    for _ in range(3):
        pair = visitor.pair()
        for slot in pair["slots"]:
            assert visitor.send("GET", f"/media/{slot['media']}").status_code == 200
        visitor.vote(pair)


@pytest.mark.parametrize(
    ("wish", "status", "words"),
    [
        ({"text": "   "}, 400, "no text"), ({"text": "x" * 81}, 400, "81 characters and the limit is 80"),
        ({"text": "Привет"}, 400, "Latin"), ({"text": "..."}, 400, "nothing to speak"), ({}, 400, "either"),
        ({"text": "Hello.", "prompt": "boats"}, 400, "either"), ({"prompt": "nowhere"}, 404, "no prompt"),
        ({"text": "Hello.", "voice": "../secret"}, 400, "no voice"), ({"text": 7}, 400, "must be text"),
        ({"text": "Hello.", "system": "zebra"}, 400, "no field"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_fulfilled_is_one_sentence(
    ring: Ring, visitor: Visitor, wish: dict, status: int, words: str
) -> None:
    answer = visitor.send("POST", "/api/v1/arena/battles", wish)
    assert answer.status_code == status and words in answer.json()["error"]["message"]


def test_a_second_press_gets_the_pair_that_is_being_made(ring: Ring, visitor: Visitor) -> None:
    first = visitor.begin(prompt="boats", voice="slt")
    answers = [visitor.send("POST", "/api/v1/arena/battles", {"prompt": "boats", "voice": "slt"})]
    if visitor.state(first["battle"]).json()["state"] == "preparing":
        assert visitor.state(answers[0].json()["battle"]).json()["state"] in ("preparing", "ready")
    visitor.made(first["battle"])
    trials = {row.trial_id for row in stored(ring, TrialStimulus)}
    assert 1 <= len(trials) <= 2


def test_too_many_pairs_in_an_hour_are_refused(ring: Ring, visitor: Visitor, visitors: Callable[[], Visitor]) -> None:
    ring.service._visitors.times = 2
    for _ in range(2):
        visitor.pair()
    refused = visitor.send("POST", "/api/v1/arena/battles", {"prompt": "boats"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_pairs")
    assert "2 pairs were asked for from here within an hour" in refused.json()["error"]["message"]
    ring.service._addresses.times = 3
    assert visitors().pair()["state"] == "ready"
    assert visitors().send("POST", "/api/v1/arena/battles", {"prompt": "boats"}).status_code == 429


def test_the_administration_pauses_the_arena(ring: Ring, visitor: Visitor) -> None:
    pair = visitor.pair()
    set_state(ring.database, "arena", "paused", actor="test")
    refused = visitor.send("POST", "/api/v1/arena/battles", {"prompt": "boats"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_open")
    assert visitor.send("GET", "/api/v1/arena").json()["state"] == "paused"
    assert visitor.vote(pair).status_code == 200, "a pair that was heard still counts"


def test_nobody_joins_or_copies_the_arena_as_a_study(ring: Ring, visitor: Visitor) -> None:
    assert visitor.send("GET", "/api/v1/studies").json()["data"] == []
    assert visitor.send("POST", "/api/v1/studies/arena/join", {}).status_code == 404
    with pytest.raises(UserError, match="cannot be copied"):
        duplicate_study(ring.database, "arena", "other", actor="test")


def test_another_file_is_another_version_and_votes_go_on(ring: Ring, visitor: Visitor) -> None:
    old = visitor.pair()
    more = values(str(ring.model))
    more["systems"].append({"name": "okapi-new", "model": str(ring.model), "temperature": 1.5})
    path = ring.settings.arena_file
    import yaml

    path.write_text(yaml.safe_dump(more), encoding="utf-8")
    restarted(ring, read_arena(path))
    assert visitor.vote(old).status_code == 200, "the pair of before the restart"
    assert visitor.vote(visitor.pair()).status_code == 200
    sessions = sorted(stored(ring, RaterSession), key=lambda row: row.started_at)
    assert [row.state for row in sessions] == ["finished", "active"]
    more["systems"][0] = {**more["systems"][0], "temperature": 1.9}
    with pytest.raises(UserError, match="'zebra-cold' of the arena stood for other settings"):
        ArenaService(Arena.model_validate(more), ring.database, ring.service._recordings._runs, ring.settings)


def test_a_model_that_fails_is_told_without_its_name(ring: Ring, visitor: Visitor) -> None:
    broken = [one.model_copy(update={"voices": {"rms": "nobody"}}) for one in ring.arena.systems]
    ring.service.arena = ring.arena.model_copy(update={"systems": broken})
    told = visitor.made(visitor.begin(prompt="boats", voice="rms")["battle"])
    assert told["state"] == "failed" and told["error"]["code"] == "cannot_speak"
    assert not [name for name in (*SYSTEMS, "nobody", "okapi") if name in str(told)]
    assert not stored(ring, Trial)
    assert visitor.pair(prompt="boats", voice="slt")["state"] == "ready"


def test_counts_are_of_the_arena_alone(ring: Ring, visitor: Visitor) -> None:
    visitor.vote(visitor.pair())
    visitor.pair()
    told = visitor.send("GET", "/api/v1/arena").json()
    assert (told["votes"], told["own_votes"]) == (1, 1)
    with ring.database.read() as session:
        assert records.counted_votes(session) == 1


def restarted(ring: Ring, arena: Arena) -> None:
    """The service anew over another arena, as after a restart with another file."""
    runs = ring.service._recordings._runs
    ring.service.__init__(arena, ring.database, runs, ring.settings, np.random.default_rng(2), ring.clock)


def test_a_broken_system_keeps_nobody_from_hearing_the_others(ring: Ring, visitor: Visitor) -> None:
    more = values(str(ring.model))
    more["systems"].insert(0, {"name": "okapi-broken", "model": "calm-tts-nowhere"})
    restarted(ring, Arena.model_validate(more))
    for number in range(5):
        pair = visitor.pair(text=f"Sentence {number}.", voice="slt")
        names = {system["name"] for system in visitor.vote(pair).json()["systems"]}
        assert "okapi-broken" not in names
    assert "okapi-broken" in ring.service._resting

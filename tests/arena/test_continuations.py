"""Pairs that go on from a recording: their own systems, their own question, the same beginning in both."""

import base64
import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import soundfile
from sqlalchemy import select

from app.board.selection import Filters
from app.board.service import Board
from app.db.store import Store
from app.db.study_models import ComparisonRow, Prompt, Stimulus, System
from app.synthesis import Synthesizer
from tests.app.tiny import RATE, voice_like
from tests.app.visit import wav
from tests.arena.conftest import SYSTEMS, Ring, Visitor, opened, values
from tests.arena.guest import OPEN, Guest
from tests.axe import faults_of_access
from tests.studies.conftest import STATIC
from tests.studies.participant import LOOKS

GOERS = ("ibex-latents", "lynx-codes", "lynx-few")
TASK = "speech_continuation"
HEAD = 71_040 - 120  # the prompt in whole frames, less its last 5 ms, which fade into the new sound
QUESTION = "Which goes on better?"


def content(model: Path, goers: list[Path], **changes: Any) -> dict[str, Any]:
    told = values(str(model))
    told["systems"] += [
        {"name": GOERS[0], "model": str(goers[0]), "task": TASK, "text_temperature": 0.5},
        {"name": GOERS[1], "model": str(goers[1]), "task": TASK, "temperature": 1.2},
        {"name": GOERS[2], "model": str(goers[1]), "task": TASK, "top_k": 3, "title": "Few codes"},
    ]
    own = {"question": QUESTION, "seconds": 2, "prompts": ["slt", "rms"], "minimum_seconds": 1.5, **changes}
    return told | {"continuation": own}


class Opened(Protocol):
    """Opens the arena with changes to what it says of continuations, and brings a visitor."""

    def __call__(self, **changes: Any) -> tuple[Ring, Visitor]: ...


@pytest.fixture
def open_ring(tmp_path: Path, model: Path, goers: list[Path], engine: Synthesizer) -> Iterator[Opened]:
    with ExitStack() as stack:

        def come(**changes: Any) -> tuple[Ring, Visitor]:
            ring = stack.enter_context(opened("", tmp_path, model, engine, content(model, goers, **changes)))
            visitor = Visitor(ring)
            stack.callback(visitor.client.close)
            return ring, visitor

        yield come


def heard(visitor: Visitor, pair: dict) -> list[np.ndarray]:
    sounds = [visitor.send("GET", f"/media/{slot['media']}") for slot in pair["slots"]]
    return [soundfile.read(io.BytesIO(sound.content), dtype="int16")[0] for sound in sounds]


def test_a_vote_on_continuations_is_its_own_question(open_ring: Opened) -> None:
    ring, visitor = open_ring()
    told = visitor.send("GET", "/api/v1/arena").json()
    assert told["tasks"] == ["tts", TASK] and told["systems"] == len(SYSTEMS)
    assert told["continuation"]["systems"] == 3 and not told["continuation"]["uploads"]
    assert [prompt["name"] for prompt in told["continuation"]["prompts"]] == ["slt", "rms"]
    pair = visitor.pair(task=TASK, prompt="rms")
    assert (pair["question"], pair["task"], pair["minimum_seconds"]) == (QUESTION, TASK, 1.5)
    assert pair["text"] == "The first 3 seconds of a recording: American man"
    first, second = heard(visitor, pair)
    assert len(first) == len(second) == 71_040 + 2 * RATE
    assert np.abs(first[:HEAD].astype(int) - second[:HEAD]).max() <= 2, "both begin alike, dither apart"
    assert not np.array_equal(first[HEAD:], second[HEAD:])
    short = visitor.vote(pair, listened={"0": 1.2, "1": 1.2})
    assert (short.status_code, short.json()["error"]["code"]) == (422, "listen_more")
    answer = visitor.vote(pair, outcome="b", listened={"0": 1.6, "1": 1.6}).json()
    assert answer["outcome"] == "b" and {one["name"] for one in answer["systems"]} <= set(GOERS)
    settings = {one["name"]: one["settings"] for one in answer["systems"]}
    assert settings.get(GOERS[2], {"top_k": 3})["top_k"] == 3
    assert visitor.vote(visitor.pair(prompt="boats", voice="slt")).status_code == 200
    with ring.database.read() as session:
        assert sorted(session.scalars(select(ComparisonRow.attribute))) == ["meaningfulness", "overall"]
        assert "after.rms" in set(session.scalars(select(Prompt.name)))
    board = Board(ring.database)
    questions = board.view(Filters()).content["questions"]
    assert [one["id"] for one in questions] == ["pairs:arena/overall", "pairs:meaningfulness"]
    board.close()


def test_pairs_never_mix_tasks_and_tell_nothing(open_ring: Opened) -> None:
    ring, visitor = open_ring()
    for number in range(4):
        told = visitor.vote(visitor.pair(task=TASK), listened={"0": 2.0, "1": 2.0})
        assert {one["name"] for one in told.json()["systems"]} <= set(GOERS), number
        told = visitor.vote(visitor.pair(text="Hello.", voice="slt"))
        assert {one["name"] for one in told.json()["systems"]} <= set(SYSTEMS)
    visitor.responses = []
    visitor.send("GET", "/api/v1/arena")
    pair = visitor.pair(task=TASK, prompt="slt")
    for slot in pair["slots"]:
        visitor.send("GET", f"/media/{slot['media']}")
    scripts = [visitor.send("GET", f"/ui/arena/{path.name}") for path in (STATIC / "arena").iterdir()]
    assert all(script.status_code == 200 for script in scripts)
    with ring.database.read() as session:
        secrets = [*session.scalars(select(Stimulus.digest)), *session.scalars(select(System.id))]
    secrets += [*GOERS, "ibex", "lynx", "Few codes", "latents"]
    for response in visitor.responses:
        assert not [secret for secret in secrets if secret.encode() in response.content], response.url


def test_an_own_beginning_is_taken_where_the_arena_allows_it(open_ring: Opened) -> None:
    ring, visitor = open_ring(uploads=True)
    sound = base64.b64encode(wav(voice_like(3))).decode()

    def ask(**wish: Any) -> Any:
        return visitor.send("POST", "/api/v1/arena/battles", {"task": TASK, "audio": sound, **wish})

    assert ask().json()["error"]["code"] == "consent_needed"
    begun = ask(consent=True).json()
    visitor.token = begun["visitor"]
    pair = visitor.made(begun["battle"])
    assert pair["state"] == "ready" and pair["text"].endswith("your own"), pair
    assert visitor.vote(pair, listened={"0": 2.0, "1": 2.0}).status_code == 200
    assert len(Store(ring.database).consents()) == 1
    assert not list((ring.settings.data_dir / "prompts").iterdir()), "only the two sounds are kept"
    noise = np.random.default_rng(0).normal(0, 0.05, 3 * RATE).astype(np.float32)
    begun = ask(audio=base64.b64encode(wav(noise)).decode(), consent=True).json()
    failed = visitor.made(begun["battle"])
    assert failed["state"] == "failed" and "No speech was found" in failed["error"]["message"]
    assert not ring.service._resting, "no system is at fault"


@pytest.mark.parametrize(
    ("wish", "status", "words"),
    [
        ({"prompt": "nobody"}, 404, "no prompt"),
        ({"text": "Hello."}, 400, "no field"),
        ({"audio": "AAAA", "consent": True}, 403, "takes no recordings"),
        ({"prompt": "slt", "audio": "AAAA"}, 400, "either"),
        ({"task": "music"}, 400, "task"),
    ],
)
def test_a_wish_that_cannot_be_fulfilled_is_one_sentence(
    open_ring: Opened, wish: dict, status: int, words: str
) -> None:
    _, visitor = open_ring()
    answer = visitor.send("POST", "/api/v1/arena/battles", {"task": TASK, **wish})
    assert answer.status_code == status and words in answer.json()["error"]["message"]


@pytest.mark.browser
@pytest.mark.timeout(120)
def test_a_visitor_hears_two_go_on_from_their_own_beginning(browser, open_ring: Opened) -> None:
    ring, _ = open_ring(uploads=True)
    context = browser.new_context(**LOOKS["phone"])
    one = Guest(context, ring)
    one.open()
    one.page.click(".task[data-task=speech_continuation]")
    one.page.wait_for_selector("#beginning")
    assert faults_of_access(one.page) == []
    sound = {"name": "me.wav", "mimeType": "audio/wav", "buffer": wav(voice_like(5, 44_100), 44_100)}
    one.page.set_input_files("#beginning", sound)
    one.page.wait_for_selector(".chip[aria-pressed=true]", state="detached")
    one.page.click(".ask .go")
    assert "right to use" in one.page.inner_text(".ask .status")
    one.page.check(".own input[type=checkbox]")
    one.page.click(".ask .go")
    one.ready()
    assert one.heading == QUESTION and "your own" in one.page.inner_text("blockquote")
    assert not one.page.evaluate(OPEN)
    one.hear_both()
    one.vote("a")
    assert set(one.names()) <= set(GOERS)
    assert faults_of_access(one.page) == []
    assert one.page.evaluate("document.documentElement.scrollWidth") <= LOOKS["phone"]["viewport"]["width"]
    one.page.click(".next")
    one.page.wait_for_selector("#beginning")
    context.close()
    assert not one.faults

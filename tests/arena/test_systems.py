"""The arena's file: two lines for a system, and one line for every fault."""

from pathlib import Path

import pytest
import yaml
from fastapi import Request

from app.arena.limits import Limiter
from app.arena.systems import Arena, kept_in, parse_arena, read_arena, renamed_settings
from app.arena_api import sender
from app.errors import UserError
from app.settings import ASSETS
from app.studies.faults import StudyFileError
from app.studies.schema import parse_study
from tests.arena.conftest import SYSTEMS, values, written


def test_the_bundled_arena_is_in_order_and_is_a_study() -> None:
    arena = read_arena(ASSETS / "arena.yaml")
    assert len(arena.names("tts")) >= 3 and arena.models()[0] == "calm-tts-en"
    study = parse_study(arena.study_text())
    assert (study.slug, study.kind, study.ties) == ("arena", "pairwise", True)
    assert study.rated() == arena.names()
    voices = yaml.safe_load((ASSETS / "voices" / "voices.yaml").read_text(encoding="utf-8"))
    assert arena.continuation is not None and arena.continuation.prompts is not None
    assert {*arena.voices, *arena.continuation.prompts} <= set(voices)


def test_an_optional_system_is_left_out_while_its_model_is_not_there(tmp_path: Path) -> None:
    content = values("calm-tts-en")
    goers = [{"name": name, "model": name, "task": "speech_continuation", "optional": True} for name in ("one", "two")]
    content |= {"systems": [*content["systems"], *goers], "continuation": {}}
    path = written(tmp_path, content)
    assert read_arena(path).names() == list(SYSTEMS)
    (tmp_path / "one").mkdir()
    assert read_arena(path).names() == list(SYSTEMS), "alone it would meet nobody"
    (tmp_path / "two").mkdir()
    arena = read_arena(path)
    assert arena.names("speech_continuation") == ["one", "two"] and arena.tasks() == ["tts", "speech_continuation"]
    judged = parse_study(arena.study_text()).judged()
    assert [one.name for one in judged] == ["overall", "meaningfulness"]
    content["systems"] = goers
    with pytest.raises(StudyFileError, match="fewer than two"):
        (tmp_path / "two").rmdir()
        read_arena(written(tmp_path, content))


def test_a_system_takes_two_lines() -> None:
    arena = parse_arena(
        """
systems:
  - name: one
    model: calm-tts-en
  - name: two
    model: pocket-tts-en
prompts: [{name: hello, text: Hello there.}]
""",
        "arena.yaml",
    )
    assert arena.names() == ["one", "two"]
    assert arena.system("two").settings() == {"model": "pocket-tts-en"}


def test_a_model_may_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    arena = read_arena(written(tmp_path, values("mine")))
    assert arena.models() == [str((tmp_path / "mine").resolve())]
    assert arena.systems[0].settings() == {"model": "mine", "temperature": 0.2}


def test_the_study_keeps_the_settings_of_its_systems() -> None:
    arena = Arena.model_validate(values("m"))
    assert kept_in(arena.study_text()) == arena
    assert kept_in("slug: my-study\n") is None
    warmer = values("m")
    warmer["systems"][0] = {**warmer["systems"][0], "temperature": 0.3}
    assert renamed_settings(arena, Arena.model_validate(warmer)) == SYSTEMS[0]
    titled = values("m")
    titled["systems"][0] = {**titled["systems"][0], "title": "Another title"}
    assert renamed_settings(arena, Arena.model_validate(titled)) is None


def changed(**changes: object) -> str:
    return yaml.safe_dump(values("m", **changes), sort_keys=False)


PAIR = [{"name": "a", "model": "m"}, {"name": "b", "model": "n"}]
GOER = {"name": "g", "model": "m", "task": "speech_continuation"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed(systems=[{"name": "alone", "model": "m"}]), "systems"),
        (changed(systems=[{"name": "a", "model": "m"}, {"name": "A", "model": "n"}]), "'A' is taken"),
        (changed(systems=[{"name": "a", "model": "m"}, {"name": "b", "model": "m"}]), "'b' is the same as 'a'"),
        (changed(systems=[{"name": "tie", "model": "m"}, {"name": "b", "model": "n"}]), "'tie' is taken"),
        (changed(systems=[{"name": "a", "model": "m", "temprature": 1}, {"name": "b", "model": "n"}]), "temprature"),
        (
            changed(systems=[{"name": "a", "model": "m", "temperature": 9.0}, {"name": "b", "model": "n"}]),
            "temperature",
        ),
        (changed(systems=[{"name": "a", "model": "m", "steps": "4"}, {"name": "b", "model": "n"}]), "steps"),
        (changed(systems=[GOER, {**GOER, "name": "h"}]), "add the key 'continuation'"),
        (changed(systems=[*PAIR, GOER], continuation={}), "'g' is the only system of the task speech_continuation"),
        (changed(systems=[{**PAIR[0], "top_k": 4}, PAIR[1]]), "'top_k' is no setting of the task tts"),
        (changed(systems=[{**GOER, "cfg": 2.0}, {**GOER, "name": "h"}], continuation={}), "'cfg' is no setting"),
        (changed(prompts=[]), "prompts"),
        (changed(voices={}), "voices"),
        ("systems: [", "not YAML"),
        ("- a list", "mapping"),
    ],
)
def test_a_fault_is_one_line_that_names_its_place(text: str, words: str) -> None:
    with pytest.raises(StudyFileError) as raised:
        parse_arena(text, "arena.yaml")
    assert words in raised.value.message and raised.value.message.startswith("arena.yaml")
    assert "\n" not in raised.value.message


def test_a_missing_file_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CALM_ARENA=0"):
        read_arena(tmp_path / "nowhere.yaml")


def test_a_limit_counts_in_a_window_that_moves() -> None:
    now = [0.0]
    limiter = Limiter(2, 60, lambda: now[0])
    assert [limiter.wait("one"), limiter.wait("one"), limiter.wait("other")] == [0, 0, 0]
    now[0] = 20
    assert limiter.wait("one") == 40
    now[0] = 60.5
    assert limiter.wait("one") == 0, "what was refused is not counted"
    assert limiter.wait("one") == 0
    assert limiter.wait("one") == pytest.approx(60)


def asked_from(client: str, forwarded: str = "") -> str:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return sender(Request({"type": "http", "headers": headers, "client": (client, 1234)}))


def test_an_address_that_the_sender_makes_up_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert asked_from("198.51.100.7", "203.0.113.9") == "198.51.100.7"
    monkeypatch.setenv("SPACE_ID", "someone/calm")
    assert asked_from("10.0.0.1", "1.2.3.4, 203.0.113.9") == "203.0.113.9", "the proxy's own entry is the last"
    assert asked_from("10.0.0.1") == "10.0.0.1"

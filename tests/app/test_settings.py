"""Settings from the environment, and the checks of a request."""

import stat
from pathlib import Path

import pytest

from app.errors import UserError
from app.settings import load_settings
from app.speech import MAX_SEED, SpeechRequest, VoiceRef, check_request


def test_the_environment_sets_and_the_command_line_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CALM_PORT", "7000")
    monkeypatch.setenv("CALM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CALM_MAX_TEXT_CHARS", "12")
    assert load_settings().port == 7000
    assert load_settings(port=7001, host=None).port == 7001
    assert load_settings().max_text_chars == 12
    assert load_settings().resolved_database_url() == f"sqlite:///{tmp_path}/calm.sqlite3"
    monkeypatch.setenv("CALM_DATABASE_URL", "postgresql+psycopg://somewhere/calm")
    assert load_settings().resolved_database_url() == "postgresql+psycopg://somewhere/calm"


def test_a_space_listens_on_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    assert load_settings().host == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "someone/calm")
    assert load_settings().host == "0.0.0.0"
    assert load_settings().port == 7860
    assert load_settings(host="127.0.0.1").host == "127.0.0.1"


@pytest.mark.parametrize(("name", "value"), [("CALM_PORT", "many"), ("CALM_CONCURRENCY", "0")])
def test_a_wrong_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=name) as raised:
        load_settings()
    assert "\n" not in raised.value.message


def test_the_secret_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "new")
    key = settings.resolved_secret_key()
    assert len(key) >= 32
    assert settings.resolved_secret_key() == key
    assert stat.S_IMODE((tmp_path / "new" / "secret.key").stat().st_mode) == 0o600


def request(**change) -> SpeechRequest:
    values = {"model": "m", "text": "Hello.", "voice": VoiceRef("slt"), "max_text_chars": 100, **change}
    return check_request(**values)


def test_a_seed_is_drawn_when_none_is_given() -> None:
    seeds = {request().seed for _ in range(5)}
    assert len(seeds) == 5
    assert all(0 <= seed <= MAX_SEED for seed in seeds)
    assert request(seed=3).seed == 3


def test_the_key_changes_with_everything_that_changes_the_sound() -> None:
    base = request(seed=1)
    assert base.key("w") == request(seed=1, text=" Hello. ").key("w")
    others = [
        request(seed=2), request(seed=1, text="Hello!"), request(seed=1, temperature=0.5), request(seed=1, steps=2),
        request(seed=1, cfg=2), request(seed=1, speed=1.1), request(seed=1, voice=VoiceRef("rms")),
        request(seed=1, voice=VoiceRef("slt", Path("a.wav"), "hash")), request(seed=1, model="n"),
    ]  # fmt: skip
    keys = {other.key("w") for other in others} | {base.key("w"), base.key("other weights")}
    assert len(keys) == len(others) + 2


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"text": ""}, "input"), ({"text": "x" * 101}, "input"), ({"text": "🙂 !"}, "input"),
        ({"text": "Привет"}, "input"),
        ({"seed": 0.5}, "seed"), ({"seed": float("nan")}, "seed"), ({"seed": MAX_SEED + 1}, "seed"),
        ({"temperature": float("inf")}, "temperature"), ({"steps": 2.5}, "steps"), ({"cfg": 6}, "cfg"),
        ({"speed": 0.1}, "speed"), ({"model": ""}, "model"),
    ],
)  # fmt: skip
def test_values_outside_their_limits_are_named(change: dict, param: str) -> None:
    with pytest.raises(UserError) as raised:
        request(**change)
    assert raised.value.param == param


@pytest.mark.parametrize("text", ["Hello 🙂", "Привет, Anna", "12", "naïve café", "a\x07b"])
def test_a_text_with_something_to_speak_passes(text: str) -> None:
    assert request(text=text).text == text

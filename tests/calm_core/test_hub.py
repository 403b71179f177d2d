from pathlib import Path
from typing import ClassVar

import huggingface_hub
import pytest
from huggingface_hub import errors as hub_errors

from calm_core import hub
from calm_core.errors import InputError

GATED = "hf://kyutai/pocket-tts/languages/english/model.safetensors@abc"
OPEN = "hf://kyutai/pocket-tts-without-voice-cloning/languages/english/model.safetensors@def"


class Response:
    headers: ClassVar[dict[str, str]] = {}
    status_code = 403
    request = None


def test_addresses_are_taken_apart() -> None:
    assert hub.HubPath.parse(GATED) == hub.HubPath("kyutai/pocket-tts", "languages/english/model.safetensors", "abc")
    assert hub.HubPath.parse("hf://a/b/c.yaml").revision is None
    for bad in ("hf://a/b", "hf://a//c", "hf://"):
        with pytest.raises(InputError, match="not a Hub path"):
            hub.HubPath.parse(bad)


def test_offline_never_asks_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALM_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: pytest.fail("asked the Hub"))
    with pytest.raises(hub.Unreachable, match="CALM_OFFLINE"):
        hub.fetch(GATED)


def online(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Path | Exception]) -> None:
    """Pretend to be online; the Hub answers by repository."""
    monkeypatch.setattr(hub, "offline", lambda: False)

    def download(repo: str, path: str, revision: str | None = None, **_: object) -> str:
        answer = answers[repo]
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)


def test_the_weights_with_cloning_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    online(monkeypatch, {"kyutai/pocket-tts": tmp_path / "gated"})
    fetched = hub.fetch_weights(GATED, OPEN)
    assert fetched.cloning and fetched.path.name == "gated" and "with voice cloning" in fetched.notice


def test_without_access_the_open_weights_are_used_and_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refusal = hub_errors.GatedRepoError("403", response=Response())  # type: ignore[arg-type]
    online(monkeypatch, {"kyutai/pocket-tts": refusal, "kyutai/pocket-tts-without-voice-cloning": tmp_path / "open"})
    fetched = hub.fetch_weights(GATED, OPEN)
    assert not fetched.cloning and fetched.path.name == "open"
    assert "without voice cloning" in fetched.notice and "https://huggingface.co/kyutai/pocket-tts" in fetched.notice
    assert "hf auth login" in fetched.notice


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (hub_errors.LocalEntryNotFoundError("no network"), "cannot be reached"),
        (hub_errors.GatedRepoError("403", response=Response()), "accept its terms"),  # type: ignore[arg-type]
        (hub_errors.RemoteEntryNotFoundError("404", response=Response()), "has no"),  # type: ignore[arg-type]
        (OSError(28, "No space left on device"), "disk is full"),
        (ConnectionError("reset"), "check the network"),
    ],
)
def test_every_fault_of_the_hub_is_one_sentence(monkeypatch: pytest.MonkeyPatch, fault: Exception, words: str) -> None:
    online(monkeypatch, {"kyutai/pocket-tts": fault})
    with pytest.raises(InputError, match=words) as error:
        hub.fetch(GATED)
    assert "\n" not in str(error.value)


def test_progress_is_told_in_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hub, "offline", lambda: False)
    told: list[tuple[str, int, int | None]] = []

    def download(*_: object, tqdm_class: type, **__: object) -> str:
        with tqdm_class(total=10, unit="B", name="x") as bar:
            bar.update(4)
            bar.update(6)
        return str(tmp_path / "file")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    hub.fetch(GATED, lambda *args: told.append(args))
    assert told == [("kyutai/pocket-tts/languages/english/model.safetensors", n, 10) for n in (4, 10)]


def test_local_paths(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x")
    assert hub.fetch("a.yaml", base=tmp_path) == tmp_path / "a.yaml"
    with pytest.raises(InputError, match="no file"):
        hub.fetch("b.yaml", base=tmp_path)
    with pytest.raises(InputError, match="hf://"):
        hub.fetch("https://example.org/a.yaml")

import json
import threading
import wave
from pathlib import Path

import pytest
import tokenizers

from evaluation.benchmarks import speed
from evaluation.benchmarks._pocket_model import CHARACTERS, write_tokenizer
from evaluation.benchmarks._speed_worker import run
from evaluation.errors import InputError


class Speaker:
    weights_mb = 1.0

    def __init__(self) -> None:
        self.together = threading.Barrier(3, timeout=10)

    def speak(self, seed: int) -> dict[str, float]:
        self.together.wait()  # only reached by all when the callers really run at once
        return {"audio": 2.0, "first": 0.1 * seed, "took": 0.5}


def test_callers_run_at_once_and_their_audio_adds_up() -> None:
    result = run(Speaker(), 3, seed=1)
    assert result["audio"] == 6.0 and result["first"] == pytest.approx(0.2) and result["took"] < 10


def test_the_tokenizer_reads_every_character(tmp_path: Path) -> None:
    write_tokenizer(tmp_path / "tokenizer.json", 200)
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 200
    ids = tokenizer.encode(CHARACTERS).ids
    assert len(ids) == len(CHARACTERS) + 1 and 0 not in ids
    assert tokenizer.decode(tokenizer.encode("We went.").ids) == "We went."


def test_the_recording_is_a_voice_prompt(tmp_path: Path) -> None:
    speed.write_recording(tmp_path / "voice.wav", seconds=1.0)
    with wave.open(str(tmp_path / "voice.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (24_000, 1, 24_000)


@pytest.mark.parametrize("arguments", [["--config", "klingon"], ["--rounds", "0"]])
def test_what_cannot_be_measured_is_one_sentence(arguments: list[str]) -> None:
    with pytest.raises(InputError) as error:
        speed.main(arguments)
    assert "\n" not in str(error.value)


def test_the_result_is_one_json_object_with_the_promised_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Worker:
        def __init__(self, kind: str, *_: object):
            self.factor = 2.0 if kind == "peer" else 4.0
            self.memory = {"weights_mb": 10.0, "resident_mb": 20.0}

        def run(self, streams: int, seed: int) -> dict[str, float]:
            return {"audio": self.factor * streams, "first": 1 / self.factor, "took": 1.0}

        def close(self) -> None:
            pass

    monkeypatch.setattr(speed, "Worker", Worker)
    monkeypatch.setattr(speed, "write_model", lambda *_, **__: None)
    assert speed.main(["--peer", "pocket-tts", "--rounds", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ratio_one_stream"] == 2.0 and result["ratio_eight_streams"] == 16.0
    assert result["ratio_first_audio"] == 2.0 and result["real_time_factor"] == 4.0 and result["weights_mb"] == 10.0

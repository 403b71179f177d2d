"""The real command line on a tiny model: results, exit statuses, one line on stderr for every bad input."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
import yaml
from safetensors.torch import save_file

from calm_core.audio import read_audio
from calm_core.cli import main
from tests.calm_core import tiny

TEXT = "Hello there, how are you? It costs $5. [pause 250ms] Good night."
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    built = tiny.build(folder)
    tensors = {k: v for k, v in built.state_dict().items() if not k.startswith("head.weight.")}
    tensors["backbone.out_eos.bias"] = torch.tensor([-1e4])  # every piece has its longest length
    save_file(tensors, folder / "model.safetensors")
    text = {**tiny.tts()["text"], "max_tokens": 40, "tokens_per_second": 20.0, "seconds_padding": 0.2}
    (folder / "config.yaml").write_text(yaml.safe_dump(tiny.tts(text=text)))
    return str(folder)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("voice") / "speaker.wav"
    sf.write(path, tiny.recording().numpy(), 24_000)
    return str(path)


def calm(*arguments: str, stdin: bytes = b"", stdout: int | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "calm_core", *arguments]
    return subprocess.run(
        command,
        input=stdin,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        check=False,
    )


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3"])
def test_speaks_into_a_file(
    model: str, recording: str, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"speech.{ending}"
    assert main(["tts", TEXT, "--voice", recording, "--out", str(out), "--model", model, "--seed", "5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seed"] == 5 and told["file"] == str(out) and told["voice"] == "speaker"
    assert read_audio(out).seconds == pytest.approx(told["seconds"], abs=0.1)
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_stdin_to_a_stream_is_what_the_file_holds(model: str, recording: str, tmp_path: Path) -> None:
    common = ["--voice", recording, "--model", model, "--seed", "5"]
    streamed = calm("tts", "-", "--out", "-", *common, stdin=TEXT.encode())
    assert streamed.returncode == 0 and b"Traceback" not in streamed.stderr
    assert streamed.stdout[:4] == b"RIFF" and b"Synthetic speech" in streamed.stdout[:400]
    assert main(["tts", TEXT, "--out", str(tmp_path / "a.wav"), *common]) == 0
    stream, file = read_audio(streamed.stdout).samples, read_audio(tmp_path / "a.wav").samples
    # One step of 16 bits: the voice is computed here with as many threads as the tests left, there with the default.
    torch.testing.assert_close(stream, file, atol=1.5 / 32768, rtol=0)


def test_codec_and_exported_voice(
    model: str, recording: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["codec", recording, "--out", str(tmp_path / "c.wav"), "--model", model]) == 0
    assert read_audio(tmp_path / "c.wav", allow_silence=True).seconds == pytest.approx(1.0, abs=0.01)
    voice = str(tmp_path / "v.safetensors")
    assert main(["export-voice", recording, "--out", voice, "--model", model]) == 0
    capsys.readouterr()
    for source in (voice, recording):
        assert (
            main(["tts", "One.", "--voice", source, "--out", str(tmp_path / "a.wav"), "--model", model, "--seed", "1"])
            == 0
        )
        (tmp_path / "a.wav").replace(tmp_path / f"{Path(source).suffix[1:]}.wav")
    assert torch.equal(read_audio(tmp_path / "wav.wav").samples, read_audio(tmp_path / "safetensors.wav").samples)


def test_models_as_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"id", "task", "parameters", "source", "licence"} <= listed[0].keys()
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:5] == ["id", "task", "parameters", "source", "licence"]
    assert [line.split()[0] for line in lines[1:]] == [info["id"] for info in listed]


def sounds(folder: Path) -> dict[str, str]:
    """Sounds that cannot be used, by name."""
    tone = tiny.recording(3.0).numpy()
    nan = tone.copy()
    nan[5] = np.nan
    for name, samples, rate, subtype in (
        ("silent", np.zeros(24_000, np.float32), 24_000, None),
        ("nan", nan, 24_000, "FLOAT"),
        ("short", tone[:2_400], 24_000, None),
        ("slow", tone, 4_000, None),
        ("fast", tone, 384_000, None),
    ):
        sf.write(folder / f"{name}.wav", samples, rate, subtype=subtype)
    buffer = io.BytesIO()
    sf.write(buffer, tone, 24_000, format="WAV")
    (folder / "cut.wav").write_bytes(buffer.getvalue()[:20_000])
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("I am a text.\n" * 50)
    return {path.stem: str(path) for path in folder.glob("*.wav")}


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("calm: ")]
    assert len(lines) == 1 and captured.err.splitlines()[-1] == lines[0], captured.err
    assert words in lines[0] and "Traceback" not in captured.err and captured.out == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("a" * 100_000, "100,000 characters and the limit is"),
        ("😀😀", "no word that can be spoken"),
        ("\x07\x1b", "no word that can be spoken"),
        ("Привет", "Cyrillic"),
        ("[pause 1s]", "no word that can be spoken"),
        ("[pause now] hi", "'[pause now]'"),
    ],
)
def test_bad_text(
    model: str, recording: str, tmp_path: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(["tts", text, "--voice", recording, "--out", str(tmp_path / "a.wav"), "--model", model], capsys, words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("silent", "silent"), ("nan", "not numbers"), ("short", "at least"), ("slow", "4000 samples a second"),
        ("fast", "384000 samples a second"), ("cut", "cut short"), ("empty", "empty"), ("text", "not a sound"),
    ],
)  # fmt: skip
def test_bad_voice(model: str, tmp_path: Path, name: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = sounds(tmp_path)[name]
    before = sorted(tmp_path.iterdir())
    out = str(tmp_path / "v.safetensors")
    refused(["export-voice", source, "--out", out, "--model", model], capsys, words)
    assert sorted(tmp_path.iterdir()) == before
    if name != "short":
        refused(["codec", source, "--out", str(tmp_path / "c.wav"), "--model", model], capsys, words)
        refused(["tts", "Hi.", "--voice", source, "--out", str(tmp_path / "c.wav"), "--model", model], capsys, words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing command"),
        (["sing"], "No such command"),
        (["tts", "Hi"], "--out"),
        (["tts", "Hi", "--out", "OUT", "--seed", "x"], "--seed"),
        (["tts", "Hi", "--out", "OUT", "--seed", "-1"], "seed -1"),
        (["tts", "Hi", "--out", "OUT", "--temperature", "nan"], "temperature"),
        (["tts", "Hi", "--out", "OUT", "--temperature", "9"], "between 0 and 4"),
        (["tts", "Hi", "--out", "OUT", "--steps", "0"], "steps"),
        (["tts", "Hi", "--out", "OUT", "--speed", "2"], "speaking rate"),
        (["tts", "Hi", "--out", "OUT", "--voice", "nobody"], "nobody"),
        (["tts", "Hi", "--out", "OUT", "--voice", "v" * 5_000], ""),
        (["tts", "Hi", "--out", "OUT", "--device", "warp"], "no device 'warp'"),
        (["tts", "Hi", "--out", "a.xyz"], "must end in one of .wav"),
        (["tts", "Hi", "--out", "no/such/folder/a.wav"], "no folder"),
        (["codec", "none.wav", "--out", "OUT"], "none.wav"),
        (["export-voice", "REC", "--out", "v.wav"], ".safetensors"),
        (["synthesize", "none.yaml"], "none.yaml"),
        (["synthesize", "RECIPE"], "'textz'"),
        (["train", "none.yaml"], "none.yaml"),
        (["train", "RECIPE", "nonsense"], "nonsense"),
    ],
)
def test_bad_arguments(
    model: str, recording: str, tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("folder: corpus\ntexts: 8\ntextz: 9\n")
    places = {"OUT": str(tmp_path / "a.wav"), "REC": recording, "RECIPE": str(recipe)}
    arguments = [places.get(argument, argument) for argument in arguments]
    if arguments[:1] == ["tts"] and "--out" in arguments:
        arguments += ["--model", model] + ([] if "--voice" in arguments else ["--voice", recording])
    refused(arguments, capsys, words)
    assert sorted(tmp_path.iterdir()) == [recipe]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("unknown", "no model 'nothing'"),
        ("key", "colour"),
        ("missing", "backbone"),
        ("shape", "shape"),
        ("half", "model.safetensors"),
        ("hub", "CALM_OFFLINE"),
    ],
)
def test_bad_models(
    model: str, recording: str, tmp_path: Path, damage: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in Path(model).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    name = {"unknown": "nothing", "hub": "pocket-tts/english"}.get(damage, str(tmp_path))
    if damage == "key":
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text() + "colour: blue\n")
    elif damage == "half":
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    elif damage in ("missing", "shape"):
        from safetensors.torch import load_file

        tensors = load_file(weights)
        victim = next(key for key in sorted(tensors) if key.startswith("backbone.transformer"))
        if damage == "missing":
            del tensors[victim]
        else:
            tensors[victim] = torch.zeros(3, 7)
        save_file(tensors, weights)
    out = tmp_path / "out.wav"
    refused(["tts", "Hi.", "--voice", recording, "--out", str(out), "--model", name], capsys, words)
    assert not out.exists()


def test_text_that_is_not_utf8(model: str, recording: str) -> None:
    done = calm("tts", "-", "--out", "-", "--voice", recording, "--model", model, stdin=b"caf\xe9 ol\xe9")
    assert done.returncode == 2 and b"not UTF-8" in done.stderr and done.stdout == b""


LONG = "This is one of very many sentences. " * 500


def _hear_interrupts() -> None:
    """A shell's background jobs ignore Ctrl-C, and so would every process that the tests start from one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def speaking(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command line that runs for long; it is killed if the test leaves before it ends."""
    command = [sys.executable, "-m", "calm_core", "tts", LONG, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, preexec_fn=_hear_interrupts
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_leaves_no_file(model: str, recording: str, tmp_path: Path) -> None:
    with speaking("--voice", recording, "--out", str(tmp_path / "long.wav"), "--model", model) as process:
        assert process.stderr is not None
        assert process.stderr.readline().strip()  # the notice about the weights: loaded, about to speak
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130 and b"Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_a_reader_that_leaves_ends_the_run_quietly(model: str, recording: str) -> None:
    with speaking("--voice", recording, "--out", "-", "--model", model) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read(4_000)[:4] == b"RIFF"
        process.stdout.close()
        assert process.wait(timeout=60) == 1
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_a_full_disk_is_one_sentence(model: str, recording: str) -> None:
    with open("/dev/full", "wb") as full:
        done = calm("tts", "Hi.", "--voice", recording, "--out", "-", "--model", model, stdout=full.fileno())
    assert done.returncode == 2 and b"disk is full" in done.stderr and b"Traceback" not in done.stderr

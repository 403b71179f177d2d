"""The tiny recipes, from reading aloud to a student: each runs on what those before it made."""

import json
from pathlib import Path

import pytest
import yaml

import calm_core
from calm_core.cli import main
from calm_core.training.loop import train_recipe
from calm_core.training.synthesize import main_recipe

pytestmark = pytest.mark.long

FOLDER = Path(calm_core.__file__).parent / "configs" / "tiny"
ORDER = ("codec", "codec_rvq", "continuation", "continuation_rq", "tts", "tts_student", "clap")
ALONE = ("codec", "codec_rvq", "clap")  # what is packaged without a codec
MUSIC = ("music", "music_rq")  # see test_music
MUSIC_CODECS = ("codec_music", "codec_music_rvq")  # see test_music_codecs


def test_every_tiny_recipe_is_in_the_chain() -> None:
    everything = ("corpus", "corpus_music", *ORDER, *MUSIC, *MUSIC_CODECS)
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(everything)


@pytest.mark.flite
@pytest.mark.timeout(300)
def test_the_chain_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With a few steps each; every model is packaged and makes a sound. All paths of the recipes are relative."""
    monkeypatch.chdir(tmp_path)
    made = main_recipe(FOLDER / "corpus.yaml", ["texts=16", "processes=1"])
    assert made["speakers"] == 10 and made["hours"] > 0.01
    for name in ORDER:
        recipe = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
        figures = train_recipe(
            FOLDER / f"{name}.yaml", ["schedule.steps=3", "schedule.batch=2", "schedule.bf16=false"], resume=False
        )
        assert figures and all(value == value for value in figures.values())
        weights = "codec" if recipe["kind"] == "codec" else "model"
        assert (tmp_path / recipe["folder"] / f"{weights}.safetensors").stat().st_size > 50_000
    capsys.readouterr()
    for name in ORDER:
        arguments = ["package", str(FOLDER / f"{name}.yaml"), "--out", f"models/{name}", "--title", "Tiny"]
        codec = {"continuation_rq": "codec_rvq"}.get(name, "codec")
        where = [] if name in ALONE else ["--codec", codec]
        assert main([*arguments, "--licence", "MIT", "--weights", "int8", *where]) == 0
        made = json.loads(capsys.readouterr().out)
        assert made["bytes"] == (tmp_path / "models" / name / "model.safetensors").stat().st_size < 10_000_000
        if name in ALONE:
            assert main([*arguments, "--licence", "MIT", "--codec", "codec"]) == 2
            assert "leave --codec out" in capsys.readouterr().err
        else:
            assert main([*arguments, "--licence", "MIT"]) == 2 and "--codec" in capsys.readouterr().err
            assert main([*arguments, "--licence", "MIT", "--codec", "elsewhere"]) == 2
            assert "no packaged codec elsewhere" in capsys.readouterr().err
    prompt = calm_core.read_audio(Path(calm_core.__file__).parents[1] / "assets" / "voices" / "slt.flac")
    for name in ("continuation", "continuation_rq"):
        told = calm_core.load(str(tmp_path / "models" / name), task="speech_continuation").generate(prompt, 1.0, seed=0)
        assert told.samples.isfinite().all() and told.seconds >= prompt.seconds + 0.9
    for name in ("tts", "tts_student"):
        said = calm_core.load(str(tmp_path / "models" / name), task="tts").generate("Hello.", voice=prompt, seed=0)
        assert said.samples.isfinite().all() and said.seconds > 0.2
    clap = calm_core.load(str(tmp_path / "models" / "clap"), task="clap")
    assert (clap.embed_text(["Hello."]) @ clap.embed_audio(prompt).T).abs().item() <= 1.0

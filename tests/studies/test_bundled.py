"""The studies that come with the Space: in order, made by a script that runs, added at the first start."""

import logging
from pathlib import Path

import pytest
import soundfile

from app.db import open_database
from app.first_start import STUDIES, add_bundled_studies
from app.studies.create import check_source, study_folders
from app.studies.manage import list_studies
from app.studies.schema import read_study
from tests.studies.makers import study, text, write_folder

FOLDERS = study_folders(STUDIES)
MUSIC = {"enjoyment": "pairwise", "music-quality": "mos"}
SPOKEN = [folder for folder in FOLDERS if folder.name not in ("meaningfulness", *MUSIC)]
WITH_SOUNDS = study_folders(STUDIES, with_sounds=True)


def test_there_is_one_study_of_each_kind_and_one_of_continuations() -> None:
    assert sorted(read_study(folder).kind for folder in SPOKEN) == ["mos", "mushra", "pairwise"]
    study = read_study(STUDIES / "meaningfulness")
    assert study.kind == "pairwise" and [one.name for one in study.judged()] == ["meaningfulness"]
    systems = ["calm-continuation-v2-0.3", "calm-continuation-v2-0.8", "rq-continuation-0.8", "rq-continuation-1.0"]
    assert study.rated() == ["source", *systems] and len(study.compared()) == 10
    assert set(SPOKEN) <= set(WITH_SOUNDS)


@pytest.mark.parametrize("folder", SPOKEN, ids=lambda folder: folder.name)
def test_a_bundled_study_has_the_systems_that_it_should(folder: Path) -> None:
    names = {system.name for system in read_study(folder).all_systems()}
    assert {"source", "codec", "model-0.3", "model-0.8", "model-1.2", "anchor-3.5k"} <= names
    if read_study(folder).kind != "pairwise":
        assert "anchor-7k" in names


@pytest.mark.parametrize("folder", WITH_SOUNDS, ids=lambda folder: folder.name)
def test_its_sounds_are_compressed_marked_and_usable(folder: Path) -> None:
    _, batch = check_source(folder)
    assert batch.stimuli
    paths = [path for path in (folder / "audio").rglob("*") if path.is_file()]
    assert len(paths) == len(list(read_study(folder).stimuli()))
    for path in paths:
        with soundfile.SoundFile(path) as file:
            assert file.format in ("FLAC", "OGG") and "ynthetic" in file.comment
    assert sum(path.stat().st_size for path in paths) < 6e6


def small(tmp_path: Path, values: dict) -> Path:
    """The folder of a study without sounds, called `small` among the studies of a temporary folder."""
    folder = tmp_path / "studies" / "small"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(text(values))
    return folder


def pair_of(names: list[str], prompt: dict[str, str]) -> dict:
    """A study that compares systems on one prompt, at the loudness that they have."""
    return study(
        "pairwise",
        systems=[{"name": name} for name in names],
        prompts=[prompt],
        files="audio/{system}/{prompt}.ogg",
        items_per_session=1,
        loudness_lufs=None,
    )


@pytest.mark.flite
def test_the_script_renders_a_study_with_a_real_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from app.bundled_studies import main
    from calm_core.tasks import voice_shelf
    from tests.app.tiny import make_codec, make_model, make_voices

    voices = make_voices(tmp_path / "voices")
    monkeypatch.setattr(voice_shelf, "bundled_voices_folder", lambda: voices)
    values = study(
        systems=[{"name": "source", "role": "reference"}, {"name": "codec"}, {"name": "model-0.3"}],
        prompts=[{"name": "slt-01", "text": "Good morning to you."}],
        files="audio/{system}/{prompt}.flac",
        items_per_session=1,
        anchors=["low", "mid"],
    )
    folder = small(tmp_path, values)
    model, codec = make_model(tmp_path / "tiny"), make_codec(tmp_path / "tiny-codec")
    assert main(["--model", str(model), "--codec", str(codec), "--studies", str(tmp_path / "studies")]) == 0
    assert "5 stimuli" in capsys.readouterr().out
    lengths = {path.parent.name: soundfile.info(path) for path in (folder / "audio").rglob("*.flac")}
    assert set(lengths) == {"source", "codec", "model-0.3"} and lengths["codec"].frames == lengths["source"].frames
    assert not list(folder.glob(".audio*"))


@pytest.mark.flite
def test_the_script_renders_continuations_that_begin_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from app import bundled_studies
    from tests.app.tiny import make_continuation

    monkeypatch.setattr(bundled_studies, "CLIP_SECONDS", 4.0)
    words = "Late in the autumn, the gardener set out for the harbour. She wanted to see the sea. The road was long."
    names = ["source", "calm-continuation-v2-0.3", "rq-continuation-1.0"]
    folder = small(tmp_path, pair_of(names, {"name": "slt-01", "text": words}))
    arguments = ["--studies", str(tmp_path / "studies")]
    assert bundled_studies.main([*arguments, "--continuation", "calm-continuation=nowhere"]) == 0
    assert "left out, for there is no model nowhere" in capsys.readouterr().out and not (folder / "audio").exists()
    for family, head in (("calm", "lsd"), ("rq", "rq_transformer")):
        arguments += ["--continuation", f"{family}-continuation={make_continuation(tmp_path / family, head)}"]
    assert bundled_studies.main([*arguments, "--only", "small"]) == 0
    assert "3 stimuli" in capsys.readouterr().out
    sounds = [soundfile.read(folder / "audio" / name / "slt-01.ogg") for name in names]
    assert [(len(samples), rate) for samples, rate in sounds] == [(4 * 24_000, 24_000)] * 3
    (source, _), (latents, _), (codes, _) = sounds
    same = int(2.9 * 24_000)  # Opus looks ahead by some milliseconds
    assert abs(source[:same] - latents[:same]).max() < 0.01 and abs(source[:same] - codes[:same]).max() < 0.01
    assert abs(latents[3 * 24_000 :] - codes[3 * 24_000 :]).max() > 0.01


@pytest.mark.fluidsynth
def test_the_script_renders_music_that_begins_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from app import bundled_studies
    from tests.app.tiny import make_music

    monkeypatch.setitem(bundled_studies.MUSIC_SECONDS, "pairwise", 4.0)
    names = ["source", "codec", "calm-music-1-step", "calm-music-v2-4-steps"]
    folder = small(tmp_path, pair_of(names, {"name": "jazz-1"}))
    arguments = ["--studies", str(tmp_path / "studies")]
    assert bundled_studies.main([*arguments, "--continuation", "calm-music=nowhere"]) == 0
    assert "left out, for there is no model nowhere" in capsys.readouterr().out and not (folder / "audio").exists()
    assert bundled_studies.main([*arguments, "--continuation", f"calm-music={make_music(tmp_path / 'tiny')}"]) == 0
    assert "4 stimuli" in capsys.readouterr().out
    sounds = [soundfile.read(folder / "audio" / name / "jazz-1.ogg") for name in names]
    assert [(len(samples), rate) for samples, rate in sounds] == [(4 * 48_000, 48_000)] * 4  # of Opus
    (source, _), _, (one, _), (four, _) = sounds
    same = int(2.9 * 48_000)
    loud = abs(source[:same]).max()
    assert abs(source[:same] - one[:same]).max() < 0.1 * loud and abs(one[:same] - four[:same]).max() < 0.1 * loud
    assert abs(one[150_000:] - four[150_000:]).max() > 1e-3


def test_the_studies_of_music_ask_what_the_paper_asked() -> None:
    for name, kind in MUSIC.items():
        told = read_study(STUDIES / name)
        assert told.kind == kind and {"source", "calm-music-1-step", "calm-music-4-steps"} <= set(told.rated())


def test_the_first_start_adds_and_opens_them_and_tells_what_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_folder(tmp_path / "studies" / "one", study("pairwise"))
    (tmp_path / "studies" / "broken" / "audio").mkdir(parents=True)
    (tmp_path / "studies" / "broken" / "study.yaml").write_text("slug: 1\n")
    database = open_database(f"sqlite:///{tmp_path / 'calm.sqlite3'}")
    with caplog.at_level(logging.INFO):
        add_bundled_studies(database, tmp_path / "media", tmp_path / "studies").join(60)
    assert [(one.slug, one.state) for one in list_studies(database)] == [("small-pairwise", "open")]
    database.close()
    assert "broken cannot be added: study.yaml:1: " in caplog.text and "small-pairwise is open" in caplog.text

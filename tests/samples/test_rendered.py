"""The sounds of the samples: those of the repository are as described, and the script makes what is not."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.bundled_samples import main, render
from app.errors import UserError
from app.samples import render as rendering
from app.samples.prompts import Passage, cut, make_passages
from app.samples.rendered import read_rendered, stale
from app.samples.schema import FOLDER, Prompts, read_description
from app.samples.shown import read_shown
from app.samples.sound_file import with_serial, write_clip
from app.settings import ASSETS
from tests.app.tiny import make_continuation, voice_like
from tests.samples.makers import described, system, write


@pytest.mark.bundled
def test_the_bundled_samples_are_as_described() -> None:
    assert stale(FOLDER, read_description(FOLDER), ASSETS / "checkpoints") == [], (
        "run python -m app.bundled_samples, which makes what is stale"
    )


def test_the_bundled_sounds_are_small_and_marked() -> None:
    tables = read_rendered(FOLDER).tables
    assert {"speech"} <= set(tables)
    speech = tables["speech"]
    assert len(speech.heard) == 6 and {"calm-0.3", "calm-0.8", "calm-1.0", "rq-0.8", "rq-1.0", "real"} == set(
        speech.columns
    )
    sizes = {path: path.stat().st_size for path in (FOLDER / "audio").rglob("*.ogg")}
    assert sum(size for path, size in sizes.items() if "speech" in path.parts) < 3e6
    for path in sizes:
        with soundfile.SoundFile(path) as file:
            assert "ynthetic" in file.comment
    for column in speech.columns.values():
        assert {clip.seconds for clip in column.clips.values()} == {12.0}


def test_every_table_of_the_authors_is_described() -> None:
    tables = {table.name: table for table in read_description(FOLDER).tables}
    assert list(tables) == ["speech", "music", "ablations"]
    assert [one.steps for one in tables["music"].systems if one.model] == [None, 100, 4, 1, None]
    changes = {one.changes for one in tables["ablations"].systems}
    assert changes >= {"", "context_noise=0 short_noise=0 drift=0", "head_batch_multiplier=1"}
    # trained for as long as each other, so not the one that the app plays
    assert not any(one.bundled for one in tables["ablations"].systems if one.model)


def test_a_file_has_the_same_bytes_each_time_and_the_checksum_of_ogg(tmp_path: Path) -> None:
    samples = voice_like(0.5)
    for name in ("a", "b"):
        assert write_clip(tmp_path / name, samples, 24_000) == (0.5, 24_000)
    first = (tmp_path / "a").read_bytes()
    assert first == (tmp_path / "b").read_bytes()
    assert with_serial(first, 7) != first and with_serial(with_serial(first, 7), 1) == first
    # with the serial number that it was written with, a file is as the encoder made it, checksums included
    made = tmp_path / "made.ogg"
    soundfile.write(made, samples, 24_000, format="OGG", subtype="OPUS")
    written = made.read_bytes()
    assert with_serial(written, int.from_bytes(written[14:18], "little")) == written


def test_a_rate_that_opus_lacks_is_brought_to_48_khz_and_loud_sound_down(tmp_path: Path) -> None:
    assert write_clip(tmp_path / "a.ogg", 20 * voice_like(1.0, 32_000), 32_000) == (1.0, 48_000)
    samples, rate = soundfile.read(tmp_path / "a.ogg")
    assert rate == 48_000 and len(samples) == 48_000 and 0.7 < np.abs(samples).max() <= 1.0


@pytest.fixture
def passages(monkeypatch: pytest.MonkeyPatch) -> list[Prompts]:
    """Prompts without flite; the list counts how often they were made."""
    asked: list[Prompts] = []

    def made(prompts: Prompts) -> list[Passage]:
        asked.append(prompts)
        whole = voice_like(prompts.prompt_seconds + prompts.seconds)
        return [Passage("one", whole[: round(prompts.prompt_seconds * 24_000)], whole, 24_000, "good", "morning")]

    monkeypatch.setattr(rendering, "make_passages", made)
    return asked


def test_a_table_waits_for_as_many_models_as_it_needs(tmp_path: Path, passages: list[Prompts]) -> None:
    models = tmp_path / "models"
    make_continuation(models / "tiny")
    systems = [system("low", temperature=0.3), system("late", model="later"), {"name": "real", "title": "Real"}]
    folder = write(tmp_path / "samples", described(systems=systems, least=2))
    assert render(folder, models).tables == {} and not passages
    assert stale(folder, read_description(folder), models) == []
    make_continuation(models / "later")
    assert stale(folder, read_description(folder), models) == ["small: was never rendered"]
    assert set(render(folder, models).tables["small"].columns) == {"low", "late", "real"}


def test_the_script_makes_what_is_described_and_keeps_what_still_is(tmp_path: Path, passages: list[Prompts]) -> None:
    models = tmp_path / "models"
    make_continuation(models / "tiny")
    folder = write(
        tmp_path / "samples",
        described(
            systems=[system("low", temperature=0.3), system("late", model="later"), {"name": "real", "title": "Real"}]
        ),
    )
    rows = render(folder, models).tables["small"]
    assert set(rows.columns) == {"low", "real"} and len(passages) == 1
    assert stale(folder, read_description(folder), models) == []
    low, real = (soundfile.read(folder / rows.columns[name].clips["one"].file)[0] for name in ("low", "real"))
    assert len(low) == len(real) == round(2.08 * 24_000)
    head = int(1.0 * 24_000)
    assert np.abs(low[:head] - real[:head]).max() < 0.02 and np.abs(low[head:] - real[head:]).max() > 0.02
    shown = read_shown(folder)
    assert [one["name"] for one in shown.tables[0]["systems"]] == ["low", "real"] and len(shown.sounds) == 3

    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.ogg")}
    render(folder, models)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.ogg")} == before and len(passages) == 1
    bytes_before = {path: path.read_bytes() for path in before}
    render(folder, models, anew=True)
    assert {path: path.read_bytes() for path in folder.rglob("*.ogg")} == bytes_before and len(passages) == 2


def test_what_is_stale_is_told_and_made_again(tmp_path: Path, passages: list[Prompts], capsys) -> None:
    models = tmp_path / "models"
    make_continuation(models / "tiny")
    folder = write(tmp_path / "samples", described())
    arguments = ["--samples", str(folder), "--checkpoints", str(models)]
    assert main([*arguments, "--check"]) == 1 and "small: was never rendered" in capsys.readouterr().out
    assert main(arguments) == 0 and "small: 3 clips" in capsys.readouterr().out

    write(folder, described(systems=[system("low", temperature=0.4), {"name": "real", "title": "Real"}]))
    (found,) = stale(folder, read_description(folder), models)
    assert found.startswith("small: low is described otherwise")
    assert read_shown(folder).tables == []  # what is left is no system of ours
    write(folder, described())
    (folder / "audio" / "small" / "real" / "one.ogg").write_bytes(b"other")
    (folder / "audio" / "stray.ogg").write_bytes(b"x")
    found = stale(folder, read_description(folder), models)
    assert len(found) == 2 and "real is described otherwise" in found[0] and "stray.ogg: not recorded" in found[1]
    weights = models / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    assert any("low" in one for one in stale(folder, read_description(folder), models))
    assert main([*arguments, "--only", "small"]) == 0 and main([*arguments, "--check"]) == 0
    capsys.readouterr()
    assert main([*arguments, "--only", "large"]) == 2 and "choose from small" in capsys.readouterr().err


def test_the_sound_of_a_model_that_is_not_bundled_outlives_it(
    tmp_path: Path, passages: list[Prompts], caplog: pytest.LogCaptureFixture
) -> None:
    models = tmp_path / "models"
    make_continuation(models / "tiny")
    rest = [system("bundled"), {"name": "real", "title": "Real"}]
    folder = write(tmp_path / "samples", described(systems=[system("away", model="away", bundled=False), *rest]))
    assert set(render(folder, models).tables["small"].columns) == {"bundled", "real"}
    make_continuation(models / "away")
    made = render(folder, models).tables["small"].columns["away"]
    (models / "away").rename(tmp_path / "elsewhere")
    assert stale(folder, read_description(folder), models) == []
    kept = render(folder, models).tables["small"].columns["away"]
    assert kept == made and all(clip.is_there(folder) for clip in kept.clips.values())

    # Other settings need the model, and so does a file that is lost.
    changed = system("away", model="away", bundled=False, temperature=0.2)
    write(folder, described(systems=[changed, *rest]))
    (found,) = stale(folder, read_description(folder), models)
    assert found.startswith("small: away is described otherwise")
    caplog.set_level("INFO")
    assert "away" not in render(folder, models).tables["small"].columns
    assert "away has to be made anew; name a folder with away" in caplog.text


def test_a_table_without_a_model_has_no_sound(tmp_path: Path, passages: list[Prompts]) -> None:
    folder = write(tmp_path / "samples", described())
    assert render(folder, tmp_path / "nowhere").tables == {} and not passages
    assert stale(folder, read_description(folder), tmp_path / "nowhere") == [] and read_shown(folder).tables == []


def test_a_passage_is_cut_where_the_prompt_ends_and_knows_its_words() -> None:
    words = [("once", 0.1, 0.4), ("upon", 0.9, 1.1), ("a", 1.1, 1.2), ("time", 2.4, 2.9)]
    prompts = Prompts(kind="stories", count=1, prompt_seconds=1.0, seconds=1.0)
    one = cut("x", voice_like(3.0), 24_000, prompts, words)
    assert one is not None and (len(one.prompt), len(one.whole)) == (24_000, 48_000)
    assert (one.prompt_text, one.rest_text) == ("once upon", "a")
    assert cut("x", voice_like(1.9), 24_000, prompts, words) is None


def test_a_missing_program_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="flite is not installed"):
        make_passages(Prompts(kind="stories", count=1, prompt_seconds=1.0, seconds=1.0))

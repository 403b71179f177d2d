"""`python -m app study ...` as a researcher would type it."""

import json
from pathlib import Path

import pytest
import soundfile

from app.__main__ import main
from tests.studies.makers import speechlike, study, write_folder


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("CALM_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    try:
        status = main(["study", *map(str, words)])
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    told = capsys.readouterr()
    return status, told.out, told.err


def test_a_study_from_folder_to_closed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "in", study("mushra"))
    status, out, _ = run(capsys, "validate", folder)
    assert status == 0 and "in order" in out and "-23.0 LUFS" in out and "advice:" in out
    status, out, err = run(capsys, "create", folder, "--open")
    assert (status, out) == (0, "small-mushra: version 1\n") and "3500 Hz" in err
    assert run(capsys, "create", folder)[1] == "small-mushra: version 1 was there already, nothing changed\n"
    status, out, _ = run(capsys, "list")
    assert out.splitlines()[1].split()[:4] == ["small-mushra", "mushra", "open", "1"]
    assert run(capsys, "pause", "small-mushra", "--reason", "lunch")[1] == "small-mushra: open -> paused\n"
    assert run(capsys, "close", "small-mushra")[0] == 0
    assert run(capsys, "duplicate", "small-mushra", "again")[0] == 0
    listed = json.loads(run(capsys, "list", "--json")[1])
    assert {one["slug"]: one["state"] for one in listed} == {"small-mushra": "closed", "again": "draft"}


def test_every_fault_is_printed_and_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "in", study(title={"en": "x"}, items_per_session=9))
    status, out, err = run(capsys, "validate", folder / "study.yaml")
    assert status == 2 and len(out.splitlines()) == 2 and len(err.splitlines()) == 1
    assert all(line.startswith("study.yaml:") for line in out.splitlines())
    broken = tmp_path / "zip.zip"
    broken.write_text("no zip")
    for words in (
        ["validate", broken],
        ["create", tmp_path / "nowhere"],
        ["open", "nothing"],
        ["preset", "nothing"],
        ["close"],
        ["nothing"],
        ["anchors", broken, "--out", tmp_path],
    ):
        status, _, err = run(capsys, *words)
        assert status == 2 and len(err.splitlines()) == 1 and "Traceback" not in err, words


def test_a_protocol_in_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(run(capsys, "preset")[1].splitlines()) == 6
    status, out, _ = run(capsys, "preset", "speaker-similarity", "--out", tmp_path / "mine", "--slug", "mine")
    assert status == 0 and Path(out.strip()).is_file()
    status, out, err = run(capsys, "validate", out.strip())
    assert status == 0 and "mine: a pairwise study in order" in out and "Only the text" in err


def test_the_balance_of_500_listeners_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "in", study("pairwise"))
    status, out, _ = run(capsys, "simulate", folder, "--no-limit")
    assert status == 0 and out.startswith("500 raters: ") and "met twice by one rater: 0" in out
    assert run(capsys, "simulate", folder, "--drop-out", "1")[0] == 2


def test_anchors_of_a_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "ref.flac", speechlike(1, 1.0, 48_000), 48_000)
    status, out, _ = run(capsys, "anchors", tmp_path / "ref.flac", "--out", tmp_path / "anchors")
    assert status == 0
    for path in out.split():
        assert soundfile.info(path).frames == 48_000 and soundfile.info(path).samplerate == 48_000


def test_webmushra_in_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "test.yaml"
    config.write_text(
        "testname: Mine\ntestId: mine\nbufferSize: 2048\npages:\n  - {type: paired_comparison, id: p, content: Better,"
        " stimuli: {A: a.wav, B: b.wav}}\n"
    )
    status, out, err = run(capsys, "import-webmushra", config, "--out", tmp_path / "out")
    assert status == 0 and Path(out.strip()).is_file()
    assert "taken over: 1 page of kind paired_comparison" in err and "different here: bufferSize" in err

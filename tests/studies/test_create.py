"""From a folder to a study in the database: sounds made ready, versions, states, copies."""

import re
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sqlalchemy import func, select

from app.db import Database, open_database
from app.db import study_models as rows
from app.errors import UserError
from app.studies.create import check_source, create_study, install
from app.studies.faults import StudyFileError
from app.studies.loudness import CEILING_DBTP, loudness, true_peak
from app.studies.manage import duplicate_study, list_studies, read_version, set_state
from app.studies.sounds import Sound
from app.studies.stimuli import Ready
from tests.studies.makers import speechlike, study, text, write_folder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'calm.sqlite3'}")
    yield database
    database.close()


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return tmp_path / "media"


def served(database: Database, media: Path) -> dict[tuple[str, str], tuple[Ready, Sound, int]]:
    """Row, sound and file size of each stimulus, by system and prompt."""
    with database.read() as session:
        found = session.scalars(select(rows.Stimulus)).all()
        named = {}
        for row in found:
            samples, rate = soundfile.read(media / row.path, always_2d=True)
            size = (media / row.path).stat().st_size
            values = (row.digest, row.path, row.seconds, row.sample_rate, row.channels, row.lufs)
            ready = Ready(row.system.name, row.prompt.name, *values)
            named[ready.system, ready.prompt] = ready, Sound(samples, rate), size
        return named


@pytest.mark.parametrize("kind", ["mos", "pairwise", "mushra"])
def test_a_folder_becomes_a_study(database: Database, media: Path, tmp_path: Path, kind: str) -> None:
    made = create_study(database, media, write_folder(tmp_path / "in", study(kind)))
    assert made.is_new and made.number == 1
    (listed,) = list_studies(database)
    assert (listed.slug, listed.kind, listed.state, listed.version) == (f"small-{kind}", kind, "draft", 1)
    stimuli = served(database, media)
    assert len(stimuli) == {"mos": 8, "pairwise": 8, "mushra": 20}[kind]
    for row, sound, _ in stimuli.values():
        assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{62}\.wav", row.path) and row.path.replace("/", "").startswith(
            row.digest
        )
        assert row.sample_rate == sound.rate == 24_000 and row.channels == 1
        assert true_peak(sound) <= CEILING_DBTP + 0.1
    assert not list(media.glob(".incoming*")) and not list(media.rglob("*.part"))
    assert read_version(database, f"small-{kind}")[1] == text(study(kind))


def test_all_systems_are_equally_loud_and_their_files_equally_long(
    database: Database, media: Path, tmp_path: Path
) -> None:
    create_study(database, media, write_folder(tmp_path / "in", study("mushra")))
    stimuli = served(database, media)
    for (system, _), (row, sound, _) in stimuli.items():
        if not system.startswith("anchor"):
            assert row.lufs == pytest.approx(-23, abs=0.05)
            audible = Sound(sound.samples[: round(row.seconds * sound.rate)], sound.rate)
            assert loudness(audible) == pytest.approx(-23, abs=0.1)
            assert not sound.samples[round(row.seconds * sound.rate) :].any()
    by_prompt = sorted(stimuli.items(), key=lambda one: one[0][1])
    for prompt, group in groupby(by_prompt, key=lambda one: one[0][1]):
        assert len({(size, sound.channels) for _, (_, sound, size) in group}) == 1, prompt


def test_the_anchor_is_the_reference_through_the_filter(database: Database, media: Path, tmp_path: Path) -> None:
    create_study(database, media, write_folder(tmp_path / "in", study("mushra")))
    stimuli = served(database, media)
    reference, anchor = (stimuli[name, "p1"][1].samples[:, 0] for name in ("ref", "anchor-3.5k"))
    hertz = np.fft.rfftfreq(len(reference), 1 / 24_000)
    spectra = [np.abs(np.fft.rfft(one)) ** 2 for one in (reference, anchor)]
    bands = [
        (spectrum[(hertz > low) & (hertz < high)]).sum()
        for spectrum in spectra
        for low, high in ((100, 3000), (4500, 12_000))
    ]
    assert bands[2] == pytest.approx(bands[0], rel=0.02) and bands[3] < 0.01 * bands[1]
    lag = np.argmax(np.correlate(anchor, reference[200:-200], "valid")) - 200
    assert lag == 0


def test_mixed_rates_and_channels_come_out_alike(database: Database, media: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", study())
    stereo = np.stack([speechlike(5, 1.0, 48_000), speechlike(6, 1.0, 48_000)], axis=1)
    soundfile.write(folder / "audio/one/p0.wav", stereo, 48_000)
    made = create_study(database, media, folder)
    assert {(sound.rate, sound.channels) for _, sound, _ in served(database, media).values()} == {(48_000, 2)}
    assert any("resampled" in note for note in made.notes) and any("both ears" in note for note in made.notes)


def test_all_faulty_sounds_are_named_with_the_line_of_their_prompt(
    database: Database, media: Path, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "in", study())
    (folder / "audio/one/p1.wav").unlink()
    (folder / "audio/two/p2.wav").write_text("not a sound")
    with pytest.raises(StudyFileError) as caught:
        create_study(database, media, folder)
    lines = (folder / "study.yaml").read_text().splitlines()
    told = {fault.message.split(":")[0]: fault.line for fault in caught.value.faults}
    assert told == {
        f"audio/{system}/{prompt}.wav": lines.index(f"- name: {prompt}") + 1
        for system, prompt in (("one", "p1"), ("two", "p2"))
    }
    assert list_studies(database) == [] and not list(media.rglob("*.wav"))


def test_the_same_study_twice_is_one_and_a_change_is_a_version(database: Database, media: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", study())
    first = create_study(database, media, folder)
    again = create_study(database, media, folder)
    assert not again.is_new and again.version_id == first.version_id
    write_folder(folder, study(items_per_session=2))
    with pytest.raises(UserError) as caught:
        create_study(database, media, folder)
    assert caught.value.status == 409 and "small-mos" in caught.value.message
    second = create_study(database, media, folder, new_version=True)
    assert second.number == 2 and second.study_id == first.study_id and second.version_id != first.version_id
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(rows.Stimulus)) == 16
        assert len(set(session.scalars(select(rows.Stimulus.path)))) == 8
        assert session.scalars(select(rows.Audit.action).order_by(rows.Audit.at)).all() == ["create", "new version"]


def test_keys_follow_from_content_so_that_votes_find_their_study_again(media: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", study("mushra"))
    keys = []
    for number in range(2):
        database = open_database(f"sqlite:///{tmp_path / f'{number}.sqlite3'}")
        create_study(database, tmp_path / f"media{number}", folder)
        with database.read() as session:
            keys.append({row.id: row.path for row in session.scalars(select(rows.Stimulus))})
        database.close()
    assert keys[0] == keys[1]


def test_states_follow_each_other_and_leave_a_trail(database: Database, media: Path, tmp_path: Path) -> None:
    create_study(database, media, write_folder(tmp_path / "in", study()))
    assert set_state(database, "small-mos", "open", actor="me") == "draft"
    assert set_state(database, "small-mos", "paused", actor="me", reason="lunch") == "open"
    assert set_state(database, "small-mos", "closed", actor="me") == "paused"
    with pytest.raises(UserError) as caught:
        set_state(database, "small-mos", "paused", actor="me")
    assert caught.value.status == 409 and "closed" in caught.value.message
    with pytest.raises(UserError) as caught:
        set_state(database, "nowhere", "open", actor="me")
    assert caught.value.status == 404 and "small-mos" in caught.value.message
    with database.read() as session:
        trail = [(row.action, row.reason) for row in session.scalars(select(rows.Audit).order_by(rows.Audit.at))]
    assert trail[1:] == [("open", None), ("paused", "lunch"), ("closed", None)]


def test_a_copy_has_the_sounds_and_its_own_name(database: Database, media: Path, tmp_path: Path) -> None:
    create_study(database, media, write_folder(tmp_path / "in", study()))
    duplicate_study(database, "small-mos", "second-round", actor="me")
    copied, _ = read_version(database, "second-round")
    assert copied.slug == "second-round" and copied.prompts == read_version(database, "small-mos")[0].prompts
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(rows.Stimulus)) == 16
    for slug, status in (("second-round", 409), ("Not a slug", 422)):
        with pytest.raises(UserError) as caught:
            duplicate_study(database, "small-mos", slug, actor="me")
        assert caught.value.status == status


def test_checking_needs_no_database_and_leaves_nothing(tmp_path: Path) -> None:
    read, batch = check_source(write_folder(tmp_path / "in", study("pairwise")))
    assert read.slug == "small-pairwise" and len(batch.stimuli) == 8


def test_bundled_studies_are_installed_once_and_a_broken_one_stops_nobody(
    database: Database, media: Path, tmp_path: Path
) -> None:
    for kind in ("mos", "mushra"):
        write_folder(tmp_path / "bundled" / kind, study(kind))
    (tmp_path / "bundled" / "broken" / "audio").mkdir(parents=True)
    (tmp_path / "bundled" / "broken" / "study.yaml").write_text("slug: 1\n")
    failed: list[Path] = []
    made = install(database, media, tmp_path / "bundled", lambda path, _: failed.append(path))
    assert [one.slug for one in made] == ["small-mos", "small-mushra"] and [path.name for path in failed] == ["broken"]
    assert {one.slug: one.state for one in list_studies(database)} == {"small-mos": "open", "small-mushra": "open"}
    set_state(database, "small-mos", "closed", actor="me")
    assert install(database, media, tmp_path / "bundled", lambda *_: None) == []
    assert {one.slug: one.state for one in list_studies(database)}["small-mos"] == "closed"
    # a Space has lost its disk, and the rows came back
    before = sorted(path.relative_to(media) for path in media.rglob("*.wav"))
    shutil.rmtree(media)
    install(database, media, tmp_path / "bundled", lambda *_: None)
    assert sorted(path.relative_to(media) for path in media.rglob("*.wav")) == before
    assert all(one.version == 1 for one in list_studies(database))

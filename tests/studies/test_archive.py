"""Uploads: what a study holds comes in, everything else stays out and leaves nothing behind."""

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from app.studies.archive import Limits, unpack
from app.studies.faults import StudyFileError
from tests.studies.makers import study, text, write_folder

SMALL = Limits(files=20, file_mb=1, total_mb=2, ratio=100)


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def refused(source: Path, target: Path, limits: Limits = SMALL) -> str:
    with pytest.raises(StudyFileError) as caught:
        unpack(source, target, limits)
    assert not target.exists(), "something was left behind"
    assert "\n" not in caught.value.message
    return caught.value.message


YAML = text(study()).encode()


def test_a_study_comes_in_from_a_zip_and_from_a_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "mine", study())
    files = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    archive = zipped(tmp_path / "mine.zip", {**files, "__MACOSX/mine/._study.yaml": b"x", "mine/.DS_Store": b"x"})
    one, two = unpack(archive, tmp_path / "a"), unpack(folder, tmp_path / "b")
    names = sorted(path.relative_to(one).as_posix() for path in one.rglob("*"))
    assert names == sorted(path.relative_to(two).as_posix() for path in two.rglob("*")) and len(names) == 12
    assert (one / "audio/one/p0.wav").read_bytes() == (folder / "audio/one/p0.wav").read_bytes()


@pytest.mark.parametrize(
    "name",
    ["../evil.wav", "a/../../evil.wav", "/evil.wav", "C:/evil.wav", "a\\..\\evil.wav", "a/\u202ecod.wav", "a\nb.wav"],
)
def test_a_path_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    archive = zipped(tmp_path / "x.zip", {"study.yaml": YAML, name: b"RIFF"})
    refused(archive, tmp_path / "in")
    assert not list(tmp_path.rglob("evil.wav"))


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    for kind in (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO):
        entry = zipfile.ZipInfo("audio.wav")
        entry.external_attr = (kind | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr("study.yaml", YAML)
            archive.writestr(entry, "/etc/passwd")
        assert "link or a device" in refused(tmp_path / "x.zip", tmp_path / "in")
    folder = write_folder(tmp_path / "linked", study())
    (folder / "audio/one/p0.wav").unlink()
    (folder / "audio/one/p0.wav").symlink_to("/etc/passwd")
    assert "link or a device" in refused(folder, tmp_path / "in")
    (folder / "audio/one/p0.wav").unlink()
    (folder / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    assert "link or a device" in refused(folder, tmp_path / "in")
    (folder / "elsewhere").unlink()
    os.mkfifo(folder / "pipe.wav")
    assert "link or a device" in refused(folder, tmp_path / "in")


def test_a_zip_bomb_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "bomb.zip", {"study.yaml": YAML, "a.wav": bytes(900_000)})
    assert "times its size" in refused(archive, tmp_path / "in")


def test_a_zip_bomb_that_lies_about_its_size_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "bomb.zip", {"study.yaml": YAML, "a.wav": bytes(50_000_000)})
    data = bytearray(archive.read_bytes())
    true_size = struct.pack("<I", 50_000_000)
    assert data.count(true_size) == 2
    archive.write_bytes(bytes(data).replace(true_size, struct.pack("<I", 50_000)))
    refused(archive, tmp_path / "in", Limits(file_mb=1, total_mb=2, ratio=1000))


def test_many_files_that_are_small_one_by_one_are_too_much_together(tmp_path: Path) -> None:
    noise = os.urandom(700_000)
    archive = zipped(tmp_path / "x.zip", {"study.yaml": YAML, **{f"{n}.wav": noise for n in range(4)}})
    assert "unpacked" in refused(archive, tmp_path / "in")
    archive = zipped(tmp_path / "x.zip", {"study.yaml": YAML, **{f"{n}.wav": b"RIFF" for n in range(30)}})
    assert "31 files" in refused(archive, tmp_path / "in")


def test_a_file_of_2_gb_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "mine", study())
    with (folder / "huge.wav").open("wb") as file:
        file.truncate(2 * 10**9)
    assert "2000 MB" in refused(folder, tmp_path / "in", Limits(file_mb=100))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"study.yaml": YAML, "a.wav": b""}, "0 bytes"),
        ({"study.yaml": YAML, "run.exe": b"MZ"}, "no part of a study"),
        ({"study.yaml": YAML, ".hidden.wav": b"RIFF"}, "no part of a study"),
        ({"study.yaml": YAML, "inner.zip": b"PK"}, "no part of a study"),
        ({"study.yaml": YAML, "page.html": b"<script>"}, "no part of a study"),
        ({"study.yaml": YAML, "A.wav": b"RIFF", "a.wav": b"RIFF"}, "twice"),
        ({"audio.wav": b"RIFF"}, "no study.yaml"),
        ({"one/study.yaml": YAML, "two/study.yaml": YAML}, "2 studies"),
        ({}, "no study.yaml"),
    ],
)
def test_what_no_study_needs_stays_outside(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    assert reason in refused(zipped(tmp_path / "x.zip", files), tmp_path / "in")


def test_what_is_no_zip_is_told(tmp_path: Path) -> None:
    for data in (b"", b"PK\x03\x04 nonsense", os.urandom(1000)):
        (tmp_path / "x.zip").write_bytes(data)
        refused(tmp_path / "x.zip", tmp_path / "in")
    assert "cannot be read" in refused(tmp_path / "missing.zip", tmp_path / "in")


def test_a_damaged_zip_is_told(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("study.yaml", YAML * 20)
    data = bytearray(buffer.getvalue())
    data[60:80] = os.urandom(20)
    (tmp_path / "x.zip").write_bytes(bytes(data))
    refused(tmp_path / "x.zip", tmp_path / "in")

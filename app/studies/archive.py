"""Studies that come from outside: a zip or a folder, unpacked only when nothing in it can do harm."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from app.errors import UserError
from app.studies.faults import StudyFileError, refuse
from app.studies.schema import FILE_NAME
from app.studies.sounds import ENDINGS

_TEXTS = (".yaml", ".yml", ".txt", ".md", ".csv", ".json")
_IGNORED = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")  # what desktops add by themselves
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Limits:
    """What an upload may hold.

    Attributes:
        files: Number of files.
        file_mb: Size of one file.
        total_mb: Of all files together, unpacked.
        ratio: Unpacked size over packed size of one file; sounds reach about 50 with long silences.
    """

    files: int = 20_000
    file_mb: float = 100.0
    total_mb: float = 4000.0
    ratio: float = 200.0


DEFAULT_LIMITS = Limits()


def unpack(source: Path, target: Path, limits: Limits = DEFAULT_LIMITS) -> Path:
    """Put a study from a zip or a folder into an empty folder.

    Sizes are counted while bytes arrive, since the sizes that an archive tells can be wrong. Nothing is left in
    `target` when something is refused.

    Args:
        source: A zip, or a folder; a study in a folder of its own within it is found.
        target: Made if missing.
        limits: What may come in.

    Returns:
        The folder that holds `study.yaml`, within `target`.

    Raises:
        StudyFileError: No zip, encrypted, too large, too many files; a path that leaves the folder, an absolute path, a
            link, a device, a name twice, an empty file, a kind of file that no study needs; no `study.yaml`.
    """
    target.mkdir(parents=True, exist_ok=True)
    assert not any(target.iterdir())
    try:
        if source.is_dir():
            _from_folder(source, target, limits)
        else:
            _from_zip(source, target, limits)
        return _root(source.name, target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _from_zip(source: Path, target: Path, limits: Limits) -> None:
    name = source.name
    try:
        if source.stat().st_size == 0:
            raise refuse(name, "the archive is empty (0 bytes); pack the study's folder again.")
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise refuse(name, "this is not a zip archive; pack the study's folder as .zip.") from None
    except OSError as error:
        raise refuse(name, f"the archive cannot be read ({error.strerror or error}).") from None
    with archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _ignored(entry.filename)]
        _check_amount(name, len(entries), sum(entry.file_size for entry in entries), limits)
        gate = _Gate(name, target, limits)
        for entry in entries:
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise refuse(name, f"{_shown(entry.filename)} is a link or a device; put the file itself in.")
            if entry.flag_bits & 1:
                raise refuse(name, f"{_shown(entry.filename)} is encrypted; pack without a password.")
            if entry.file_size > limits.ratio * max(entry.compress_size, 1024):
                raise refuse(name, f"{_shown(entry.filename)} unpacks to more than {limits.ratio:g} times its size.")
            # what the directory at the end says and what stands at the file may differ: unix paths as they are
            path = gate.path(entry.orig_filename, entry.file_size)
            try:
                with archive.open(entry) as stream:
                    gate.copy(stream, path, most=int(limits.ratio * max(entry.compress_size, 1024)))
            except StudyFileError:
                raise
            except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
                raise refuse(name, f"{_shown(entry.filename)} cannot be unpacked ({error}); pack it again.") from None
            except OSError as error:
                raise _disk(name, error) from None
            except Exception as error:  # zlib.error, lzma.LZMAError: each method of packing has its own
                raise refuse(name, f"{_shown(entry.filename)} is damaged ({error}); pack it again.") from None


def _from_folder(source: Path, target: Path, limits: Limits) -> None:
    found: list[tuple[Path, str]] = []
    for folder, folders, names in os.walk(source, onerror=_unreadable, followlinks=False):
        folders.sort()
        for one in [*folders, *sorted(names)]:
            path = Path(folder) / one
            relative = path.relative_to(source).as_posix()
            if _ignored(relative):
                continue
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                continue
            if not stat.S_ISREG(mode):
                raise refuse(source.name, f"{_shown(relative)} is a link or a device; put the file itself in.")
            found.append((path, relative))
    _check_amount(source.name, len(found), sum(path.stat().st_size for path, _ in found), limits)
    gate = _Gate(source.name, target, limits)
    for path, relative in found:
        try:
            place = gate.path(relative, path.stat().st_size)
            with path.open("rb") as stream:
                gate.copy(stream, place, most=int(limits.file_mb * 1e6))
        except OSError as error:
            raise _disk(source.name, error) from None


def _unreadable(error: OSError) -> None:
    raise refuse(Path(str(error.filename)).name, f"the folder cannot be read ({error.strerror}).")


def _check_amount(name: str, files: int, total: int, limits: Limits) -> None:
    if files > limits.files:
        raise refuse(name, f"{files} files; the limit is {limits.files}. Split the study.")
    if total > limits.total_mb * 1e6:
        raise refuse(name, f"{total / 1e6:.0f} MB unpacked; the limit is {limits.total_mb:g} MB. Split the study.")


class _Gate:
    """Lets files into a folder, one after the other."""

    def __init__(self, name: str, target: Path, limits: Limits):
        self._name, self._target, self._limits = name, target, limits
        self._taken: set[str] = set()
        self._bytes = 0

    def path(self, told: str, size: int) -> Path:
        """Where a file goes, if it may come in."""
        shown = _shown(told)
        parts = PurePosixPath(told).parts
        outside = told.startswith("/") or ".." in parts or "\\" in told or re.match(r"[A-Za-z]:", told)
        if outside or not parts:
            raise refuse(self._name, f"the path {shown} leads out of the study; pack the study's folder itself.")
        if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in told):
            raise refuse(self._name, f"the path {shown} has characters that cannot be seen; rename the file.")
        if len(told) > 300 or any(len(part.encode()) > 200 for part in parts):
            raise refuse(self._name, f"the path {shown} is too long; rename the file.")
        key = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        if key in self._taken:
            raise refuse(self._name, f"{shown} is there twice, or differs in case only; keep one.")
        self._taken.add(key)
        if parts[-1].startswith(".") or PurePosixPath(told).suffix.lower() not in (*ENDINGS, *_TEXTS):
            kinds = ", ".join((*ENDINGS, *_TEXTS))
            raise refuse(self._name, f"{shown} is no part of a study; leave it out ({kinds} are taken).")
        if size == 0:
            raise refuse(self._name, f"{shown} is empty (0 bytes); export it again.")
        if size > self._limits.file_mb * 1e6:
            raise refuse(
                self._name, f"{shown} has {size / 1e6:.0f} MB; the limit for a file is {self._limits.file_mb:g} MB."
            )
        return self._target.joinpath(*parts)

    def copy(self, stream: IO[bytes], path: Path, most: int) -> None:
        """Write what the stream gives, and stop when it is more than it may be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        most = min(most, int(self._limits.file_mb * 1e6))
        written = 0
        with path.open("xb") as file:
            while block := stream.read(_BLOCK):
                written += len(block)
                self._bytes += len(block)
                if written > most or self._bytes > self._limits.total_mb * 1e6:
                    raise refuse(self._name, f"{_shown(path.name)} unpacks to more than is allowed; is it a zip bomb?")
                file.write(block)
        if written == 0:
            raise refuse(self._name, f"{_shown(path.name)} is empty (0 bytes); export it again.")


def _root(name: str, target: Path) -> Path:
    """The folder with the study, at the top or one folder below."""
    found = [path.parent for path in (target / FILE_NAME, *sorted(target.glob(f"*/{FILE_NAME}"))) if path.is_file()]
    if not found:
        raise refuse(name, f"there is no {FILE_NAME}; it belongs at the top of the study's folder.")
    if len(found) > 1 and found[0] != target:
        raise refuse(name, f"there are {len(found)} studies in it; give one at a time.")
    return found[0]


def _ignored(path: str) -> bool:
    return path.startswith(_IGNORED[0]) or path.rsplit("/", 1)[-1] in _IGNORED[1:]


def _shown(path: str) -> str:
    """A path from outside as it may be shown: short, without anything that a terminal would act on."""
    clean = "".join(character if character.isprintable() else "?" for character in path)
    return repr(clean if len(clean) <= 80 else clean[:77] + "...")


def _disk(name: str, error: OSError) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"{name} cannot be unpacked, the disk is full; free some space.", status=507, code="disk_full")
    return refuse(name, f"it cannot be unpacked ({error.strerror or error}).")

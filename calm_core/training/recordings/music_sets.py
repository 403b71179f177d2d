"""Corpora of real music as their authors lay them out: FMA, MTG-Jamendo, MusicCaps.

They are read from folders; nothing is downloaded. The order of the recordings is that of their tables.
"""

import ast
import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from calm_core.errors import InputError
from calm_core.training.recipes import Strict
from calm_core.training.recordings.found import AUDIO_ENDINGS, Found, Split
from calm_core.training.recordings.music_tags import attributes, captions, sentences

_LONGEST_CELL = 2**24  # characters; FMA's table has whole biographies
_FMA_SUBSETS = ("small", "medium", "large")
_FMA_SPLITS: dict[str, Split] = {"training": "train", "validation": "valid", "test": "heldout"}
_JAMENDO_SPLITS: dict[str, Split] = {"-train": "train", "-validation": "valid", "-test": "heldout"}
_JAMENDO_COLUMNS = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]
_MUSICCAPS_COLUMNS = ("ytid", "start_s", "end_s", "aspect_list", "caption", "is_audioset_eval")


class FmaSource(Strict):
    """`kind: fma`: the Free Music Archive (Defferrard et al. 2017, arXiv 1612.01840)."""

    kind: Literal["fma"]
    folder: Path = Field(description="with fma_metadata/ and the folders of sound, such as fma_large/")
    subset: Literal["small", "medium", "large", "full"] = "large"
    split: Split | None = Field(None, description="only these of its own splits; all of them when left out")


class JamendoSource(Strict):
    """`kind: jamendo`: MTG-Jamendo (Bogdanov et al. 2019)."""

    kind: Literal["jamendo"]
    tables: list[Path] = Field(
        min_length=1, description="TSV files; names that end on -train, -validation or -test say the split"
    )
    audio: Path = Field(description="folder that the paths of the tables start from")
    low: bool = Field(False, description="the smaller files, NAME.low.mp3")
    split: Split | None = None


class MusicCapsSource(Strict):
    """`kind: musiccaps`: MusicCaps (Agostinelli et al. 2023, arXiv 2301.11325), clips named by their YouTube ids.

    Videos vanish, so clips that are not there are left out, with a count on stderr.
    """

    kind: Literal["musiccaps"]
    table: Path = Field(description="musiccaps-public.csv")
    audio: Path = Field(description="folder of the clips of 10 s: YTID.wav, or another sound file of that name")
    split: Split | None = Field(None, description="heldout: those of AudioSet's evaluation; train: all others")


MusicSet = FmaSource | JamendoSource | MusicCapsSource


def found_in(source: MusicSet) -> Iterator[Found]:
    """The recordings of a set, in the order of its tables.

    Where one split is asked for, what the authors put in none counts as for training.

    Raises:
        InputError: A table or a folder is missing or laid out otherwise.
    """
    if isinstance(source, FmaSource):
        found = _fma(source)
    elif isinstance(source, JamendoSource):
        found = _jamendo(source)
    else:
        found = _musiccaps(source)
    if source.split is None:
        return found
    return (replace(item, split=source.split) for item in found if (item.split or "train") == source.split)


def _rows(path: Path, delimiter: str = ",") -> Iterator[list[str]]:
    """The rows of a table."""
    if not path.is_file():
        raise InputError(f"There is no table {path}; correct the source, or unpack the metadata there.")
    csv.field_size_limit(_LONGEST_CELL)
    with open(path, newline="", encoding="utf-8") as file:
        try:
            yield from csv.reader(file, delimiter=delimiter)
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"The table {path} cannot be read: {error}.") from None


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise InputError(f"There is no folder {path}; correct the source, or unpack the sounds there.")
    return path


def _head(path: Path, rows: Iterator[list[str]], expected: str) -> list[str]:
    """The first row of a table.

    Raises:
        InputError: It has none.
    """
    try:
        return next(rows)
    except StopIteration:
        raise InputError(f"The table {path} is empty; {expected} was expected.") from None


def _listing(text: str) -> list[Any]:
    """A list as Python prints it; nothing where the text is none."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return []
    return list(found) if isinstance(found, list | tuple) else []


def _fma(source: FmaSource) -> Iterator[Found]:
    metadata, audio = source.folder / "fma_metadata", _folder(source.folder / f"fma_{source.subset}")
    names = {row[0]: row[3] for row in _rows(metadata / "genres.csv") if len(row) > 3}
    path = metadata / "tracks.csv"
    rows = _rows(path)
    # Two rows of names, one above the other, and one with that of the first column.
    upper, lower = _head(path, rows, "FMA's tracks.csv"), _head(path, rows, "FMA's tracks.csv")
    _head(path, rows, "FMA's tracks.csv")
    places = {pair: place for place, pair in enumerate(zip(upper, lower, strict=False))}
    needed = [
        ("set", "split"), ("set", "subset"), ("track", "genre_top"), ("track", "genres_all"), ("track", "title"),
        ("track", "license"), ("artist", "id"), ("artist", "name"),
    ]  # fmt: skip
    missing = [" ".join(pair) for pair in needed if pair not in places]
    if missing:
        raise InputError(f"The table {path} is not FMA's tracks.csv: it has no column {', '.join(missing)}.")
    # Each subset holds the smaller ones, and the full set the tracks of the large one, whole.
    wanted = _FMA_SUBSETS[: (*_FMA_SUBSETS, "full").index(source.subset) + 1]
    for row in rows:
        if len(row) != len(upper):
            continue
        split, subset, top, every, title, licence, artist, artist_name = (row[places[pair]] for pair in needed)
        if subset not in wanted:
            continue
        others = [names.get(str(number), "") for number in _listing(every)]
        known = attributes([top, *others], title=title, artist=artist_name, licence=licence)
        number = row[0].zfill(6)
        said = captions(known)
        yield Found(
            f"fma{number}", audio / number[:3] / f"{number}.mp3", said[0] if said else "", f"fma-artist-{artist}",
            split=_FMA_SPLITS.get(split), facts={"captions": said, "attributes": known},
        )  # fmt: skip


def _jamendo(source: JamendoSource) -> Iterator[Found]:
    _folder(source.audio)
    for path in source.tables:
        rows = _rows(path, "\t")
        if _head(path, rows, "MTG-Jamendo's table")[:6] != _JAMENDO_COLUMNS:
            wanted = ", ".join(_JAMENDO_COLUMNS)
            raise InputError(f"The table {path} is not MTG-Jamendo's: its columns are not {wanted}.")
        split: Split | None = next((to for end, to in _JAMENDO_SPLITS.items() if path.stem.endswith(end)), None)
        for row in rows:
            if len(row) < 5:
                continue
            track, artist, _, place, _ = row[:5]
            tags: dict[str, list[str]] = {}
            for tag in row[5:]:
                category, _, name = tag.partition("---")
                tags.setdefault(category, []).append(name)
            known = attributes(tags.get("genre", ()), tags.get("mood/theme", ()), tags.get("instrument", ()))
            said = captions(known)
            file = source.audio / place
            yield Found(
                track, file.with_suffix(f".low{file.suffix}") if source.low else file, said[0] if said else "", artist,
                split=split, facts={"captions": said, "attributes": known},
            )  # fmt: skip


def _musiccaps(source: MusicCapsSource) -> Iterator[Found]:
    audio, rows = _folder(source.audio), _rows(source.table)
    places = {name: place for place, name in enumerate(_head(source.table, rows, "MusicCaps' table"))}
    missing = [name for name in _MUSICCAPS_COLUMNS if name not in places]
    if missing:
        raise InputError(f"The table {source.table} is not MusicCaps': it has no column {', '.join(missing)}.")
    gone = count = 0
    try:
        for row in rows:
            if len(row) < len(places):
                continue
            video, start, _, aspects, caption, evaluation = (row[places[name]] for name in _MUSICCAPS_COLUMNS)
            count += 1
            file = next((path for ending in AUDIO_ENDINGS if (path := audio / f"{video}.{ending}").is_file()), None)
            if file is None:
                gone += 1
                continue
            split: Split | None = "heldout" if evaluation.strip().lower() == "true" else None
            tags = _listing(aspects)
            said = sentences([caption, ", ".join(map(str, tags))])
            known = attributes(aspects=tags, start_s=start)
            yield Found(
                f"musiccaps-{video}", file, said[0] if said else "", video, split=split,
                facts={"captions": said, "attributes": known},
            )  # fmt: skip
    finally:  # also where no more are asked for
        if gone:
            print(f"MusicCaps: {gone} of {count} clips are not in {audio}", file=sys.stderr, flush=True)

"""CSV files of listening tests, read strictly: a fault is one line that names its row and column.

Rows are counted as a spreadsheet shows them: the header is row 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.bradley_terry.votes import OUTCOMES, Votes
from evaluation.errors import InputError

EMPTY = ("", "nan", "null", "none")


def read_votes(path: Path, duplicates: str = "refuse") -> Votes:
    """Votes from columns `system_a, system_b, outcome` and, where there are any, `rater`, `item` and `weight`.

    Args:
        path: CSV file.
        duplicates: `refuse`, or `keep`, or `first`, for two votes of one rater on the same item and the same two
            systems; only files with raters and items can tell.

    Raises:
        InputError: The file cannot be read, a column is missing or a value is not what it should be.
    """
    frame = _read(path, ["system_a", "system_b", "outcome"], ["rater", "item", "weight"])
    _refuse_other(path, frame, "outcome", OUTCOMES)
    names = pd.Index(sorted({*frame["system_a"].cat.categories, *frame["system_b"].cat.categories}))
    first, second = (_codes(frame, column, names) for column in ("system_a", "system_b"))
    same = np.flatnonzero(first == second)
    if len(same):
        raise _fault(path, same[0], "system_b", f"'{names[first[same[0]]]}' is compared with itself")
    weight = _numbers(path, frame, "weight") if "weight" in frame else None
    if weight is not None and (weight <= 0).any():
        raise _fault(path, int((weight <= 0).argmax()), "weight", "a weight must be above 0")
    if "rater" in frame and "item" in frame and duplicates != "keep":
        repeated = _repeated(frame, np.minimum(first, second), np.maximum(first, second))
        if repeated is not None and duplicates == "refuse":
            raise _fault(
                path, repeated[0], "item", "this rater judged this item and pair before; --duplicates first drops such"
            )
        if repeated is not None:
            left = np.setdiff1d(np.arange(len(frame)), repeated)
            frame, first, second = frame.iloc[left], first[left], second[left]
            weight = weight if weight is None else weight[left]
    rater = frame["rater"].cat if "rater" in frame else None
    return Votes(
        tuple(names),
        first,
        second,
        _codes(frame, "outcome", pd.Index(OUTCOMES)),
        tuple(rater.categories) if rater is not None else ("",),
        rater.codes.to_numpy().astype(np.intp) if rater is not None else np.zeros(len(frame), dtype=np.intp),
        weight,
    )


def read_scores(path: Path, low: float, high: float, columns: Sequence[str]) -> pd.DataFrame:
    """Scores from columns `rater, item, system, score`.

    Args:
        path: CSV file.
        low: Lowest score of the scale.
        high: Highest score of the scale.
        columns: The columns that the file must have.

    Returns:
        Those columns; `score` as float, the others as categories.

    Raises:
        InputError: The file cannot be read, a column is missing, a score is none or off the scale, or one rater scored
            one system on one item twice.
    """
    frame = _read(path, columns, [])
    frame["score"] = _numbers(path, frame, "score")
    off = np.flatnonzero((frame["score"] < low) | (frame["score"] > high))
    if len(off):
        raise _fault(path, off[0], "score", f"{frame['score'].iloc[off[0]]:g} is off the scale, {low:g} to {high:g}")
    again = np.flatnonzero(frame.duplicated(["rater", "item", "system"]))
    if len(again):
        raise _fault(path, again[0], "score", "this rater scored this system on this item before; keep one")
    return frame


def _read(path: Path, needed: Sequence[str], welcome: Sequence[str]) -> pd.DataFrame:
    try:
        # as a file object: pandas would unpack by suffix and fetch addresses
        with open(path, encoding="utf-8-sig", newline="") as file:
            head = pd.read_csv(file, nrows=0)
        columns = _columns(path, list(head.columns), needed, welcome)
        with open(path, encoding="utf-8-sig", newline="") as file:
            # every column is read, since only so does the parser count them in each row
            kinds = {name: "str" if columns.get(name, "score") in ("score", "weight") else "category" for name in head}
            frame = pd.read_csv(file, dtype=kinds, na_filter=False)
        if not isinstance(frame.index, pd.RangeIndex):  # a first row longer than the header is taken for an index
            raise InputError(f"{path}, row 2: more columns than the {len(head.columns)} that the header names.")
        frame = pd.DataFrame({plain: frame[name] for name, plain in columns.items()})
    except UnicodeDecodeError:
        raise _undecodable(path) from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} is empty: its first row must name the columns {', '.join(needed)}.") from None
    except pd.errors.ParserError as error:
        where = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if where:
            text = f"{path}, row {where[2]}: {where[3]} columns where the header names {where[1]}."
        else:
            text = f"{path} is no CSV file: {str(error).splitlines()[0]}"
        raise InputError(text) from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    for column in frame.columns:
        if column not in ("score", "weight"):
            empty = [value for value in frame[column].cat.categories if str(value).strip().lower() in EMPTY]
            rows = np.flatnonzero(frame[column].isin(empty) | frame[column].isna())
            if len(rows) and column in needed:
                raise _fault(path, rows[0], column, "the cell is empty")
    return frame


def _columns(path: Path, found: list[str], needed: Sequence[str], welcome: Sequence[str]) -> dict[str, str]:
    names = {name: str(name).strip().lower() for name in found}
    missing = [name for name in needed if name not in names.values()]
    if missing:
        raise InputError(
            f"{path}, row 1: no column '{missing[0]}'; it must name {', '.join(needed)}, and names "
            f"{', '.join(map(str, found))[:200]}."
        )
    taken = {name: plain for name, plain in names.items() if plain in (*needed, *welcome)}
    for plain in set(taken.values()):
        # pandas numbers a name that comes twice
        if list(taken.values()).count(plain) > 1 or f"{plain}.1" in names.values():
            raise InputError(f"{path}, row 1: the column '{plain}' is there twice.")
    return taken


def _codes(frame: pd.DataFrame, column: str, names: pd.Index) -> np.ndarray:
    place = np.asarray(names.get_indexer(frame[column].cat.categories))
    codes = np.asarray(frame[column].cat.codes)
    return place[codes].astype(np.intp) if len(frame) else np.empty(0, dtype=np.intp)


def _refuse_other(path: Path, frame: pd.DataFrame, column: str, allowed: Sequence[str]) -> None:
    other = [value for value in frame[column].cat.categories if value not in allowed]
    if other:
        row = int(np.flatnonzero(frame[column].isin(other))[0])
        raise _fault(path, row, column, f"'{frame[column].iloc[row]}' is none of {', '.join(allowed)}")


def _numbers(path: Path, frame: pd.DataFrame, column: str) -> np.ndarray:
    values = np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=float)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise _fault(path, bad[0], column, f"'{frame[column].iloc[bad[0]]}' is no number")
    return values


def _repeated(frame: pd.DataFrame, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    keys = pd.DataFrame({"r": frame["rater"].cat.codes, "i": frame["item"].cat.codes, "l": low, "h": high})
    rows = np.flatnonzero(keys.duplicated())
    known = [~frame[column].astype(str).isin(EMPTY).to_numpy()[rows] for column in ("rater", "item")]
    rows = rows[known[0] & known[1]]
    return rows if len(rows) else None


def _fault(path: Path, row: int | np.integer, column: str, what: str) -> InputError:
    return InputError(f"{path}, row {int(row) + 2}, column {column}: {what}.")


def _undecodable(path: Path) -> InputError:
    with open(path, "rb") as file:
        header = file.readline()
        for row, line in enumerate([header, *file], start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                place = line[: error.start].count(b",")
                names = header.decode("utf-8", "replace").strip("\ufeff\r\n").split(",")
                name = names[place].strip() if row > 1 and place < len(names) else str(place + 1)
                return InputError(
                    f"{path}, row {row}, column {name}: byte 0x{line[error.start]:02x} is no UTF-8; save the file as "
                    f"'CSV UTF-8'."
                )
    return InputError(f"{path} is no UTF-8 text; save it as 'CSV UTF-8'.")

"""Tables as files: CSV that no spreadsheet takes for formulas, Parquet with types, JSON; and what the columns mean."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

FORMATS = ("csv", "parquet", "json")
Type = Literal["text", "integer", "number", "boolean", "moment"]
# what Excel, LibreOffice Calc and Google Sheets take for the start of a formula, the full-width forms among it; a cell
# that begins with our own mark gets a second one, so that taking one mark away gives back what was said
FORMULA = re.compile("^'*[=+\\-@\t\r\n＝＋－＠]")
MARK = "'"


@dataclass(frozen=True)
class Column:
    """A column and its entry in the codebook; `values` explains the words that can stand in it."""

    name: str
    type: Type
    meaning: str
    unit: str = ""
    values: dict[str, str] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        """The codebook's entry."""
        told: dict[str, Any] = {"name": self.name, "type": self.type, "meaning": self.meaning}
        return told | ({"unit": self.unit} if self.unit else {}) | ({"values": self.values} if self.values else {})


@dataclass(frozen=True)
class Sheet:
    """One file of an export: a row has a value, or None, for each column."""

    name: str
    meaning: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]


def neutral(text: str) -> str:
    """A text that a spreadsheet shows as it is, with a quotation mark before what would be a formula."""
    return MARK + text if FORMULA.match(text) else text


def as_said(cell: str) -> str:
    """The text that `neutral` was given."""
    return cell[1:] if cell.startswith(MARK) and FORMULA.match(cell[1:]) else cell


def write_csv(sheet: Sheet, path: Path) -> None:
    """Write a CSV file in UTF-8; numbers in full precision, moments in ISO 8601, missing values empty."""

    def write(part: Path) -> None:
        with open(part, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([neutral(column.name) for column in sheet.columns])
            writer.writerows([_cell(value) for value in row] for row in sheet.rows)

    _whole(path, write)


def write_json(sheet: Sheet, path: Path) -> None:
    """Write a list of objects, one a row."""
    names = [column.name for column in sheet.columns]
    rows = [dict(zip(names, map(_json, row), strict=True)) for row in sheet.rows]
    write_document(rows, path)


def write_document(content: Any, path: Path) -> None:
    """Write anything that JSON can hold."""
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    _whole(path, lambda part: part.write_text(text + "\n", encoding="utf-8"))


def write_parquet(sheet: Sheet, path: Path) -> None:
    """Write a Parquet file whose columns have their types; the meanings are in its schema."""
    import pyarrow
    from pyarrow import parquet

    types = {
        "text": pyarrow.string(),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "boolean": pyarrow.bool_(),
        "moment": pyarrow.timestamp("us", tz="UTC"),
    }
    schema = pyarrow.schema(
        [pyarrow.field(c.name, types[c.type], metadata={"meaning": c.meaning, "unit": c.unit}) for c in sheet.columns]
    )
    columns = list(zip(*sheet.rows, strict=True)) or [()] * len(sheet.columns)
    arrays = [pyarrow.array(values, type=types[c.type]) for values, c in zip(columns, sheet.columns, strict=True)]
    _whole(path, lambda part: parquet.write_table(pyarrow.table(arrays, schema=schema), part))


WRITERS: dict[str, Callable[[Sheet, Path], None]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "json": write_json,
}


def codebook(sheets: Iterable[Sheet], about: dict[str, Any]) -> dict[str, Any]:
    """What each file and each column holds, after what the export is about."""
    return about | {
        "files": [
            {
                "name": sheet.name,
                "meaning": sheet.meaning,
                "rows": len(sheet.rows),
                "columns": [column.entry() for column in sheet.columns],
            }
            for sheet in sheets
        ]
    }


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return neutral(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    """An older file stays as it was unless the new one is complete."""
    part = path.with_name(f".{path.name}.part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)

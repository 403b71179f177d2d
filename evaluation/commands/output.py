"""What the commands share: numbers as text, and checks made before the work."""

import math
import os
from pathlib import Path

from evaluation.errors import InputError


def number(value: object) -> object:
    """A number for a CSV cell: whole ones without a point, others in full, none as an empty cell."""
    if not isinstance(value, float):
        return value
    if math.isnan(value):
        return ""
    return int(value) if value.is_integer() else repr(value)


def check_folder(path: Path | None) -> None:
    """Refuse an output file whose folder is missing, before anything is computed.

    Raises:
        InputError: The folder is not there.
    """
    if path is not None and not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} for {path.name}.")


def write_json(path: Path, text: str) -> None:
    """Write a text file whole.

    Raises:
        InputError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text + "\n", encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"Cannot write {path}: {error.strerror or error}; choose another name.") from error

"""Results as files and as text: CSV written whole or not at all, Markdown tables."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from evaluation.errors import InputError


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file; an older file stays as it was unless the new one is complete.

    Raises:
        InputError: The folder is missing or cannot be written to, or the disk is full.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"Cannot write {path}: {error.strerror or error}; choose another --out.") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file; an older file stays as it was unless the new one is complete.

    Raises:
        InputError: As for `write_csv`.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"Cannot write {path}: {error.strerror or error}; choose another --out.") from error


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; floats are shown with three decimals, numbers to the right."""
    cells = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row] for row in rows]
    widths = [max(len(str(line[i])) for line in [list(columns), *cells]) for i in range(len(columns))]

    def line(values: Sequence[str]) -> str:
        return "| " + " | ".join(str(value).ljust(width) for value, width in zip(values, widths, strict=True)) + " |"

    return "\n".join(
        [line(list(columns)), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, cells)]
    )

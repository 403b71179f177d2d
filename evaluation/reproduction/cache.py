"""Measurements kept on disk, so that a report that was stopped goes on where it was."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any


class Cache:
    """A folder of JSON files, one a measurement; its name says what was measured and with which settings.

    Args:
        folder: Made when something is kept.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def rows(self, name: str, settings: dict[str, Any], measure: Callable[[], list[Any]]) -> list[dict[str, Any]]:
        """The rows of a measurement, taken from the folder where it was made before with the same settings.

        Args:
            name: Of the measurement.
            settings: Everything that its result depends on; part of the file's name by a hash.
            measure: Makes the rows, as dataclasses or dictionaries.
        """
        known = {name: value for name, value in settings.items() if name != "processes"}  # no figure depends on them
        key = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()[:12]
        path = self.folder / f"{name}-{key}.json"
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))["rows"]
        made = [asdict(row) if is_dataclass(row) and not isinstance(row, type) else row for row in measure()]
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps({"settings": settings, "rows": made}, default=str), encoding="utf-8")
        os.replace(part, path)
        return json.loads(path.read_text(encoding="utf-8"))["rows"]

"""Packages and files that only some metrics need: found when they are asked for, and named when they are missing."""

import importlib
from pathlib import Path
from types import ModuleType

from evaluation.errors import InputError


def require(module: str, user: str, *pins: str) -> ModuleType:
    """Import a package that `user` needs.

    Args:
        module: Its name in Python.
        user: What needs it, as the message says it.
        pins: What to install, as pip takes it.

    Raises:
        InputError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{user} needs a package that is missing ({error.name}): pip install {' '.join(pins)}") from (
            error
        )


def existing_file(path: Path, what: str, way_out: str) -> Path:
    """The path itself.

    Raises:
        InputError: It is not a file; `what` says what was looked for, `way_out` what to give instead.
    """
    if not path.is_file():
        raise InputError(f"There is no {what} {path}; {way_out}.")
    return path

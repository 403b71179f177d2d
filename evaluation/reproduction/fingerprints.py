"""By what weights, corpora and settings are known again, when a measurement of theirs is found."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHECKPOINTS = Path(__file__).parents[2] / "assets" / "checkpoints"
_WEIGHTS = "model.safetensors"
# What a configuration says of a model without changing what it makes.
_TOLD = ("card",)


def of_values(values: Any) -> str:
    """Of whatever JSON can hold: twelve hexadecimal digits."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:12]


def of_file(path: Path) -> str:
    """Of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:12]


def model_folder(model: str) -> Path | None:
    """Where a model's files are: a folder (packaged, or of a finished run), or that of a bundled id; None without."""
    bundled = CHECKPOINTS / model
    if "/" not in model and (bundled / "config.yaml").is_file():
        return bundled
    path = Path(model)
    there = path.is_dir() and ((path / "config.yaml").is_file() or (path / _WEIGHTS).is_file())
    return path if there else None


def of_model(model: str) -> str | None:
    """Of a model's weights and configuration, and of the codec and the CLAP that it names; None where it is not here.

    A model of the Hub is known by its address.
    """
    if model.startswith("hf://"):
        return of_values(model)
    folder = model_folder(model)
    return None if folder is None else of_values(_parts(folder, frozenset()))


def _parts(folder: Path, seen: frozenset[Path]) -> dict[str, Any]:
    config = folder / "config.yaml"
    told = yaml.safe_load(config.read_text(encoding="utf-8")) if config.is_file() else {}
    parts: dict[str, Any] = {"config": {key: value for key, value in told.items() if key not in _TOLD}}
    if (folder / _WEIGHTS).is_file():
        parts["weights"] = of_file(folder / _WEIGHTS)
    for text in sorted(set(_texts(parts["config"]))):
        beside = folder / text
        if beside.is_file():
            parts[text] = of_file(beside)
        elif beside.is_dir() and (beside / _WEIGHTS).is_file() and beside.resolve() not in seen | {folder.resolve()}:
            parts[text] = _parts(beside, seen | {folder.resolve()})
    return parts


def _texts(value: Any) -> Iterator[str]:
    """Every text in nested values that could be a relative path of a file or a folder."""
    if isinstance(value, str):
        if value and not value.startswith("hf://"):
            yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)

"""What all parts of a configuration share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError


class StrictModel(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelCard(StrictModel):
    """What the list of models shows."""

    title: str = ""
    language: str = "en"
    licence: str = ""
    parameters: int | None = None


def describe(error: ValidationError) -> str:
    """The first fault of a validation in words, with the path of its key."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key '{path}'; check its spelling or remove it."
    if first["type"] == "missing":
        return f"the key '{path}' is missing."
    return f"the key '{path}' is wrong: {first['msg']} (found {first['input']!r:.60})."

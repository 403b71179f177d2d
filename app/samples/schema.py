"""The tables of samples as one strict YAML document: which prompts, which systems, which measured figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.errors import UserError
from app.settings import ASSETS
from app.studies import rules
from app.studies.faults import spell

FILE_NAME = "samples.yaml"
FOLDER = ASSETS / "samples"
ROOT = ASSETS.parent

Name = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(rules.check_name)]
Line = Annotated[str, Field(min_length=1, max_length=1000)]


def _in_repository(path: str) -> str:
    if Path(path).is_absolute() or ".." in Path(path).parts or not (ROOT / path).is_file():
        raise ValueError("no file of this repository; write its path from the repository's root")
    return path


RepositoryFile = Annotated[str, AfterValidator(_in_repository)]


class Strict(BaseModel):
    """Unknown keys and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Figure(Strict):
    """One figure of a column's head: `column` names it in the report, `label` on the page; `meaning` explains it."""

    column: Name
    label: Line
    meaning: Line
    unit: str = Field(default="", max_length=8)
    digits: int = Field(default=1, ge=0, le=4)


class Report(Strict):
    """Where figures are read when the sounds are made: the table below a heading of a Markdown report."""

    path: RepositoryFile
    heading: Line


class Prompts(Strict):
    """Beginnings that no model heard in training, each with how it really went on.

    `stories` are told by the speakers that were kept out of `corpus_stories.yaml`, `pieces` are the held-out pieces of
    `corpus_music.yaml`. Of each the first `prompt_seconds` are given, and `seconds` of new sound are made.
    """

    kind: Literal["stories", "pieces"]
    count: int = Field(ge=1, le=20)
    prompt_seconds: float = Field(gt=0, le=10)
    seconds: float = Field(gt=0, le=30)


class System(Strict):
    """One column. Without a model it is what really followed.

    Attributes:
        model: Folder of `assets/checkpoints`.
        bundled: False for a model that is not kept there: its sound stays while the model is away.
        temperature, steps, cfg: Of sampling; None leaves a value to the model.
        seed: Prompt number k is continued with the seed `1000 * seed + k`, as in the reports.
        recipe: What the model was trained by.
        changes: Keys that were set after the recipe.
        row: The system's name in the report's table.
        figures: Values by column, where they are not read from the report.
    """

    name: Name
    title: Line
    model: Name | None = None
    bundled: bool = True
    task: Literal["speech_continuation", "music_continuation"] | None = None
    temperature: float | None = Field(default=None, ge=0, le=4)
    steps: int | None = Field(default=None, ge=1, le=128)
    cfg: float | None = Field(default=None, ge=0, le=10)
    seed: int = Field(default=0, ge=0, le=1_000_000)
    recipe: RepositoryFile | None = None
    changes: str = Field(default="", max_length=200)
    row: Line | None = None
    figures: dict[Name, float] = Field(default={})

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = {"model": self.model, "task": self.task, "recipe": self.recipe}
        if missing := [name for name, value in given.items() if value is None]:
            asked = (self.temperature, self.steps, self.cfg)
            if len(missing) < len(given) or any(value is not None for value in asked):
                raise ValueError(f"a system with a model also needs {' and '.join(missing)}")
        return self


class Table(Strict):
    """Rows are prompts, columns systems; `points` say what to listen for.

    The table is made when of its systems with a model at least `least` can be heard.
    """

    name: Name
    title: Line
    points: list[Line] = Field(min_length=1, max_length=8)
    prompts: Prompts
    report: Report | None = None
    figures: list[Figure] = Field(default=[], max_length=6)
    systems: list[System] = Field(min_length=2, max_length=8)
    least: int = Field(1, ge=1, le=8)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [system.name for system in self.systems]
        columns = {figure.column for figure in self.figures}
        for system in self.systems:
            if names.count(system.name) > 1:
                raise ValueError(f"two systems are called {system.name}; names must differ")
            if system.name == "prompt":
                raise ValueError("a system cannot be called prompt, which is the folder of the prompts")
            if unknown := sorted(set(system.figures) - columns):
                raise ValueError(f"{system.name} has the figure {unknown[0]}, which is not among the table's figures")
            if system.row and self.report is None:
                raise ValueError(f"{system.name} names a row, and the table names no report")
        return self


class Description(Strict):
    """All tables of the page, in its order."""

    tables: list[Table] = Field(min_length=1, max_length=10)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [table.name for table in self.tables]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two tables are called {twice[0]}; names must differ")
        return self


def read_description(folder: Path) -> Description:
    """Read `samples.yaml` of a folder.

    Raises:
        UserError: it is missing, is no YAML, or has a fault; the sentence names the key.
    """
    path = folder / FILE_NAME
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); it describes the samples.", code="bad_samples") from None
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())[:200]
        raise UserError(f"{FILE_NAME} is not YAML ({told}); check its indentation.", code="bad_samples") from None
    try:
        return Description.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{FILE_NAME}: {_told(error)}", code="bad_samples") from None


def _told(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = spell(tuple(part for part in fault["loc"])) or "the whole"
    if fault["type"] == "extra_forbidden":
        return f"{place} is not a key that samples have; check its spelling or remove it."
    if fault["type"] == "missing":
        return f"{place} is missing; add it."
    return f"{place} cannot be used: {fault['msg'].removeprefix('Value error, ')}."

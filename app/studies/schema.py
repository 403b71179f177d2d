"""A study as one strict YAML document: what is tested, what is asked, who hears how much of it.

Units: seconds, minutes, LUFS. Scores of a MOS study run from 1 to the number of its labels, those of MUSHRA from 0
to 100.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from app.studies import rules
from app.studies.faults import Fault, StudyFileError, refuse
from app.studies.labels import INFORMATION, QUALITY
from app.studies.lines import MAX_BYTES, Lines, read_yaml

Kind = Literal["mos", "pairwise", "mushra"]
Role = Literal["system", "reference", "anchor_low", "anchor_mid"]
Phase = Literal["main", "training", "trap", "gold"]
Language = Literal["en", "fr"]

FILE_NAME = "study.yaml"
ANCHOR_NAMES = {"low": "anchor-3.5k", "mid": "anchor-7k"}
ANCHOR_ROLES: dict[str, Role] = {"low": "anchor_low", "mid": "anchor_mid"}
TIE = "tie"

Slug = Annotated[str, Field(min_length=2, max_length=60), AfterValidator(rules.check_slug)]
Name = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(rules.check_name)]
Line = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(rules.check_text)]
Pattern = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(rules.check_path)]
Range = Annotated[list[float], Field(min_length=2, max_length=2)]
Moment = Annotated[datetime, AfterValidator(rules.check_moment)]


class Strict(BaseModel):
    """Unknown keys and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Text(Strict):
    """A text in each language of the study."""

    en: Line | None = None
    fr: Line | None = None

    def get(self, language: str) -> str:
        """The text in a language; in another one where it is missing."""
        return getattr(self, language, None) or self.en or self.fr or ""


class Attribute(Strict):
    """One thing that is judged in a trial; labels are those of a scale's points, worst first."""

    name: Name
    question: Text
    labels: list[Text] | None = Field(None, min_length=2, max_length=11)


class System(Strict):
    """What is compared. `files` is a pattern with `{system}` and `{prompt}`, or a path for each prompt."""

    name: Name
    role: Role = "system"
    files: Pattern | dict[Name, Pattern] | None = None


class Expected(Strict):
    """The right answer of a trap, a gold item or a training item; it never leaves the server before the vote."""

    scores: dict[Name, Range] | None = Field(None, description="of each system the lowest and highest right score")
    winner: Name | None = Field(None, description="a system, or tie")


class Prompt(Strict):
    """An item: one sentence or excerpt, in the rendition of each system."""

    name: Name
    text: Line | None = None
    phase: Phase = "main"
    systems: list[Name] | None = Field(None, min_length=1, description="all systems when absent")
    expected: Expected | None = None
    feedback: Text | None = Field(None, description="shown after a training item")


class Choice(Strict):
    """One answer that can be chosen."""

    value: Name
    label: Text


class Question(Strict):
    """One question after the trials."""

    name: Name
    kind: Literal["text", "long_text", "number", "choice"]
    label: Text
    choices: list[Choice] | None = Field(None, min_length=2, max_length=30)
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None


class Completion(Strict):
    """How a participant proves to a panel that the session is finished."""

    kind: Literal["derived", "fixed"] = "derived"
    code: Annotated[str, Field(min_length=4, max_length=64), AfterValidator(rules.check_name)] | None = None
    redirect: Annotated[str, Field(max_length=500), AfterValidator(rules.check_redirect)] | None = None


class Study(Strict):
    """The whole study."""

    slug: Slug
    title: Text
    kind: Kind
    information: Text = Text(en=INFORMATION["en"], fr=INFORMATION["fr"])
    question: Text
    attributes: list[Attribute] = Field([], max_length=6)
    systems: list[System] = Field(min_length=1, max_length=40)
    prompts: list[Prompt] = Field(min_length=1, max_length=2000)
    files: Pattern = "audio/{system}/{prompt}.flac"
    reference: bool = Field(False, description="the reference is given, beside what is judged")
    anchors: list[Literal["low", "mid"]] = Field([], max_length=2, description="made by the server from the reference")
    pairs: list[Annotated[list[Name], Field(min_length=2, max_length=2)]] | None = Field(None, min_length=1)
    ties: bool = False
    minimum_seconds: float = Field(0.0, ge=0, le=60)
    items_per_session: int = Field(10, ge=1, le=100)
    ratings_wanted: int = Field(8, ge=1, le=10_000)
    training: int | None = Field(
        None, ge=0, le=10, description="of each kind all that there are, at most 3, when absent"
    )
    traps: int | None = Field(None, ge=0, le=5, description="one, when there are any")
    gold: int | None = Field(None, ge=0, le=5, description="one, when there are any")
    questionnaire: list[Question] = Field([], max_length=30)
    headphone_check: Literal["none", "woods", "huggins"] = "none"
    languages: list[Language] = Field(["en", "fr"], min_length=1, max_length=2)
    completion: Completion = Completion()
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    loudness_lufs: float | None = Field(-23.0, ge=-50, le=-10)
    session_minutes: float = Field(20.0, ge=1, le=20, description="ITU-T P.808 and BS.1534-3 allow no longer session")
    seed: int = Field(0, ge=0, lt=2**63)

    def judged(self) -> list[Attribute]:
        """What is asked in a trial: the attributes, or the study's question as the only one, with labels."""
        attributes = self.attributes or [Attribute(name="overall", question=self.question, labels=None)]
        if self.kind == "pairwise":
            return attributes
        words = [Text(en=en, fr=fr) for en, fr in zip(QUALITY["en"], QUALITY["fr"], strict=True)]
        return [one if one.labels else one.model_copy(update={"labels": words}) for one in attributes]

    def all_systems(self) -> list[System]:
        """The systems, and the anchors that the server makes."""
        made = [System(name=ANCHOR_NAMES[kind], role=ANCHOR_ROLES[kind]) for kind in self.anchors]
        return [*self.systems, *made]

    def reference_name(self) -> str | None:
        """The system that is the reference, if there is one."""
        return next((system.name for system in self.systems if system.role == "reference"), None)

    def rated(self) -> list[str]:
        """Names of the systems that are judged; a reference that is given is judged too, hidden, but in pairs."""
        given = self.kind == "pairwise" and self.reference
        return [system.name for system in self.all_systems() if not (given and system.role == "reference")]

    def rated_of(self, prompt: Prompt) -> list[str]:
        """Names of the systems that are judged on a prompt, in the study's order."""
        chosen = set(prompt.systems or self.rated())
        if self.kind == "mushra" and prompt.systems:
            chosen |= {system.name for system in self.all_systems() if system.role != "system"}
        return [name for name in self.rated() if name in chosen]

    def compared(self) -> list[tuple[str, str]]:
        """The pairs of a pairwise study."""
        if self.pairs is not None:
            return [(first, second) for first, second in self.pairs]
        return list(combinations(self.rated(), 2))

    def stimuli(self) -> Iterator[tuple[System, Prompt, str]]:
        """Every sound that the study needs as a file: system, prompt, path relative to the study's folder."""
        for prompt in self.prompts:
            wanted = set(self.rated_of(prompt))
            if self.reference or self.anchors or self.kind == "mushra":
                wanted |= {self.reference_name() or ""}
            for system in self.systems:
                if system.name in wanted:
                    yield system, prompt, self.path_of(system, prompt)

    def path_of(self, system: System, prompt: Prompt) -> str:
        """Where the sound of a system for a prompt lies, relative to the study's folder."""
        files = system.files or self.files
        if isinstance(files, dict):
            return files[prompt.name]
        return files.replace("{system}", system.name).replace("{prompt}", prompt.name)

    def served(self, phase: Literal["training", "trap", "gold"]) -> int:
        """How many items of a phase a session has."""
        there = sum(prompt.phase == phase for prompt in self.prompts)
        wanted = {"training": self.training, "trap": self.traps, "gold": self.gold}[phase]
        return min(there, (3 if phase == "training" else 1) if wanted is None else wanted)


def read_study(source: Path | str, name: str | None = None) -> Study:
    """Read and check a study.

    Args:
        source: A file, a folder with a `study.yaml`, or the YAML text itself.
        name: What to call it in errors.

    Raises:
        StudyFileError: It cannot be read, or breaks a rule; every fault has its line.
    """
    if isinstance(source, Path):
        text, path = read_text(source)
        return parse_study(text, name or path.name)
    return parse_study(source, name or FILE_NAME)


def read_text(path: Path) -> tuple[str, Path]:
    """The text of a study's file, given itself or by its folder, and its path.

    Raises:
        StudyFileError: There is none, or it is not UTF-8 text.
    """
    path = path / FILE_NAME if path.is_dir() else path
    try:
        if path.stat().st_size > MAX_BYTES:
            raise refuse(path.name, f"the file is larger than {MAX_BYTES // 1024} KB; a study is a few pages of text.")
        return path.read_text(encoding="utf-8"), path
    except UnicodeDecodeError:
        raise refuse(path.name, "this is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise refuse(str(path), f"the study cannot be read ({reason}); give a {FILE_NAME} or its folder.") from None


def parse_study(text: str, name: str = FILE_NAME) -> Study:
    """A study from its YAML text.

    Raises:
        StudyFileError: A rule is broken; every fault has its line.
    """
    values, lines = read_yaml(text, name)
    try:
        study = Study.model_validate(values)
    except ValidationError as error:
        raise StudyFileError(name, faults_found(error, values, lines)) from None
    broken = [Fault(place, message, lines.of(place)) for place, message in rules.broken(study)]
    if broken:
        raise StudyFileError(name, sorted(broken, key=lambda fault: fault.line or 0))
    return study


def warnings(study: Study) -> list[str]:
    """What the standards advise against, though the study can run; one sentence each."""
    return list(rules.advice(study))


def digest(text: str) -> str:
    """A fingerprint of a study's text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def faults_found(error: ValidationError, values: dict[str, Any], lines: Lines) -> list[Fault]:
    """Pydantic's findings in our words; a place keeps only the keys that the file has."""
    faults: dict[tuple[str | int, ...], Fault] = {}
    for found in error.errors(include_url=False):
        place = _within(found["loc"], values)
        if found["type"] == "missing":
            place = (*place, found["loc"][-1])
        message = rules.sentence(found["type"], found["msg"], found.get("ctx", {}), found["loc"])
        faults.setdefault(place, Fault(place, message, lines.of(place)))
    return sorted(faults.values(), key=lambda fault: fault.line or 0)


def _within(loc: tuple[str | int, ...], values: Any) -> tuple[str | int, ...]:
    place: list[str | int] = []
    for part in loc:
        if not isinstance(values, (list, dict)):
            break
        known = range(len(values)) if isinstance(values, list) else values
        if part in known:  # what is not: the name of a branch of a union, which the file does not have
            values = values[part]  # pyright: ignore[reportArgumentType, reportCallIssue]
            place.append(part)
    return tuple(place)

"""What meets in the arena: systems, voices and prompts as one strict YAML document.

    systems:
      - name: my-model
        model: path/to/folder

Units: seconds, hertz, LUFS. Settings that a system leaves out are its model's own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from app.speech import LIMITS
from app.studies.faults import Fault, StudyFileError, refuse
from app.studies.lines import Lines, read_yaml
from app.studies.schema import Line, Name, Strict, faults_found

SLUG = "arena"  # of the study that keeps the votes
MAX_SYSTEMS = 40
_MARK = "# arena "


def _within(name: str) -> Any:
    low, high = LIMITS[name]
    return Field(None, ge=low, le=high)


class System(Strict):
    """What competes: a model with settings, under a name that stands for both."""

    name: Name
    model: Annotated[str, Field(min_length=1, max_length=300)]
    title: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    temperature: float | None = _within("temperature")
    steps: int | None = _within("steps")
    cfg: float | None = _within("cfg")
    voices: dict[Name, Name] = Field({}, description="its own names for the arena's voices, where they differ")

    def settings(self) -> dict[str, Any]:
        """What a listener may learn after the vote; settings that were left out are not in it."""
        values = {"model": Path(self.model).name, "temperature": self.temperature, "steps": self.steps, "cfg": self.cfg}
        return {name: value for name, value in values.items() if value is not None}


class Prompt(Strict):
    """A text to pick."""

    name: Name
    text: Line


class Arena(Strict):
    """The whole document."""

    question: Line = "Which of the two would you rather listen to?"
    systems: list[System] = Field(min_length=2, max_length=MAX_SYSTEMS)
    voices: dict[Name, Line] = Field({"slt": "American woman"}, min_length=1, max_length=40)
    prompts: list[Prompt] = Field(min_length=1, max_length=500)
    minimum_seconds: float = Field(1.0, ge=0, le=30, description="of each recording, before a vote")
    sample_rate: int = Field(24_000, ge=8_000, le=48_000, description="of all recordings, so that none is known by it")
    loudness_lufs: float = Field(-23.0, ge=-40, le=-16)

    def names(self) -> list[str]:
        """The systems' names in the order of the file."""
        return [system.name for system in self.systems]

    def system(self, name: str) -> System:
        """A system by its name."""
        return next(system for system in self.systems if system.name == name)

    def prompt(self, name: str) -> Prompt | None:
        """A listed prompt by its name."""
        return next((prompt for prompt in self.prompts if prompt.name == name), None)

    def models(self) -> list[str]:
        """Every model once."""
        return list(dict.fromkeys(system.model for system in self.systems))

    def study_text(self) -> str:
        """The same as a study's YAML, which keeps the systems' settings in its first line."""
        study = {
            "slug": SLUG,
            "title": {"en": "Speech arena"},
            "kind": "pairwise",
            "question": {"en": self.question},
            "systems": [{"name": name} for name in self.names()],
            "prompts": [{"name": prompt.name, "text": prompt.text} for prompt in self.prompts],
            "ties": True,
            "minimum_seconds": self.minimum_seconds,
            "items_per_session": 1,
            "ratings_wanted": 1,
            "languages": ["en"],
        }
        told = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return f"{_MARK}{told}\n{json.dumps(study, indent=1)}\n"


def read_arena(path: Path) -> Arena:
    """The arena of a file; paths of models are completed from the file's folder.

    Raises:
        StudyFileError: it cannot be read or breaks a rule; the sentence names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise refuse(path.name, "this is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise refuse(str(path), f"the arena cannot be read ({reason}); set CALM_ARENA_FILE or CALM_ARENA=0.") from None
    arena = parse_arena(text, path.name)
    found = [_completed(system, path.parent) for system in arena.systems]
    return arena.model_copy(update={"systems": found})


def parse_arena(text: str, name: str) -> Arena:
    """The arena of a YAML text.

    Raises:
        StudyFileError: a rule is broken; every fault has its line.
    """
    values, lines = read_yaml(text, name)
    try:
        arena = Arena.model_validate(values)
    except ValidationError as error:
        raise StudyFileError(name, faults_found(error, values, lines)) from None
    faults = [*_twice(arena, lines), *_same_settings(arena, lines)]
    if faults:
        raise StudyFileError(name, sorted(faults, key=lambda fault: fault.line or 0))
    return arena


def kept_in(study_text: str) -> Arena | None:
    """The arena that a study's text was made of; None for any other study."""
    first = study_text.split("\n", 1)[0]
    if not first.startswith(_MARK):
        return None
    return Arena.model_validate_json(first.removeprefix(_MARK))


def renamed_settings(before: Arena, now: Arena) -> str | None:
    """The name of a system that stood for other settings before."""
    known = {system.name: _compared(system) for system in before.systems}
    return next((one.name for one in now.systems if known.get(one.name, _compared(one)) != _compared(one)), None)


def _compared(system: System) -> tuple[Any, ...]:
    return Path(system.model).name, system.temperature, system.steps, system.cfg


def _completed(system: System, folder: Path) -> System:
    path = folder / system.model
    return system.model_copy(update={"model": str(path.resolve())}) if path.exists() else system


def _twice(arena: Arena, lines: Lines) -> list[Fault]:
    faults = []
    for key, names in (
        ("systems", arena.names()),
        ("prompts", [prompt.name for prompt in arena.prompts]),
    ):
        seen: set[str] = set()
        for number, name in enumerate(names):
            if name.lower() in seen or (key == "systems" and name == "tie"):
                faults.append(_fault((key, number), f"{name!r} is taken; give each its own name.", lines))
            seen.add(name.lower())
    return faults


def _same_settings(arena: Arena, lines: Lines) -> list[Fault]:
    """Two names for one thing would be compared with each other for nothing."""
    seen: dict[tuple[Any, ...], str] = {}
    faults = []
    for number, system in enumerate(arena.systems):
        key = (system.model, system.temperature, system.steps, system.cfg, tuple(sorted(system.voices.items())))
        if key in seen:
            faults.append(_fault(("systems", number), f"{system.name!r} is the same as {seen[key]!r}.", lines))
        seen.setdefault(key, system.name)
    return faults


def _fault(place: tuple[str | int, ...], message: str, lines: Lines) -> Fault:
    return Fault(place, message, lines.of(place))

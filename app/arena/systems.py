"""What meets in the arena: systems, voices and prompts as one strict YAML document.

    systems:
      - name: my-model
        model: path/to/folder

Systems meet those of their own task only (see `app.arena.tasks`): some speak a text, others go on from a recording or
a piece, or make music of a description. Units: seconds, hertz, LUFS. Settings that a system leaves out are its model's.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from app import continuation
from app.arena.tasks import (
    ATTRIBUTES,
    GO_ON,
    KEYS,
    MUSIC_RATE,
    SPEAK,
    STRANGE,
    TASKS,
    Continuation,
    DescribedMusic,
    MusicContinuation,
    Prompt,
    Rules,
    Task,
)
from app.settings import ASSETS
from app.speech import LIMITS
from app.studies.faults import Fault, StudyFileError, refuse
from app.studies.lines import Lines, read_yaml
from app.studies.schema import Line, Name, Strict, Study, faults_found

log = logging.getLogger(__name__)
SLUG = "arena"  # of the study that keeps the votes
MAX_SYSTEMS = 40
_MARK = "# arena "


def _within(name: str) -> Any:
    low, high = {**continuation.LIMITS, **LIMITS, "steps": (1, 128)}[name]
    return Field(None, ge=low, le=high)


class System(Strict):
    """What competes: a model with settings, under a name that stands for both."""

    name: Name
    model: Annotated[str, Field(min_length=1, max_length=300)]
    task: Task = SPEAK
    optional: bool = Field(False, description="left out while its model is not there")
    title: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    temperature: float | None = _within("temperature")
    steps: int | None = _within("steps")
    cfg: float | None = _within("cfg")
    text_temperature: float | None = _within("text_temperature")
    top_k: int | None = _within("top_k")
    voices: dict[Name, Name] = Field({}, description="its own names for the arena's voices, where they differ")

    def settings(self) -> dict[str, Any]:
        """What a listener may learn after the vote; settings that were left out are not in it."""
        values = {name: getattr(self, name) for name in ("temperature", "steps", "cfg", "text_temperature", "top_k")}
        return {"model": Path(self.model).name, **{name: value for name, value in values.items() if value is not None}}


class Arena(Strict):
    """The whole document."""

    question: Line = "Which of the two would you rather listen to?"
    systems: list[System] = Field(min_length=2, max_length=MAX_SYSTEMS)
    voices: dict[Name, Line] = Field({"slt": "American woman"}, min_length=1, max_length=40)
    prompts: list[Prompt] = Field(min_length=1, max_length=500)
    continuation: Continuation | None = Field(None, description="needed by systems that go on from a recording")
    music: MusicContinuation | None = Field(None, description="needed by systems that go on from a piece")
    described: DescribedMusic | None = Field(None, description="needed by systems that make music of a description")
    minimum_seconds: float = Field(1.0, ge=0, le=30, description="of each recording, before a vote")
    sample_rate: int = Field(24_000, ge=8_000, le=48_000, description="of all speech, so that none is known by it")
    loudness_lufs: float = Field(-23.0, ge=-40, le=-16)

    def names(self, task: Task | None = None) -> list[str]:
        """The names of the systems, of one task or all, in the order of the file."""
        return [system.name for system in self.systems if task in (None, system.task)]

    def tasks(self) -> list[Task]:
        """What the systems do."""
        return [task for task in TASKS if self.names(task)]

    def rules(self, task: Task) -> Rules | None:
        """The rules of a task; None for speaking, whose rules are those of the document."""
        return getattr(self, KEYS[task]) if task in KEYS else None

    def question_of(self, task: Task) -> str:
        """What is asked about a pair of a task."""
        rules = self.rules(task)
        return rules.question if rules else self.question

    def least_seconds(self, task: Task) -> float:
        """How much of each recording of a task is heard before a vote."""
        rules = self.rules(task)
        return rules.minimum_seconds if rules else self.minimum_seconds

    def rate_of(self, task: Task) -> int:
        """The rate of all recordings of a task, in hertz."""
        return self.sample_rate if task in (SPEAK, GO_ON) else MUSIC_RATE

    def study_of(self, study: Study, task: Task) -> Study:
        """The arena's study as a pair of a task is judged: one question, and its own listening time."""
        one = [attribute for attribute in study.judged() if attribute.name == ATTRIBUTES[task]]
        return study.model_copy(update={"attributes": one, "minimum_seconds": self.least_seconds(task)})

    def system(self, name: str) -> System:
        """A system by its name."""
        return next(system for system in self.systems if system.name == name)

    def models(self) -> list[str]:
        """Every model once."""
        return list(dict.fromkeys(system.model for system in self.systems))

    def study_text(self) -> str:
        """The same as a study's YAML, which keeps the systems' settings in its first line."""
        study = {
            "slug": SLUG,
            "title": {"en": "Arena"},
            "kind": "pairwise",
            "question": {"en": self.question},
            "systems": [{"name": name} for name in self.names()],
            "prompts": [{"name": prompt.name, "text": prompt.text} for prompt in self.prompts],
            "attributes": self._attributes(),
            "ties": True,
            "minimum_seconds": self.minimum_seconds,
            "items_per_session": 1,
            "ratings_wanted": 1,
            "languages": ["en"],
        }
        if not study["attributes"]:
            del study["attributes"]
        told = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return f"{_MARK}{told}\n{json.dumps(study, indent=1)}\n"

    def _attributes(self) -> list[dict[str, Any]]:
        """Of a study with one question none are needed: votes of arenas that only speak keep their meaning."""
        if self.tasks() == [SPEAK]:
            return []
        return [{"name": ATTRIBUTES[task], "question": {"en": self.question_of(task)}} for task in self.tasks()]


def read_arena(path: Path) -> Arena:
    """The arena of a file; paths of models are completed from the file's folder.

    Optional systems whose model is not there are left out, and then whoever would have nobody to meet.

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
    there = [system for system in found if not (system.optional and not _is_there(system.model))]
    met = [one for one in there if not one.optional or sum(other.task == one.task for other in there) > 1]
    for system in found:
        if system not in met:
            log.info("The arena's system %s is left out: its model %s is not there.", system.name, system.model)
    if len(met) < 2:
        raise refuse(path.name, "fewer than two systems have a model that is there; add a model or set CALM_ARENA=0.")
    return arena.model_copy(update={"systems": met})


def _is_there(model: str) -> bool:
    """Whether a model can be loaded without asking the Hub."""
    return Path(model).exists() or (ASSETS / "checkpoints" / model / "model.safetensors").is_file()


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
    faults = [*_twice(arena, lines), *_same_settings(arena, lines), *_tasks(arena, lines)]
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
    return tuple(system.settings().items())


def _completed(system: System, folder: Path) -> System:
    path = folder / system.model
    return system.model_copy(update={"model": str(path.resolve())}) if path.exists() else system


def _twice(arena: Arena, lines: Lines) -> list[Fault]:
    faults = []
    for key, names in (
        ("systems", arena.names()),
        ("prompts", [prompt.name for prompt in arena.prompts]),
        ("described", [prompt.name for prompt in arena.described.prompts] if arena.described else []),
    ):
        seen: set[str] = set()
        for number, name in enumerate(names):
            if name.lower() in seen or (key == "systems" and name == "tie"):
                place = (key, "prompts", number) if key == "described" else (key, number)
                faults.append(_fault(place, f"{name!r} is taken; give each its own name.", lines))
            seen.add(name.lower())
    return faults


def _same_settings(arena: Arena, lines: Lines) -> list[Fault]:
    """Two names for one thing would be compared with each other for nothing."""
    seen: dict[tuple[Any, ...], str] = {}
    faults = []
    for number, system in enumerate(arena.systems):
        key = (system.task, system.model, *system.settings().items(), *sorted(system.voices.items()))
        if key in seen:
            faults.append(_fault(("systems", number), f"{system.name!r} is the same as {seen[key]!r}.", lines))
        seen.setdefault(key, system.name)
    return faults


def _tasks(arena: Arena, lines: Lines) -> list[Fault]:
    """A setting belongs to a task, and nobody meets a system of another one."""
    faults = []
    for number, system in enumerate(arena.systems):
        place = ("systems", number)
        faults += [
            _fault((*place, key), f"{key!r} is no setting of the task {system.task}; leave it out.", lines)
            for key in STRANGE[system.task]
            if getattr(system, key)
        ]
        if len(arena.names(system.task)) == 1:
            message = (
                f"{system.name!r} is the only system of the task {system.task} and would meet nobody; add another."
            )
            faults.append(_fault(place, message, lines))
        if system.task in KEYS and arena.rules(system.task) is None:
            key = KEYS[system.task]
            needed = "needs 'prompts'" if key == "described" else "may be {}"
            does = "goes on from recordings" if system.task == GO_ON else f"has the task {system.task}"
            message = f"{system.name!r} {does}; add the key {key!r}, which {needed}."
            faults.append(_fault(place, message, lines))
    return faults


def _fault(place: tuple[str | int, ...], message: str, lines: Lines) -> Fault:
    return Fault(place, message, lines.of(place))

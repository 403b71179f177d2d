"""What stays the same of a study's version, read once: the parsed file, its design, ids of systems and prompts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.study_models import Prompt, Stimulus, StudyVersion, System
from app.studies.assignment import Design
from app.studies.schema import Study, parse_study

KEPT_VERSIONS = 32


@dataclass(frozen=True)
class Version:
    """One wording of a study with its sounds; versions never change.

    Attributes:
        id: Of the version.
        study_id: Of the study that it is a version of.
        study: The file.
        design: What the assignment needs of it.
        roles: Of each system by name.
        prompts: Id of each prompt by name.
        stimuli: Id of the stimulus of a system (name) for a prompt (name).
        systems: Name of the system of each stimulus by id.
        seconds: Length of each stimulus by id.
    """

    id: str
    study_id: str
    study: Study
    design: Design
    roles: dict[str, str]
    prompts: dict[str, str]
    stimuli: dict[tuple[str, str], str]
    systems: dict[str, str]
    seconds: dict[str, float]


class Versions:
    """Versions that were in use lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Version] = OrderedDict()

    def get(self, session: Session, version_id: str) -> Version:
        """The version with an id that is in the database."""
        with self._lock:
            if version_id in self._kept:
                self._kept.move_to_end(version_id)
                return self._kept[version_id]
        version = _load(session, version_id)
        with self._lock:
            self._kept[version_id] = version
            while len(self._kept) > KEPT_VERSIONS:
                self._kept.popitem(last=False)
        return version


def _load(session: Session, version_id: str) -> Version:
    row = session.get_one(StudyVersion, version_id)
    study = parse_study(row.yaml)
    systems = {one.id: one for one in session.scalars(select(System).where(System.version_id == version_id))}
    prompts = {one.id: one for one in session.scalars(select(Prompt).where(Prompt.version_id == version_id))}
    stimuli = list(session.scalars(select(Stimulus).where(Stimulus.version_id == version_id)))
    return Version(
        id=version_id,
        study_id=row.study_id,
        study=study,
        design=Design.of(study),
        roles={one.name: one.role for one in systems.values()},
        prompts={one.name: one.id for one in prompts.values()},
        stimuli={(systems[one.system_id].name, prompts[one.prompt_id].name): one.id for one in stimuli},
        systems={one.id: systems[one.system_id].name for one in stimuli},
        seconds={one.id: one.seconds for one in stimuli},
    )

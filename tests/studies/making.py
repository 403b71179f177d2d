"""Small open studies in a database of their own, with sounds, for tests of the participants' side."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from app.db import Database
from app.db.study_models import Prompt, Stimulus, Study, StudyVersion, System
from app.studies.schema import parse_study
from app.studies.sounds import Sound, wave_bytes

RATE = 24_000
SYSTEMS = ("source-voice", "zebra-codec", "quokka-model")  # words that occur nowhere else, for the blindness test


class Clock:
    """The present moment, which tests may move."""

    def __init__(self) -> None:
        self.skipped = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.skipped

    def skip(self, seconds: float) -> None:
        self.skipped += timedelta(seconds=seconds)


def text(en: str, fr: str) -> dict[str, str]:
    return {"en": en, "fr": fr}


def study(kind: str, **changes: Any) -> dict[str, Any]:
    """A short study of a kind with training, a trap and a gold item."""
    pair = kind == "pairwise"
    right = {"winner": SYSTEMS[0]} if pair else {"scores": {SYSTEMS[0]: [4, 5]}}
    if kind == "mushra":
        right = {"scores": {SYSTEMS[0]: [80, 100]}}
    heard = list(SYSTEMS[:2]) if pair else [SYSTEMS[0]] if kind == "mos" else None
    check = {"expected": right} | ({"systems": heard} if heard else {})
    values: dict[str, Any] = {
        "slug": f"{kind}-test",
        "title": text("Voices", "Des voix"),
        "kind": kind,
        "question": text("How good does it sound?", "Quelle est la qualité ?"),
        "systems": [{"name": name} for name in SYSTEMS],
        "prompts": [
            *({"name": f"sentence{number}", "text": "The boats came home."} for number in range(4)),
            {"name": "practice", "phase": "training", **check},
            {"name": "attention", "phase": "trap", **check},
            {"name": "known", "phase": "gold", **check},
        ],
        "files": "audio/{system}/{prompt}.wav",
        "items_per_session": 2,
        "ratings_wanted": 4,
        "minimum_seconds": 0.6,
        "questionnaire": [
            {"name": "age", "kind": "number", "label": text("Age", "Âge"), "minimum": 18, "maximum": 99},
            {
                "name": "musician", "kind": "choice", "required": True,
                "label": text("Do you make music?", "Faites-vous de la musique ?"),
                "choices": [
                    {"value": "yes", "label": text("Yes", "Oui")}, {"value": "no", "label": text("No", "Non")},
                ],
            },
            {"name": "remarks", "kind": "long_text", "label": text("Remarks", "Remarques")},
        ],
    }  # fmt: skip
    if kind == "mushra":
        values["systems"] = [{"name": SYSTEMS[0], "role": "reference"}, *values["systems"][1:]]
        values["anchors"] = ["low", "mid"]
    if pair:
        values |= {"ties": True, "reference": True}
        values["systems"] = [*values["systems"], {"name": "true-reference", "role": "reference"}]
    values |= changes
    return {key: value for key, value in values.items() if value is not None}


def put_study(database: Database, media: Path, values: dict[str, Any], seconds: float = 1.2) -> str:
    """Add an open study with its sounds; returns the version's id. Each system has its own pitch and length."""
    written = json.dumps(values, ensure_ascii=False)  # JSON is YAML too, and has no aliases
    parsed = parse_study(written)
    with database.write() as session:
        row = Study(slug=parsed.slug, state="open")
        version = StudyVersion(study=row, number=1, yaml=written, digest="0" * 64)
        session.add_all([row, version])
        session.flush()
        systems = [System(version_id=version.id, name=one.name, role=one.role) for one in parsed.all_systems()]
        prompts = [
            Prompt(version_id=version.id, name=one.name, text=one.text, phase=one.phase) for one in parsed.prompts
        ]
        session.add_all([*systems, *prompts])
        session.flush()
        frames = round(seconds * RATE)
        for number, system in enumerate(systems):
            for at, prompt in enumerate(prompts):
                sound = tone(200 + 90 * number + 13 * at, seconds * (1 - 0.03 * number))
                content = wave_bytes(sound, frames, np.random.default_rng([number, at]))
                path = media / parsed.slug / f"{number:03d}{at:03d}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                session.add(
                    Stimulus(
                        version_id=version.id, system_id=system.id, prompt_id=prompt.id,
                        digest=f"{number:032d}{at:032d}", path=str(path.relative_to(media)),
                        seconds=seconds * (1 - 0.03 * number), sample_rate=RATE, channels=1, lufs=-23.0,
                    )
                )  # fmt: skip
        return version.id


def tone(hertz: float, seconds: float) -> Sound:
    time = np.arange(round(seconds * RATE)) / RATE
    return Sound((0.1 * np.sin(2 * np.pi * hertz * time) * (0.6 + 0.4 * np.sin(9 * time)))[:, None], RATE)

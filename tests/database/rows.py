"""A small study with its rows, as services make them."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.db.study_models import (
    MushraScoreRow,
    Prompt,
    Rater,
    RaterSession,
    Stimulus,
    Study,
    StudyVersion,
    System,
    Trial,
    TrialStimulus,
    Vote,
)


@dataclass(frozen=True)
class Rows:
    """Keys of what was added."""

    study: str
    version: str
    systems: tuple[str, ...]
    prompts: tuple[str, ...]
    stimuli: dict[tuple[str, str], str]


def add_study(session: Session, slug: str = "tones", systems: int = 2, prompts: int = 3) -> Rows:
    """An open study of `systems` systems and `prompts` items."""
    study = Study(slug=slug, state="open")
    version = StudyVersion(study=study, number=1, yaml=f"slug: {slug}\n", digest="0" * 64)
    session.add_all([study, version])
    session.flush()
    named = [System(version_id=version.id, name=f"system {n}") for n in range(systems)]
    items = [Prompt(version_id=version.id, name=f"item {n}", text="A tone.") for n in range(prompts)]
    session.add_all([*named, *items])
    session.flush()
    stimuli = {}
    for system in named:
        for item in items:
            row = Stimulus(
                version_id=version.id, system_id=system.id, prompt_id=item.id, digest="d" * 64,
                path=f"{system.name}/{item.name}.flac", seconds=2.5, sample_rate=24_000, channels=1, lufs=-23.0,
            )  # fmt: skip
            session.add(row)
            session.flush()
            stimuli[system.id, item.id] = row.id
    return Rows(study.id, version.id, tuple(s.id for s in named), tuple(p.id for p in items), stimuli)


def add_session(session: Session, rows: Rows, panel_id: str | None = None) -> str:
    """A rater with an active session."""
    rater = Rater(study_id=rows.study, panel="prolific" if panel_id else "open", panel_id=panel_id)
    session.add(rater)
    session.flush()
    sitting = RaterSession(rater_id=rater.id, version_id=rows.version, seed=2**62, panel_json={"id": panel_id})
    session.add(sitting)
    session.flush()
    return sitting.id


def add_trial(session: Session, rows: Rows, sitting: str, position: int = 0) -> Trial:
    """A trial over every system."""
    prompt = rows.prompts[position % len(rows.prompts)]
    trial = Trial(session_id=sitting, position=position, prompt_id=prompt, seed=position)
    session.add(trial)
    session.flush()
    for slot, system in enumerate(rows.systems):
        session.add(TrialStimulus(trial_id=trial.id, stimulus_id=rows.stimuli[system, prompt], slot=slot))
    return trial


def add_vote(session: Session, rows: Rows, trial: Trial, key: str, score: float = 50.0) -> None:
    """A MUSHRA vote: one grade for each system."""
    session.add(Vote(key=key, trial_id=trial.id, body_digest="b" * 64))
    for system in rows.systems:
        stimulus = rows.stimuli[system, trial.prompt_id]
        session.add(MushraScoreRow(trial_id=trial.id, stimulus_id=stimulus, attribute="quality", score=score))

"""From a design to the trials of one session, inside a transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby

import numpy as np
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.db.models import new_id
from app.db.study_models import Prompt, Rater, RaterSession, Stimulus, System, Trial, TrialStimulus
from app.studies.assignment import Counts, PlannedTrial, plan_session
from app.studies.versions import Version

EXPECTED_HOURS = 2.0  # after this an open trial of a session that began is not waited for


def tally(session: Session, version: Version, now: datetime) -> Counts:
    """What main trials were answered, or are still expected from sessions that began lately."""
    lately = now - timedelta(hours=EXPECTED_HOURS)
    rows = session.execute(
        select(Trial.id, Prompt.name, System.name)
        .join(RaterSession, Trial.session_id == RaterSession.id)
        .join(Rater, RaterSession.rater_id == Rater.id)
        .join(Prompt, Trial.prompt_id == Prompt.id)
        .join(TrialStimulus, TrialStimulus.trial_id == Trial.id)
        .join(Stimulus, TrialStimulus.stimulus_id == Stimulus.id)
        .join(System, Stimulus.system_id == System.id)
        .where(
            RaterSession.version_id == version.id,
            Rater.excluded_at.is_(None),
            Trial.phase == "main",
            TrialStimulus.is_reference_given.is_(False),
            or_(Trial.answered_at.is_not(None), (RaterSession.state == "active") & (RaterSession.started_at >= lately)),
        )
        .order_by(Trial.id, TrialStimulus.slot)
    ).all()
    trials = [
        (group[0][1], [row[2] for row in group]) for _, rows_ in groupby(rows, lambda r: r[0]) if (group := list(rows_))
    ]
    planned = (
        select(func.count(func.distinct(Trial.session_id)))
        .join(RaterSession, Trial.session_id == RaterSession.id)
        .where(RaterSession.version_id == version.id)
    )
    return Counts.tally(version.design, session.scalar(planned) or 0, trials)


def met_before(session: Session, row: RaterSession) -> set[str]:
    """Prompts that the rater of a session met in earlier ones."""
    query = (
        select(Prompt.name)
        .join(Trial, Trial.prompt_id == Prompt.id)
        .join(RaterSession, Trial.session_id == RaterSession.id)
        .where(RaterSession.rater_id == row.rater_id, RaterSession.id != row.id, Trial.served_at.is_not(None))
    )
    return set(session.scalars(query))


def plan(session: Session, version: Version, row: RaterSession, now: datetime) -> int:
    """Draw the trials of a session from its seed and add them; returns how many, 0 when nothing is left to rate."""
    counts = tally(session, version, now)
    planned = plan_session(version.design, counts, np.random.default_rng(row.seed), met_before(session, row))
    for trial in planned:
        _add(session, version, row, trial)
    return len(planned)


def _add(session: Session, version: Version, row: RaterSession, planned: PlannedTrial) -> None:
    trial = Trial(
        id=new_id(),
        session_id=row.id,
        position=planned.position,
        phase=planned.phase,
        prompt_id=version.prompts[planned.prompt],
        seed=planned.seed,
        expected_json=planned.expected,
    )
    session.add(trial)
    heard = [(name, False) for name in planned.systems]
    if planned.reference is not None:
        heard.append((planned.reference, True))
    for slot, (name, given) in enumerate(heard):
        stimulus = version.stimuli[name, planned.prompt]
        session.add(TrialStimulus(trial_id=trial.id, stimulus_id=stimulus, slot=slot, is_reference_given=given))

"""From a design to the trials of one session, inside a transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from app.db.models import new_id
from app.db.study_models import Prompt, Rater, RaterSession, Trial, TrialStimulus
from app.studies.assignment import Counts, PlannedTrial, plan_session
from app.studies.versions import Version

EXPECTED_HOURS = 2.0  # after this an open trial of a session that began is not waited for


def tally(session: Session, version: Version, now: datetime) -> Counts:
    """What main trials were answered, or are still expected from sessions that began lately.

    The database counts: a study of ten thousand ratings sends some hundred rows here.
    """
    lately = now - timedelta(hours=EXPECTED_HOURS)
    first, second = aliased(TrialStimulus), aliased(TrialStimulus)
    heard = [first.stimulus_id, second.stimulus_id] if version.design.kind == "pairwise" else [first.stimulus_id]
    query = (
        select(Trial.prompt_id, func.count(), *heard)
        .join(RaterSession, Trial.session_id == RaterSession.id)
        .join(Rater, RaterSession.rater_id == Rater.id)
        .join(first, (first.trial_id == Trial.id) & (first.slot == 0))
        .where(
            RaterSession.version_id == version.id,
            Rater.excluded_at.is_(None),
            Trial.phase == "main",
            or_(Trial.answered_at.is_not(None), (RaterSession.state == "active") & (RaterSession.started_at >= lately)),
        )
        .group_by(Trial.prompt_id, *heard)
    )
    if version.design.kind == "pairwise":
        query = query.join(second, (second.trial_id == Trial.id) & (second.slot == 1))
    planned = select(func.count(RaterSession.id)).where(
        RaterSession.version_id == version.id, select(Trial.id).where(Trial.session_id == RaterSession.id).exists()
    )
    counts = Counts(session.scalar(planned) or 0)
    names = {key: name for name, key in version.prompts.items()}
    for prompt, times, *stimuli in session.execute(query):
        counts.add(version.design, names[prompt], [version.systems[one] for one in stimuli], times)
    return counts


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

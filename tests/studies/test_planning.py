"""What the database counts before a session is planned."""

from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import select

from app.db.study_models import Rater, RaterSession, Stimulus, System, Trial, TrialStimulus
from app.studies.planning import EXPECTED_HOURS, tally
from app.studies.versions import Versions
from tests.studies.conftest import Hall
from tests.studies.test_votes import KINDS, rater


@pytest.mark.parametrize("kind", KINDS)
def test_answers_and_open_trials_count_and_those_of_excluded_raters_do_not(
    hall: Hall, client: httpx.Client, kind: str
) -> None:
    finished, excluded, at_work, left = (rater(hall, client, kind) for _ in range(4))
    for one in (finished, excluded):
        one.finish()
    with hall.database.write() as session:
        sessions = list(session.scalars(select(RaterSession).order_by(RaterSession.started_at)))
        session.get_one(Rater, sessions[1].rater_id).excluded_at = datetime.now(UTC)
        sessions[3].state = "left"
    assert at_work.trial and left.trial

    with hall.database.read() as session:
        version = Versions().get(session, sessions[0].version_id)
        names = {key: name for key, name in session.execute(select(Stimulus.id, System.name).join(System))}  # noqa: C416
        prompts = {key: name for name, key in version.prompts.items()}
        expected, first = Counter(), Counter()
        for trial in session.scalars(select(Trial).where(Trial.phase == "main")):
            if trial.session_id not in (sessions[0].id, sessions[2].id):
                continue
            slots = select(TrialStimulus.stimulus_id).where(
                TrialStimulus.trial_id == trial.id, TrialStimulus.is_reference_given.is_(False)
            )
            heard = tuple(names[one] for one in session.scalars(slots.order_by(TrialStimulus.slot)))
            prompt = prompts[trial.prompt_id]
            expected[version.design.unit(prompt, heard)] += 1
            if kind == "pairwise":
                first[prompt, *heard] += 1
        counts = tally(session, version, hall.clock())
        assert counts.sessions == 4 and sum(expected.values()) == 2 * version.design.items_per_session
        assert counts.ratings == expected and counts.first == first
        hall.clock.skip(3600 * (EXPECTED_HOURS + 1))  # nobody waits for who is away so long
        assert sum(tally(session, version, hall.clock()).ratings.values()) == version.design.items_per_session

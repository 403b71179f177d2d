"""A study made from a folder is served to a listener, from the first page to the code."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from app.db import study_models as rows
from app.studies.create import create_study
from app.studies.manage import set_state
from tests.studies.conftest import Hall
from tests.studies.makers import study, write_folder
from tests.studies.rater import Rater

CHECKS = {
    "mos": {"name": "g", "phase": "gold", "systems": ["one"], "expected": {"scores": {"one": [4, 5]}}},
    "pairwise": {"name": "g", "phase": "gold", "systems": ["one", "two"], "expected": {"winner": "one"}},
    "mushra": {"name": "g", "phase": "gold", "expected": {"scores": {"ref": [90, 100]}}},
}


@pytest.mark.parametrize("kind", ["mos", "pairwise", "mushra"])
def test_a_listener_finishes_a_study_made_from_a_folder(hall: Hall, tmp_path: Path, kind: str) -> None:
    training = {"name": "t", "phase": "training"}
    values = study(kind, slug=f"made-{kind}", prompts=[*study()["prompts"], training, CHECKS[kind]])
    create_study(hall.database, hall.media, write_folder(tmp_path / kind, values))
    set_state(hall.database, f"made-{kind}", "open", actor="test")
    with httpx.Client(base_url=hall.url, timeout=30) as client:
        rater = Rater(client, f"made-{kind}", hall.clock)
        rater.begin()
        assert rater.state["step"] == "training"
        code = rater.finish()
    assert len(code) >= 6
    sounds = [one for one in rater.responses if one.request.url.path.startswith("/media/")]
    assert sounds and all(one.content[:4] == b"RIFF" and one.headers["content-type"] == "audio/wav" for one in sounds)
    with hall.database.read() as session:
        mine = select(rows.Trial.phase, func.count()).join(rows.RaterSession).join(rows.StudyVersion).join(rows.Study)
        served = session.execute(mine.where(rows.Study.slug == f"made-{kind}").group_by(rows.Trial.phase)).all()
    assert {phase: number for phase, number in served} == {"training": 1, "main": 3, "gold": 1}  # noqa: C416


def test_all_sounds_of_a_trial_have_one_size(hall: Hall, tmp_path: Path) -> None:
    # the renditions differ in length, and the anchors would pack smaller; neither may show
    create_study(hall.database, hall.media, write_folder(tmp_path / "in", study("mushra", slug="one-size")))
    set_state(hall.database, "one-size", "open", actor="test")
    with httpx.Client(base_url=hall.url, timeout=30) as client:
        rater = Rater(client, "one-size", hall.clock)
        rater.begin()
        wanted = [*(slot["media"] for slot in rater.trial["slots"]), rater.trial["reference"]]
        sounds = [client.get(f"/media/{media}").content for media in wanted]
    assert (
        len(sounds) == 6 and len({len(sound) for sound in sounds}) == 1 and len({sound[:44] for sound in sounds}) == 1
    )


def test_a_study_that_is_changed_while_it_runs_lets_sessions_finish_on_theirs(hall: Hall, tmp_path: Path) -> None:
    create_study(hall.database, hall.media, write_folder(tmp_path / "in", study(slug="changed")))
    set_state(hall.database, "changed", "open", actor="test")
    with httpx.Client(base_url=hall.url, timeout=30) as client:
        early = Rater(client, "changed", hall.clock)
        early.begin()
        names = [{"name": name} for name in ("one", "two", "three")]
        changed = study(slug="changed", systems=names, items_per_session=2, prompts=[{"name": "q0"}, {"name": "q1"}])
        create_study(hall.database, hall.media, write_folder(tmp_path / "in", changed), new_version=True)
        late = Rater(client, "changed", hall.clock)
        late.begin()
        assert early.finish() != late.finish()
    with hall.database.read() as session:
        query = (
            select(rows.StudyVersion.number, rows.Prompt.name)
            .select_from(rows.Trial)
            .join(rows.RaterSession, rows.Trial.session_id == rows.RaterSession.id)
            .join(rows.StudyVersion, rows.RaterSession.version_id == rows.StudyVersion.id)
            .join(rows.Prompt, rows.Trial.prompt_id == rows.Prompt.id)
            .where(rows.Trial.answered_at.is_not(None))
        )
        answered = sorted(tuple(row) for row in session.execute(query))
    assert [number for number, _ in answered] == [1, 1, 1, 2, 2]
    assert {name for number, name in answered if number == 2} == {"q0", "q1"}

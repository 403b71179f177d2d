"""Each kind of study from consent to code in real Chromium: desktop and phone, by mouse and by keyboard alone."""

import pytest
from sqlalchemy import select

from app.db.study_models import (
    ComparisonRow,
    Flag,
    MushraScoreRow,
    OpinionScoreRow,
    RaterSession,
    Trial,
    Vote,
)
from tests.axe import faults_of_access
from tests.studies.conftest import Hall
from tests.studies.making import put_study, study
from tests.studies.participant import LOOKS, Means, Participant

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(240)]
RATED = {"mos": 1, "pairwise": 1, "mushra": 5}  # rows of scores for each trial
ROWS = {"mos": OpinionScoreRow, "pairwise": ComparisonRow, "mushra": MushraScoreRow}


# every two of kind, look and means meet
@pytest.mark.parametrize(
    ("kind", "look", "means"),
    [
        ("mos", "desktop", "mouse"),
        ("mos", "phone", "keyboard"),
        ("pairwise", "desktop", "keyboard"),
        ("pairwise", "phone", "mouse"),
        ("mushra", "desktop", "keyboard"),
        ("mushra", "phone", "mouse"),
    ],
)
def test_from_consent_to_code(browser, hall: Hall, kind: str, look: str, means: Means) -> None:
    put_study(hall.database, hall.media, study(kind, minimum_seconds=0.2))
    context = browser.new_context(**LOOKS[look], locale="en-GB")
    one = Participant(context, hall, means)
    one.open(f"/rate?study={kind}-test")
    pages: dict[str, list[str]] = {}

    def look_over(page: str) -> None:
        pages[page] = faults_of_access(one.page)

    look_over("consent")
    one.consent()
    look_over("setup")
    one.set_up()
    one.page.wait_for_function("() => !document.querySelector('.trial .play').disabled")
    look_over("trial")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= LOOKS[look]["viewport"]["width"]
    assert one.trials() == 5
    look_over("questionnaire")
    one.questionnaire()
    code = one.code()
    look_over("done")
    context.close()
    assert pages == {name: [] for name in pages} and len(pages) == 5
    assert not one.faults
    assert hall.service.is_completion_code(f"{kind}-test", code)
    with hall.database.read() as session:
        row = session.scalars(select(RaterSession)).one()
        assert (row.state, row.completion_code) == ("finished", code)
        assert row.questionnaire_json == {"musician": "yes", "remarks": "=1+1 & <b>fine</b>"}
        trials = list(session.scalars(select(Trial).order_by(Trial.position)))
        assert [trial.phase for trial in trials].count("main") == 2 and trials[0].phase == "training"
        assert all(trial.answered_at and trial.listening_seconds and trial.listening_seconds >= 0.2 for trial in trials)
        assert len(list(session.scalars(select(Vote)))) == 5
        assert len(list(session.scalars(select(ROWS[kind])))) == 5 * RATED[kind]
        # the trap and the gold item expect what was not always answered; MOS answers 4, which is right
        if kind == "mos":
            assert not [flag.kind for flag in session.scalars(select(Flag)) if flag.kind.endswith("_failed")]


def test_french_all_through(browser, hall: Hall) -> None:
    put_study(hall.database, hall.media, study("mos", training=0, traps=0, gold=0))
    context = browser.new_context(**LOOKS["desktop"], locale="fr-FR")
    one = Participant(context, hall)
    one.open("/rate")
    assert one.heading == "Tests d’écoute"
    one.press("a.go")
    one.page.wait_for_selector("form .tick")
    assert "accepte de participer" in one.page.inner_text("main")
    one.consent()
    assert one.heading == "Régler le son"
    one.page.get_by_role("button", name="English").click()  # and back again, in the middle of a session
    one.page.wait_for_function("() => document.documentElement.lang === 'en'")
    one.page.get_by_role("button", name="Français").click()
    one.page.wait_for_function("() => document.documentElement.lang === 'fr'")
    one.page.click("form .listen")
    one.page.wait_for_function("() => document.querySelector('form .listen').textContent.includes('Écouter')")
    one.page.click("form .tick")
    one.choose("device", "headphones")
    one.choose("room", "quiet")
    one.next()
    assert one.heading == "Quelle est la qualité ?"
    assert "Médiocre" in one.page.inner_text(".trial")
    one.trials()
    assert one.heading == "Quelques dernières questions"
    one.questionnaire()
    assert one.heading == "Merci !"
    context.close()
    assert not one.faults


def test_the_headphone_check_is_passed_by_right_answers(browser, hall: Hall) -> None:
    from app.studies.headphones import answers

    put_study(hall.database, hall.media, study("mos", headphone_check="huggins"))
    context = browser.new_context(**LOOKS["desktop"], locale="en-GB")
    one = Participant(context, hall)
    one.open("/rate?study=mos-test")
    one.consent()
    one.set_up()
    with hall.database.read() as session:
        seed = session.scalars(select(RaterSession)).one().seed
    one.page.evaluate("""() => {  // six sounds of four seconds are not heard to their ends here
        const start = AudioBufferSourceNode.prototype.start;
        AudioBufferSourceNode.prototype.start = function () { start.call(this, 0, 0, 0.05); };
    }""")
    for number, answer in enumerate(answers("huggins", seed + 1)):
        one.page.locator(".headphone .listen").nth(number).click()
        one.page.wait_for_function(
            "(n) => !document.querySelectorAll('.headphone .listen')[n].classList.contains('chosen')", arg=number
        )
        one.choose(f"headphones-{number}", str(answer))
    one.next()
    assert one.page.locator(".trial").count() == 1
    context.close()
    with hall.database.read() as session:
        setup = session.scalars(select(RaterSession)).one().setup_json
        assert setup and setup["headphones"] == [{"check": "huggins", "right": 6, "passed": True}]
        assert not list(session.scalars(select(Flag)))

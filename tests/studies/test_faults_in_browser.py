"""What goes wrong in a browser: no network, reloads, two tabs, double clicks, and coming back another day."""

import re

import pytest
from sqlalchemy import func, select

from app.db.study_models import OpinionScoreRow, Trial, Vote
from tests.studies.conftest import Hall
from tests.studies.making import put_study, study
from tests.studies.participant import LOOKS, UNLOCKED, Participant

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def answered(hall: Hall) -> int:
    with hall.database.read() as session:
        votes = session.scalar(select(func.count()).select_from(Vote)) or 0
        assert votes == session.scalar(select(func.count()).select_from(OpinionScoreRow))
        return votes


@pytest.fixture
def one(browser, hall: Hall):
    """A participant at the first trial of a MOS study without training."""
    put_study(hall.database, hall.media, study("mos", training=0))
    context = browser.new_context(**LOOKS["desktop"], locale="en-GB")
    one = Participant(context, hall)
    one.open("/rate?study=mos-test")
    one.consent()
    one.set_up()
    one.page.wait_for_function("() => !document.querySelector('.trial .play').disabled")
    yield one
    context.close()


def ready(one: Participant) -> None:
    one.page.wait_for_function("() => !document.querySelector('.trial .play').disabled")
    one.page.click(".trial .play")
    one.choose("attribute-0", "4")
    one.page.wait_for_function(UNLOCKED)


def test_a_vote_whose_answer_gets_lost_is_sent_again_with_its_key(one: Participant, hall: Hall) -> None:
    keys: list[str] = []

    def lose(route) -> None:
        keys.append(route.request.post_data_json["key"])
        if len(keys) == 1:
            route.fetch()  # the server takes the vote, the answer never arrives
            route.abort("connectionreset")
        elif len(keys) == 2:
            route.abort("internetdisconnected")
        else:
            route.continue_()

    one.page.route("**/session/vote", lose)
    ready(one)
    one.page.click(".trial .go")
    one.page.wait_for_function("() => document.querySelector('.trial .status').textContent.includes('kept')")
    one.page.get_by_role("button", name="Send now").click()
    one.page.wait_for_function(
        "() => document.querySelector('.eyebrow')?.textContent === 'Question 2 of 4'", timeout=20_000
    )
    assert len(keys) >= 3 and len(set(keys)) == 1
    assert answered(hall) == 1


def test_a_reload_in_the_middle_of_a_submit_loses_nothing(one: Participant, hall: Hall) -> None:
    one.page.route("**/session/vote", lambda route: route.abort("connectionreset"))
    ready(one)
    one.page.click(".trial .go")
    one.page.wait_for_function("() => document.querySelector('.trial .status').textContent.includes('kept')")
    assert answered(hall) == 0
    one.page.unroute("**/session/vote")
    one.page.reload()
    one.page.wait_for_function(
        "() => document.querySelector('.eyebrow')?.textContent === 'Question 2 of 4'", timeout=20_000
    )
    assert answered(hall) == 1
    assert one.page.evaluate("localStorage.getItem('calm-pending-vote')") is None


def test_a_double_click_is_one_vote(one: Participant, hall: Hall) -> None:
    sent: list[str] = []
    one.page.on("request", lambda request: request.url.endswith("/vote") and sent.append(request.url))
    ready(one)
    one.page.dblclick(".trial .go")
    one.page.wait_for_function(
        "() => document.querySelector('.eyebrow')?.textContent === 'Question 2 of 4'", timeout=20_000
    )
    assert len(sent) == 1 and answered(hall) == 1


def test_a_second_tab_is_told_where_the_session_is(one: Participant, hall: Hall, browser) -> None:
    other = Participant(one.page.context, hall)
    other.open(one.page.url.removeprefix(hall.url))
    ready(other)
    one.trial()
    other.page.click(".trial .go")
    other.page.wait_for_selector(".notice")
    assert "another tab" in other.page.inner_text(".notice")
    assert other.page.inner_text(".eyebrow") == "Question 2 of 4"
    assert answered(hall) == 1


def test_the_link_goes_on_in_another_browser_and_after_a_reload(one: Participant, hall: Hall, browser) -> None:
    one.trial()
    assert "?p=" in one.page.url
    one.page.reload()
    one.page.wait_for_function(
        "() => document.querySelector('.eyebrow')?.textContent === 'Question 2 of 4'", timeout=20_000
    )
    context = browser.new_context(**LOOKS["phone"])
    other = Participant(context, hall)
    other.open(one.page.url.removeprefix(hall.url))
    assert other.page.inner_text(".eyebrow") == "Question 2 of 4"
    context.close()
    one.open("/rate?study=mos-test")  # the invitation again: go on, or begin as somebody else
    one.page.get_by_role("button", name="Continue where you stopped").click()
    one.page.wait_for_function(
        "() => document.querySelector('.eyebrow')?.textContent === 'Question 2 of 4'", timeout=20_000
    )


def test_a_link_that_is_none_is_told_in_a_sentence(browser, hall: Hall) -> None:
    context = browser.new_context(**LOOKS["desktop"], locale="en-GB")
    one = Participant(context, hall)
    one.open("/rate?p=nonsense")
    assert "does not lead to a session" in one.heading
    one.open("/rate?study=none")
    assert "no open study" in one.heading
    context.close()


def test_what_is_missing_is_said_and_nothing_is_sent_before(one: Participant, hall: Hall) -> None:
    page = one.page
    assert re.search(r"listen to the sound for 0\.[67] s more; answer “How good", page.inner_text("#missing"))
    page.click(".trial .go", force=True)
    assert answered(hall) == 0
    one.choose("attribute-0", "2")
    assert "answer" not in page.inner_text("#missing")
    page.wait_for_function("() => document.getElementById('live').textContent.length >= 0")
    page.keyboard.press("Enter")
    assert answered(hall) == 0
    assert page.get_attribute(".trial .go", "aria-disabled") == "true"
    assert page.get_attribute(".trial .go", "aria-describedby") == "missing"


def test_markup_in_a_study_is_shown_as_text(browser, hall: Hall) -> None:
    evil = "<img src=x onerror=alert(1)> =cmd|' /C calc'!A0 ${7*7} {{7*7}}"
    texts = {"en": evil, "fr": evil}
    put_study(hall.database, hall.media, study("mos", training=0, title=texts, question=texts, information=texts))
    context = browser.new_context(**LOOKS["desktop"], locale="en-GB")
    one = Participant(context, hall)
    one.page.on("dialog", lambda dialog: one.faults.append("a script ran"))
    one.open("/rate")
    assert evil in one.page.inner_text("main")
    one.press("a.go")
    one.page.wait_for_selector("form .tick")
    assert one.heading == evil
    one.consent()
    one.set_up()
    assert one.heading == evil and one.page.locator("main img").count() == 0
    context.close()
    assert not one.faults


def test_sliders_start_unset_and_only_the_playing_one_moves(browser, hall: Hall) -> None:
    put_study(hall.database, hall.media, study("mushra", training=0, traps=0, gold=0))
    context = browser.new_context(**LOOKS["desktop"], locale="en-GB")
    one = Participant(context, hall)
    one.open("/rate?study=mushra-test")
    one.consent()
    one.set_up()
    page = one.page
    page.wait_for_function("() => !document.querySelector('.trial .play').disabled")
    active = "() => [...document.querySelectorAll('.signal input')].map((slider) => !slider.disabled)"
    assert page.evaluate(active) == [False] * 5
    assert (
        page.eval_on_selector_all(".signal input", "all => all.map((s) => s.getAttribute('aria-valuetext'))")
        == ["not graded yet"] * 5
    )
    page.keyboard.press("ArrowUp")
    assert page.inner_text(".signal output") == "–", "nothing plays, so nothing moves"
    page.keyboard.press("3")
    assert page.evaluate(active) == [False, False, True, False, False]
    page.keyboard.press("PageUp")
    assert page.locator(".signal output").nth(2).inner_text() == "60"
    assert page.locator(".signal input").nth(2).get_attribute("aria-valuetext") == "60, Good"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(active) == [False, False, False, True, False]
    page.keyboard.press("0")
    assert page.evaluate(active) == [False] * 5, "the reference is not graded"
    page.keyboard.press("Space")
    assert page.get_attribute(".trial .play", "aria-label") == "Play"
    # loops from the keyboard, never below half a second
    page.keyboard.press("2")
    page.keyboard.press("[")
    loop = page.evaluate("window.calmStudy.trial.player.loopSeconds()")
    page.keyboard.press("]")
    narrow = page.evaluate("window.calmStudy.trial.player.loopSeconds()")
    page.keyboard.press("\\")
    whole = page.evaluate("window.calmStudy.trial.player.loopSeconds()")
    assert loop["start"] >= 0 and narrow["end"] - narrow["start"] >= 0.5 - 1e-6
    assert whole["start"] == 0 and whole["end"] == pytest.approx(1.2, abs=0.001)
    context.close()
    assert not one.faults


def test_a_sound_that_does_not_come_can_be_asked_for_again(browser, hall: Hall) -> None:
    put_study(hall.database, hall.media, study("mos", training=0))
    context = browser.new_context(**LOOKS["desktop"], locale="en-GB")
    one = Participant(context, hall)
    one.page.route("**/media/*", lambda route: route.abort("connectionreset"))
    one.open("/rate?study=mos-test")
    one.consent()
    one.set_up()
    one.page.wait_for_function("() => document.querySelector('.trial .status').textContent.includes('could not')")
    one.page.unroute("**/media/*")
    one.page.get_by_role("button", name="Try again").click()
    one.trial()
    assert answered(hall) == 1
    with hall.database.read() as session:
        assert session.scalar(select(func.count(Trial.id)).where(Trial.served_at.is_not(None))) == 2
    context.close()

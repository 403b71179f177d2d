"""The arena's page in real Chromium: desktop and phone, by mouse and by keyboard alone, light and dark."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.arena.service import ArenaService, with_models
from app.arena.systems import read_arena
from app.clips import ClipCache
from app.db import open_records
from app.db.study_models import ComparisonRow, Event, Stimulus, System, Trial, Vote
from app.runs import Runs
from app.settings import ASSETS, load_settings
from app.studies.manage import set_state
from app.studies.service import StudyService
from app.synthesis import Synthesizer
from tests.arena.conftest import SYSTEMS, Ring, application, serving
from tests.arena.guest import OPEN, Guest
from tests.axe import faults_of_access
from tests.studies.making import Clock
from tests.studies.participant import LOOKS, Means

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def rows(ring: Ring, table: type) -> list:
    with ring.database.read() as session:
        found = list(session.scalars(select(table)))
        session.expunge_all()  # they are looked at after the session
        return found


@pytest.mark.parametrize("means", ["mouse", "keyboard"])
@pytest.mark.parametrize("look", LOOKS)
def test_from_a_text_to_the_names_and_on(browser, ring: Ring, look: str, means: Means) -> None:
    context = browser.new_context(**LOOKS[look], locale="en-GB")
    one = Guest(context, ring, means)
    one.open()
    width = LOOKS[look]["viewport"]["width"]
    pages = {"form": faults_of_access(one.page)}
    wide = {"form": one.page.evaluate("document.documentElement.scrollWidth")}
    one.ask("Nobody was surprised.")
    pages["pair"] = faults_of_access(one.page)
    wide["pair"] = one.page.evaluate("document.documentElement.scrollWidth")
    assert one.heading == "Which one is better?"
    assert not one.page.evaluate(OPEN), "no vote before both were heard"
    one.hear_both()
    one.vote("b")
    pages["names"] = faults_of_access(one.page)
    wide["names"] = one.page.evaluate("document.documentElement.scrollWidth")
    names = one.names()
    assert one.heading == "You preferred B" and len(names) == 2
    assert one.page.locator(".ballot").count() == 0
    assert one.page.locator(".plate.chosen .name").inner_text() == names[1]
    # once more, from the list and with both bad
    if means == "mouse":
        one.page.click(".next")
    else:
        one.page.keyboard.press("n")
    one.page.wait_for_selector(".ask")
    one.ask()
    one.hear_both()
    one.vote("both_bad")
    assert "2 votes" in one.page.inner_text("#tally")
    context.close()
    assert pages == {name: [] for name in pages}
    assert max(wide.values()) <= width
    assert not one.faults
    with ring.database.read() as session:
        trials = list(session.scalars(select(Trial).order_by(Trial.position)))
        assert all(trial.answered_at and trial.listening_seconds and trial.listening_seconds >= 1 for trial in trials)
        outcomes = {row.trial_id: row for row in session.scalars(select(ComparisonRow))}
        first = outcomes[trials[0].id]
        heard = [session.get_one(Stimulus, key) for key in (first.stimulus_a_id, first.stimulus_b_id)]
        assert [session.get_one(System, one.system_id).name for one in heard] == names
        assert [outcomes[trial.id].outcome for trial in trials] == ["b", "tie"]
        assert [event.kind for event in session.scalars(select(Event))].count("both_bad") == 1


def test_the_page_holds_no_name_before_the_vote(browser, ring: Ring) -> None:
    context = browser.new_context(**LOOKS["desktop"])
    one = Guest(context, ring)
    sent: list[str] = []
    one.page.on("request", lambda request: sent.append(request.url + str(request.post_data)))
    one.open()
    one.ask()
    one.hear_both()
    kept = one.page.evaluate("() => JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })")
    known = one.page.evaluate("() => JSON.stringify([window.calmArena.told, window.calmArena.battle.state])")
    held = one.page.content() + kept + known + "".join(sent)
    with ring.database.read() as session:
        secrets = [one.digest for one in session.scalars(select(Stimulus))] + [*SYSTEMS, "okapi", "zebra"]
    assert not [secret for secret in secrets if secret in held]
    one.vote("a")
    assert set(one.names()) <= set(SYSTEMS)
    context.close()
    assert not one.faults


def test_a_double_click_is_one_vote_and_one_pair(browser, ring: Ring) -> None:
    context = browser.new_context(**LOOKS["desktop"])
    one = Guest(context, ring)
    one.open()
    one.page.fill("#text", "Before the rain.")
    one.page.dblclick(".ask .go")
    one.ready()
    one.hear_both()
    one.page.wait_for_function(OPEN)
    one.page.dblclick(".ballot[data-outcome=tie]")
    one.page.wait_for_selector(".battle.revealed")
    context.close()
    assert len(rows(ring, Vote)) == len(rows(ring, ComparisonRow)) == len(rows(ring, Trial)) == 1
    assert not one.faults


def test_a_vote_survives_a_lost_connection(browser, ring: Ring) -> None:
    context = browser.new_context(**LOOKS["desktop"])
    one = Guest(context, ring)
    one.open()
    one.ask()
    one.hear_both()
    one.page.wait_for_function(OPEN)
    lost: list[str] = []

    def lose(route) -> None:  # the first vote reaches the server, its answer gets lost
        if not lost:
            lost.append(route.request.post_data)
            route.fetch()
            route.abort()
        else:
            lost.append(route.request.post_data)
            route.continue_()

    one.page.route("**/api/v1/arena/vote", lose)
    one.page.click(".ballot[data-outcome=a]")
    one.page.wait_for_selector(".battle.revealed", timeout=60_000)
    context.close()
    assert len(lost) == 2 and lost[0] == lost[1]
    assert len(rows(ring, Vote)) == len(rows(ring, ComparisonRow)) == 1


def test_a_reload_comes_back_to_the_pair(browser, ring: Ring) -> None:
    context = browser.new_context(**LOOKS["desktop"])
    one = Guest(context, ring)
    one.open()
    one.ask("Hello there.")
    media = one.page.evaluate("window.calmArena.battle.state.slots.map((slot) => slot.media)")
    one.page.reload()
    one.ready()
    assert one.page.evaluate("window.calmArena.battle.state.slots.map((slot) => slot.media)") == media
    assert one.page.inner_text("blockquote") == "Hello there."
    ring.clock.skip(60 * ring.settings.arena_minutes)
    one.page.reload()
    one.page.wait_for_selector(".trouble")
    assert "open for too long" in one.page.inner_text(".trouble")
    one.page.click(".go")
    one.page.wait_for_selector(".ask")
    context.close()
    assert not one.faults


@pytest.mark.parametrize("look", LOOKS)
def test_while_both_speak_the_visitor_can_turn_back(browser, ring: Ring, look: str) -> None:
    context = browser.new_context(**LOOKS[look])
    one = Guest(context, ring)
    one.open()
    one.page.route("**/api/v1/arena/battles/*", lambda route: route.fulfill(json={"state": "preparing"}))
    one.page.fill("#text", "Somebody waits.")
    one.page.click(".ask .go")
    one.page.wait_for_selector(".waiting blockquote")
    assert one.page.inner_text("blockquote") == "Somebody waits." and one.heading == "Two systems are at work"
    assert faults_of_access(one.page) == []
    assert one.page.evaluate("document.documentElement.scrollWidth") <= LOOKS[look]["viewport"]["width"]
    one.page.click(".waiting button")
    one.page.wait_for_selector(".ask")
    assert one.page.input_value("#text") == "Somebody waits."
    one.page.unroute_all()
    one.ask("Another line.")  # also while the first pair is still being made
    assert one.page.inner_text("blockquote") == "Another line."
    context.close()
    assert not [fault for fault in one.faults if "409" not in fault]


def test_what_goes_wrong_is_one_sentence(browser, ring: Ring) -> None:
    context = browser.new_context(**LOOKS["phone"])
    one = Guest(context, ring)
    one.open()
    one.page.fill("#text", "x" * 81)
    assert one.page.get_attribute(".ask .go", "aria-disabled") == "true"
    assert "1 character too many" in one.page.inner_text("#count")
    one.page.fill("#text", "Привет")
    one.page.click(".ask .go")
    one.page.wait_for_selector(".trouble")
    assert "no Latin letters" in one.page.inner_text(".trouble")
    assert faults_of_access(one.page) == []
    set_state(ring.database, "arena", "paused", actor="test")
    one.page.reload()
    one.page.wait_for_function("() => document.querySelector('h1')?.textContent === 'The arena is closed'")
    context.close()
    assert not [fault for fault in one.faults if "400" not in fault]


@pytest.mark.bundled
def test_a_vote_with_the_bundled_model(browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from calm_core.tasks import voice_shelf

    monkeypatch.setattr(
        voice_shelf, "bundled_voices_folder", lambda: ASSETS / "voices"
    )  # the other tests have their own
    settings = load_settings(data_dir=tmp_path / "data")
    arena = read_arena(ASSETS / "arena.yaml")
    settings = with_models(arena, settings)
    synthesizer = Synthesizer(settings)
    synthesizer.start_warm_up()
    database = open_records(settings.resolved_database_url(), settings.records_dir)
    runs = Runs(synthesizer, ClipCache(settings.data_dir / "clips", limit_mb=50), settings)
    clock = Clock()
    service = ArenaService(arena, database, runs, settings, np.random.default_rng(3), clock)
    studies = StudyService(database, settings.media_dir, settings.resolved_secret_key(), clock)
    with serving(application(service, studies)) as url:
        ring = Ring(url, database, settings, arena, service, clock, Path())
        context = browser.new_context(**LOOKS["desktop"])
        one = Guest(context, ring)
        one.open()
        one.ask("The boats came home before the rain.")
        one.hear_both()
        one.vote("a")
        names = one.names()
        titles = one.page.locator(".told h2").all_inner_texts()
        context.close()
    assert not one.faults
    assert len(set(names)) == 2 and set(names) <= set(arena.names())
    assert titles == [arena.system(name).title for name in names]
    (vote,) = rows(ring, ComparisonRow)
    assert vote.outcome == "a"
    database.close()

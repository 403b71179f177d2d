"""The player on other devices and for those who do not see it."""

import pytest

from tests.studies.conftest import Hall
from tests.studies.making import put_study, study
from tests.studies.participant import LOOKS, Participant

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def at_first_trial(browser, hall: Hall, kind: str, script: str | None = None) -> Participant:
    put_study(hall.database, hall.media, study(kind, training=0, traps=0, gold=0))
    context = browser.new_context(**LOOKS["desktop"], locale="en-GB")
    if script:
        context.add_init_script(script)
    one = Participant(context, hall)
    one.open(f"/rate?study={kind}-test")
    one.consent()
    one.set_up()
    one.page.wait_for_function("() => !document.querySelector('.trial .play').disabled")
    return one


@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_devices_of_other_rates_play_the_same_seconds(browser, hall: Hall, rate: int) -> None:
    device = f"""window.AudioContext = class extends AudioContext {{
        constructor(options) {{ super({{ ...options, sampleRate: {rate} }}); }}
    }};"""
    one = at_first_trial(browser, hall, "mushra", device)
    deck = one.page.evaluate(
        "(({ deck }) => [deck.rate, deck.seconds, deck.fadeFrames])(window.calmStudy.trial.player)"
    )
    assert deck == [rate, pytest.approx(1.2, abs=0.001), int(0.005 * rate + 0.5)]
    one.trial()
    assert not one.faults
    one.page.context.close()


def test_a_screen_reader_finds_groups_names_and_states(browser, hall: Hall) -> None:
    one = at_first_trial(browser, hall, "mushra")
    page = one.page
    assert page.get_by_role("group", name="How good does it sound?").count() == 1
    assert page.get_by_role("button", name="Play: B").get_attribute("aria-pressed") == "false"
    assert page.get_by_role("button", name="Play: Reference").count() == 1
    for label in "ABCDE":
        slider = page.get_by_role("slider", name=f"Grade of {label}")
        assert slider.get_attribute("aria-valuetext") == "not graded yet" and slider.is_disabled()
    for name in ("Position", "Start of the loop", "End of the loop"):
        assert page.get_by_role("slider", name=name).get_attribute("aria-valuetext").endswith("seconds")
    assert page.evaluate("document.activeElement.tagName") == "H1", "reading goes on at the question"
    page.keyboard.press("2")
    page.wait_for_function("() => document.getElementById('live').textContent === 'Playing B'")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.getElementById('live').textContent === 'Paused'")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('live').textContent.startsWith('Still missing')")
    page.context.close()
    assert not one.faults


def test_single_keys_can_be_turned_off(browser, hall: Hall) -> None:
    one = at_first_trial(browser, hall, "mos")
    page = one.page
    page.click("summary:has-text('Keys')")
    page.uncheck(".keys input")
    page.keyboard.press("4")
    assert page.locator("input:checked[type=radio]").count() == 0
    page.check(".keys input")
    page.keyboard.press("4")
    assert page.locator("input:checked[type=radio]").get_attribute("value") == "4"
    page.context.close()


def test_a_drag_on_the_overview_marks_a_loop_and_a_press_seeks(browser, hall: Hall) -> None:
    one = at_first_trial(browser, hall, "mos")
    page = one.page
    box = page.locator(".overview").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.25 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], y, steps=4)
    page.mouse.move(box["x"] + 0.75 * box["width"], y, steps=4)
    page.mouse.up()
    loop = page.evaluate("window.calmStudy.trial.player.loopSeconds()")
    assert loop == {"start": pytest.approx(0.3, abs=0.01), "end": pytest.approx(0.9, abs=0.01)}
    page.mouse.click(box["x"] + 0.5 * box["width"], y)
    assert page.evaluate("window.calmStudy.trial.player.deck.position()") == pytest.approx(0.6, abs=0.01)
    page.click(".under .quiet")
    assert page.evaluate("window.calmStudy.trial.player.loopSeconds()")["start"] == 0
    page.focus(".edge.from")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.get_attribute(".edge.from", "aria-valuetext") == "0.3 seconds"
    page.context.close()
    assert not one.faults

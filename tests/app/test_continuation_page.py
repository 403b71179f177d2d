"""The tab "Speech continuation" in real Chromium: a prompt goes on, words light up, the baseline beside it."""

import io

import pytest
import soundfile

from tests.app.conftest import Site
from tests.app.tiny import RATE, bundled_without, voice_like
from tests.app.visit import Visit, wav
from tests.axe import faults_of_access

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(90)]
STATUS = "#going-on .player .status"
ALERT = "#going-on .player .alert"


def opened(visit: Visit, seconds: float = 4) -> None:
    """Open the tab and ask for little."""
    visit.open_tab("Speech continuation")
    visit.page.wait_for_function("document.querySelector('#go-on-model input')?.value.includes('Tiny CALM')")
    visit.page.wait_for_function("window.calmStudio.desks?.continuation")
    visit.page.fill("#seconds input[type=number]", str(seconds))


def test_a_prompt_goes_on_with_its_words_beside_the_baseline(visit: Visit) -> None:
    page = visit.page
    opened(visit)
    assert page.locator("#top-k").is_hidden() and page.locator("#beside input").is_visible()
    page.check("#beside input")
    page.get_by_role("button", name="Sampling").last.click()
    page.locator("#top-k").wait_for()
    page.click("#go-on")
    page.wait_for_function("document.querySelector('#going-on .player').dataset.state === 'playing'")
    # the prompt is heard, all words are still to come
    page.wait_for_selector("#going-on .thoughts span:not(.heard)")
    assert page.locator("#going-on .player").first.locator(".thoughts span.heard").count() == 0
    assert page.locator("#going-on .player").first.locator(".prompt-end").is_visible()
    visit.wait_text("#going-on .player.baseline .status", "Done")
    titles = page.locator("#going-on .whose").all_inner_texts()
    assert titles == ["Tiny CALM", "Tiny RQ"]
    sounds = page.evaluate(
        "window.calmStudio.desks.continuation.players.map((p) => [p.sound.seconds, p.promptEnd, p.sound.playing])"
    )
    assert [round(seconds, 1) for seconds, _, _ in sounds] == [7.0, 7.0]
    assert [end for _, end, _ in sounds] == [2.96, 2.96]
    assert sounds[1][2] is False, "the second waits for a press on Play"
    # the first words light up when the prompt is over
    page.locator("#going-on .player").first.locator(".seek").press("End")
    page.wait_for_function("!document.querySelector('#going-on .player:not(.baseline) .thoughts span:not(.heard)')")
    told = page.evaluate("window.calmStudio.desks.continuation.players[0].thoughts.map((word) => word.text).join(' ')")
    assert page.inner_text("#going-on .thoughts").strip() == told
    # one sounds at a time
    page.locator("#going-on .player").nth(0).locator(".seek").press("Home")
    page.evaluate(
        "((player) => player.sound.playing || player.toggle())(window.calmStudio.desks.continuation.players[0])"
    )
    page.locator("#going-on .baseline .play").click()
    page.wait_for_function("window.calmStudio.desks.continuation.players[1].sound.playing")
    assert not page.evaluate("window.calmStudio.desks.continuation.players[0].sound.playing")
    page.locator("#going-on .baseline .play").click()
    assert faults_of_access(page) == []
    # both are in the history of the tab, with the words to keep
    rows = page.locator("#continuation .history li")
    assert rows.count() == 2
    for name in ("WAV", "the words as text"):
        with page.expect_download() as waiting:
            rows.first.get_by_role("link", name=f"Download {name}").click()
        data = waiting.value.path().read_bytes()
        if name == "WAV":
            assert (
                soundfile.info(io.BytesIO(data)).frames == pytest.approx(6.96 * RATE, abs=1) and b"first 2.96 s" in data
            )
        else:
            assert "\t" in data.decode()
    page.uncheck("#beside input")
    page.fill("#seconds input[type=number]", "9")
    rows.last.get_by_role("button", name="Use these parameters again").click()
    page.wait_for_function("document.querySelector('#seconds input[type=number]').value === '4'")
    assert page.is_checked("#go-on-keep-seed input")
    assert page.input_value("#text textarea") == "", "the other tab is left alone"


def test_an_own_recording_needs_consent_and_stop_silences(visit: Visit) -> None:
    page = visit.page
    opened(visit, 60)
    page.get_by_label("Your own").last.check(force=True)
    page.click("#go-on")
    visit.wait_text(ALERT, "Record or upload a prompt first")
    visit.upload("#prompt-recording", "mine.wav", wav(voice_like(4)))
    page.click("#go-on")
    visit.wait_text(ALERT, "right to use this voice")
    page.check("#prompt-consent input")
    page.fill("#seconds input[type=number]", "59")
    page.wait_for_timeout(300)  # Gradio takes a value over a moment after it changed
    page.keyboard.press("Control+Enter")
    page.wait_for_function("document.querySelector('#going-on .player').dataset.state === 'playing'")
    page.keyboard.press("Escape")
    visit.wait_text(STATUS, "Stopped")
    assert visit.site.idle(within=3)
    assert not page.evaluate("window.calmStudio.desks.continuation.players[0].sound.playing")


def test_a_phone_in_the_dark_shows_the_tab(browser, site: Site) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme="dark"
    )
    visit = Visit(context, site)
    opened(visit, 2)
    visit.page.tap("#go-on")
    visit.wait_text(STATUS, "Done")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
    assert faults_of_access(visit.page) == []
    assert not visit.faults
    context.close()


def test_without_a_model_the_tab_says_so(visit: Visit, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from calm_core import catalogue

    opened(visit)  # so that nothing still asks for the models there were
    monkeypatch.setattr(catalogue, "CHECKPOINTS", bundled_without("speech_continuation", tmp_path))
    monkeypatch.setattr(visit.site.settings, "extra_continuations", [])
    visit.page.reload()
    visit.open_tab("Speech continuation")
    visit.page.get_by_text("No model that continues speech is bundled").wait_for()
    assert visit.page.locator("#go-on").is_hidden()

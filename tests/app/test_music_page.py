"""The two tabs of music in real Chromium: variants, the prompt through the codec, results that are handed on."""

import io

import numpy as np
import pytest
import soundfile

from tests.app.conftest import Site
from tests.app.tiny import bundled_without
from tests.app.visit import Visit, wav
from tests.axe import faults_of_access

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]
RATE = 32_000
PLAYERS = "window.calmStudio.desks['{}'].players"


def opened(visit: Visit, name: str, prefix: str) -> None:
    """Open a tab and ask for little."""
    page = visit.page
    visit.open_tab(name)
    page.wait_for_function(f"document.querySelector('#{prefix}-model input')?.value.includes('Tiny CALM')")
    page.fill(f"#{prefix}-seconds input[type=number]", "2")


def test_variants_go_on_together_and_a_result_becomes_a_reference(visit: Visit) -> None:
    page = visit.page
    opened(visit, "Music continuation", "mc")
    page.click("#mc-codec")
    page.wait_for_selector("#mc-prompt .pair figure:nth-child(2)")
    assert "dB" in page.inner_text("#mc-prompt .figures")
    page.fill("#mc-count input[type=number]", "2")
    page.wait_for_timeout(300)  # Gradio takes a value over a moment after it changed
    page.click("#mc-go")
    visit.wait_text("#mc-stage .player:nth-child(2) .status", "Done")
    players = PLAYERS.format("music-continuation")
    told = page.evaluate(f"{players}.slice(0, 2).map((p) => [p.sound.seconds, p.sound.rate, p.promptEnd])")
    assert told == [[5, RATE, 3], [5, RATE, 3]]
    same, apart = page.evaluate(
        f"""(() => {{ const [a, b] = {players}.slice(0, 2).map((p) => p.sound.samples);
        const differ = (from, to) => a.subarray(from, to).some((v, i) => v !== b[from + i]);
        return [differ(0, 95000), differ(96000, 160000)]; }})()"""
    )
    assert (same, apart) == (False, True), "both begin with the prompt and go on apart"
    # pressing Play on the other one goes on from the same place
    page.evaluate(f"{players}[0].sound.playing || {players}[0].toggle()")
    page.evaluate(f"{players}[0].sound.seek(64000)")
    page.locator("#mc-stage .player").nth(1).locator(".play").click()
    assert page.evaluate(f"[{players}[0].sound.playing, {players}[1].sound.base.sample >= 64000]") == [False, True]
    page.locator("#mc-stage .player").nth(1).locator(".play").click()
    assert faults_of_access(page) == []
    rows = page.locator("#mc-stage .history li")
    assert rows.count() == 2
    with page.expect_download() as waiting:
        rows.first.get_by_role("link", name="Download FLAC").click()
    assert soundfile.info(io.BytesIO(waiting.value.path().read_bytes())).samplerate == RATE
    page.locator("#mc-stage .player").first.get_by_role("button", name="Use as reference").click()
    page.locator("#cm-go").wait_for()
    page.wait_for_function("document.querySelector('#cm-result textarea, #cm-result input')?.value.includes('After')")
    page.fill("#cm-seconds input[type=number]", "1")
    page.wait_for_function("document.querySelector('#cm-model input')?.value.includes('Tiny CALM')")
    page.locator(".caption").first.click()
    page.fill("#cm-steps input[type=number]", "12")
    page.keyboard.press("Tab")
    page.get_by_text("12 are slower").first.wait_for()
    page.click("#cm-go")
    visit.wait_text("#cm-stage .player .status", "Done")
    notices = page.locator("#cm-stage .notices li").all_inner_texts()
    assert any("12 are slower" in sentence for sentence in notices)
    assert page.locator("#cm-stage .history li").inner_text().startswith("A slow, calm waltz")
    # a row of the history brings its parameters back
    page.fill("#cm-text textarea", "something else")
    page.locator("#cm-source").get_by_label("None").check(force=True)
    page.fill("#cm-steps input[type=number]", "2")
    page.locator("#cm-stage .history li").get_by_role("button", name="Use these parameters again").click()
    page.wait_for_function("document.querySelector('#cm-text textarea').value.startsWith('A slow, calm waltz')")
    assert page.locator("#cm-source").get_by_label("A result").is_checked()
    assert page.input_value("#cm-steps input[type=number]") == "12"
    seed = page.locator("#cm-stage .player .seed").first.inner_text()
    page.locator("#cm-sampling").get_by_text("Sampling").click()
    assert page.input_value("#cm-seed input") == seed and page.is_checked("#cm-keep-seed input")
    page.locator("#cm-stage .player").first.get_by_role("button", name="Continue this").click()
    page.locator("#mc-go").wait_for()
    page.wait_for_function("document.querySelector('#mc-result textarea, #mc-result input')?.value.includes('waltz')")


def test_an_own_piece_is_stopped_and_faults_are_told(visit: Visit) -> None:
    page = visit.page
    opened(visit, "Music continuation", "mc")
    page.locator("#mc-source").get_by_label("Your own").check(force=True)
    page.click("#mc-go")
    visit.wait_text("#mc-stage .player .alert", "Record or upload a sound")
    silent = np.zeros(3 * RATE, np.float32)
    page.set_input_files(
        "#mc-recording input[type=file]", {"name": "a.wav", "mimeType": "audio/wav", "buffer": wav(silent, RATE)}
    )
    visit.wait_text("#mc-stage .player .alert", "silen")
    opened(visit, "CLAP-to-music", "cm")
    page.click("#cm-go")
    visit.wait_text("#cm-stage .player .alert", "description is empty")
    page.fill("#cm-text textarea", "a low hum")
    page.fill("#cm-seconds input[type=number]", "30")
    page.wait_for_timeout(300)
    page.keyboard.press("Control+Enter")
    page.wait_for_function("document.querySelector('#cm-stage .player').dataset.state === 'playing'")
    page.keyboard.press("Escape")
    visit.wait_text("#cm-stage .player .status", "Stopped")
    assert visit.site.idle(within=5)


def test_a_phone_in_the_dark_shows_both_tabs(browser, site: Site) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme="dark"
    )
    visit = Visit(context, site)
    for name, prefix in (("Music continuation", "mc"), ("CLAP-to-music", "cm")):
        opened(visit, name, prefix)
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
        assert faults_of_access(visit.page) == []
    assert not visit.faults
    context.close()


def test_without_a_model_both_tabs_say_so(visit: Visit, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from calm_core import catalogue

    opened(visit, "Music continuation", "mc")  # so that nothing still asks for the models there were
    opened(visit, "CLAP-to-music", "cm")
    monkeypatch.setattr(catalogue, "CHECKPOINTS", bundled_without("music_continuation", tmp_path))
    monkeypatch.setattr(visit.site.settings, "extra_music", [])
    visit.page.reload()
    for name, prefix in (("Music continuation", "mc"), ("CLAP-to-music", "cm")):
        visit.open_tab(name)
        visit.page.locator(f"#{prefix}-none").get_by_text("No model that makes music is bundled").wait_for()
        assert visit.page.locator(f"#{prefix}-go").is_hidden()

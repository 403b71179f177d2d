"""The page in real Chromium: a sentence typed, heard and stopped, and what it leaves behind."""

import io
import json

import httpx
import mutagen
import numpy as np
import pytest
import soundfile

from tests.app.conftest import Site
from tests.app.tiny import RATE
from tests.app.visit import ALERT, HEARD, STATUS, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


def test_a_typed_sentence_plays_within_a_second(visit: Visit) -> None:
    visit.speak("The boats came home before the rain.")
    assert visit.wait_sound() < 1.0
    visit.wait_text(STATUS, "Done")
    figures = visit.page.inner_text(".player .figures")
    assert "×" in figures
    assert visit.page.inner_text(".player .seed").isdigit()
    # something was drawn: the canvases are not of one colour
    for canvas in ("wave", "spectrum"):
        colours = visit.page.evaluate(
            """name => { const c = document.querySelector(`.player .${name}`);
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            return new Set(new Uint32Array(d.buffer)).size; }""",
            canvas,
        )
        assert colours > 2, canvas
    assert visit.page.evaluate("document.querySelector('.player').dataset.underruns") == "0"


def test_stop_silences_the_page_and_ends_the_run(visit: Visit) -> None:
    visit.choose_model("slow")
    visit.wait_text(STATUS, "")
    visit.page.wait_for_timeout(500)
    visit.speak("word " * 150)
    visit.wait_sound()
    visit.page.click("#stop")
    visit.wait_text(STATUS, "Stopped")
    assert visit.site.idle(within=2)
    before = visit.page.inner_text(".player .now")
    visit.page.wait_for_timeout(400)
    assert visit.page.inner_text(".player .now") == before
    assert visit.page.get_attribute(".player .play", "aria-label") == "Play"


def test_stop_right_after_speak_wins(visit: Visit) -> None:
    visit.choose_model("slow")
    visit.page.wait_for_timeout(500)
    visit.write("word " * 150)
    visit.page.evaluate("document.getElementById('speak').click(); document.getElementById('stop').click()")
    visit.wait_text(STATUS, "Stopped")
    visit.page.wait_for_timeout(1000)
    assert visit.page.evaluate(HEARD) is None
    assert visit.site.idle(within=1)


def test_leaving_the_page_ends_the_run(visit: Visit) -> None:
    visit.choose_model("slow")
    visit.page.wait_for_timeout(500)
    visit.speak("word " * 150)
    visit.wait_sound()
    visit.page.close()
    assert visit.site.idle(within=3)


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit.page
    page.focus("#text textarea")
    page.keyboard.type("Said without a mouse. ")
    page.keyboard.insert_text("word " * 150)  # long enough to be stopped
    page.keyboard.press("Control+Enter")
    visit.wait_sound()
    page.keyboard.press("Escape")
    visit.wait_text(STATUS, "Stopped")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("(document.activeElement.getAttribute('aria-label') ?? document.activeElement.id)"))
    assert {"speak", "stop", "Play", "Position", "Download WAV"} <= set(seen)
    page.focus(".player .seek")
    page.keyboard.press("End")
    assert page.get_attribute(".player .seek", "aria-valuenow") == page.get_attribute(".player .seek", "aria-valuemax")
    page.keyboard.press("Home")
    assert page.get_attribute(".player .seek", "aria-valuenow") == "0.0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no text"),
        ("   ", "no text"),
        ("a" * 2000, "limit is 1,000"),
        ("😀", "nothing to speak"),
        ("漢字", "Latin"),
        ("\x07\x1b", ""),
    ],
    ids=["empty", "blank", "long", "emoji", "script", "control"],
)
def test_a_bad_text_is_one_sentence(visit: Visit, text: str, words: str) -> None:
    visit.speak(text)
    visit.page.wait_for_function("document.querySelector('.player .alert').textContent.length > 0")
    assert words in visit.page.inner_text(ALERT)


def test_text_is_shown_and_never_run(visit: Visit) -> None:
    text = "<img src=x onerror=\"document.title='owned'\"> ${document.title='owned'} {{value}} hello"
    visit.speak(text)
    visit.wait_text(".history li .line", "onerror")
    assert visit.page.title() != "owned"
    assert visit.page.locator(".history img").count() == 0


def test_weights_that_cannot_be_fetched_are_one_sentence(visit: Visit) -> None:
    visit.choose_model("Pocket TTS english 2026-01")
    sentence = visit.wait_text(ALERT, "pocket-tts")
    assert "Traceback" not in sentence
    visit.choose_model("tiny")  # and the page goes on
    visit.wait_text(STATUS, "")
    visit.speak("Still here.")
    visit.wait_sound()


def test_history_replays_reuses_and_downloads(visit: Visit) -> None:
    page = visit.page
    page.get_by_text("Sampling").click()
    visit.speak("First of two lines.")
    visit.wait_text(STATUS, "Done")
    seed = page.inner_text(".player .seed")
    visit.speak("Second of two lines.")
    visit.wait_text(".history li .line", "Second")
    assert page.locator(".history li").count() == 2
    page.get_by_role("button", name="Use these parameters again: First").click()
    page.wait_for_function("document.querySelector('#text textarea').value.startsWith('First')")
    assert page.input_value("#seed input") == seed
    assert page.is_checked("#keep-seed input")
    page.get_by_role("button", name="Play again: First").click()
    visit.wait_text(STATUS, "Playing")
    row = page.locator(".history li").nth(1)
    original = None
    for name in ("WAV", "FLAC", "MP3"):
        with page.expect_download() as waiting:
            row.get_by_role("link", name=name).click()
        data = waiting.value.path().read_bytes()
        samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
        assert rate == RATE
        assert b"ynthetic" in data, name
        tags = mutagen.File(io.BytesIO(data))
        assert tags is not None
        if name == "WAV":
            original = samples
        elif name == "FLAC":
            assert original is not None and np.array_equal(samples, original), "FLAC is lossless"
    with page.expect_download() as waiting:
        row.get_by_role("link", name="JSON").click()
    sheet = json.loads(waiting.value.path().read_text())
    assert sheet["text"] == "First of two lines."
    assert str(sheet["seed"]) == seed
    assert sheet["synthetic"] is True
    assert {"model", "voice", "temperature", "steps", "cfg", "speed", "seconds"} <= set(sheet)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.locator(".history li").count() == 2, "a reload keeps the visit"


def test_the_same_request_comes_from_the_cache_with_the_same_bits(visit: Visit) -> None:
    visit.page.get_by_text("Sampling").click()
    visit.speak("Twice the same words.")
    visit.wait_text(STATUS, "Done")
    seed = visit.page.inner_text(".player .seed")
    visit.page.get_by_role("button", name="Use these parameters again").first.click()
    visit.page.wait_for_function("document.querySelector('#keep-seed input').checked")
    visit.page.click("#speak")
    visit.wait_text(".player .rtf", "kept")
    assert visit.page.inner_text(".player .seed") == seed
    assert visit.page.locator(".history li").count() == 1


def test_a_stream_is_whole_over_http(site: Site) -> None:
    run = site.services.open_run(
        model=site.settings.default_model, text="Ends properly.", voice=site.services.voices.preset("slt")
    )
    response = httpx.get(f"{site.url}/api/v1/runs/{run.id}/stream")
    assert response.status_code == 200
    assert b'"type": "finished"' in response.content
    assert httpx.get(f"{site.url}/api/v1/runs/{run.id}/stream").status_code == 404

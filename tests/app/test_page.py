"""The page in real Chromium: a sentence typed, heard and stopped, with all that stands around it."""

import io
import json
from collections.abc import Iterator

import httpx
import mutagen
import numpy as np
import pytest
import soundfile

from tests.app.conftest import Site
from tests.app.tiny import RATE, voice_like

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

HEARD = "document.querySelector('.player').dataset.firstSound"
STATUS = ".player .status"
ALERT = ".player .alert"


class Visit:
    """A page with what went wrong in it."""

    def __init__(self, context, site: Site):
        self.site = site
        self.faults: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._check_address(request.url))
        self.page.goto(site.url)
        self.page.wait_for_selector("body[data-ready]")

    def _check_address(self, url: str) -> None:
        if not url.startswith((self.site.url, "data:", "blob:")):
            self.faults.append(f"a request to {url}")

    def write(self, text: str) -> None:
        self.page.fill("#text textarea", text)

    def speak(self, text: str) -> None:
        self.write(text)
        self.page.click("#speak")

    def wait_sound(self) -> float:
        """Wait for the first sound; seconds from the click to it by the clock of the AudioContext."""
        self.page.wait_for_function(HEARD, timeout=20_000)
        return float(self.page.evaluate(HEARD))

    def wait_text(self, selector: str, words: str) -> str:
        self.page.wait_for_function(
            "([s, w]) => document.querySelector(s)?.textContent.includes(w)", arg=[selector, words], timeout=20_000
        )
        return self.page.inner_text(selector)

    def choose_model(self, words: str) -> None:
        self.page.click("#model input")
        self.page.get_by_role("option", name=words).click()

    def upload(self, where: str, name: str, sound: bytes) -> None:
        self.page.set_input_files(f"{where} input[type=file]", {"name": name, "mimeType": "audio/wav", "buffer": sound})
        self.page.wait_for_selector(f"{where} button[aria-label='Clear'], {where} [aria-label='Clear']")


@pytest.fixture
def visit(browser, site: Site) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    try:
        visit = Visit(context, site)
        yield visit
    finally:
        context.close()
    assert not visit.faults
    assert site.idle(), "something is still running"


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV")
    return buffer.getvalue()


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
    page.keyboard.type("Said without a mouse.")
    page.keyboard.press("Control+Enter")
    visit.wait_sound()
    page.keyboard.press("Escape")
    visit.wait_text(STATUS, "Stopped at")
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


def test_every_control_has_a_name(visit: Visit) -> None:
    nameless = visit.page.evaluate(
        """() => [...document.querySelectorAll('button, input, textarea, select, [role=slider], [role=radiogroup]')]
        .filter((e) => e.checkVisibility() && e.type !== 'file')
        .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length
            || e.getAttribute('aria-labelledby')))
        .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    assert visit.page.get_attribute(STATUS, "aria-live") == "polite"
    assert visit.page.get_attribute(ALERT, "role") == "alert"


def test_cloning_needs_consent_and_writes_it_down(visit: Visit) -> None:
    page, store = visit.page, visit.site.services.store
    before = len(store.consents())
    page.get_by_text("Your own").click()
    visit.speak("In a borrowed voice.")
    visit.wait_text(ALERT, "Record or upload")
    visit.upload("#recording", "me.wav", wav(voice_like(3, pitch=123)))
    visit.speak("In a borrowed voice.")
    visit.wait_text(ALERT, "Tick the box")
    assert len(store.consents()) == before
    page.check("#consent input")
    visit.speak("In a borrowed voice.")
    visit.wait_sound()
    visit.wait_text(STATUS, "Done")
    assert len(store.consents()) == before + 1
    assert store.consents()[-1]["source"] == "page"
    page.fill("#voice-name textarea, #voice-name input", "My voice")
    page.click("#save-voice")
    visit.wait_text(STATUS, "My voice is saved")
    page.get_by_text("Saved", exact=True).click()
    visit.speak("Again in that voice.")
    visit.wait_text(".history li", "My voice")
    page.click("#delete-voice")
    visit.wait_text(STATUS, "deleted")


def test_a_microphone_recording_can_be_cloned(visit: Visit) -> None:
    page = visit.page
    page.get_by_text("Your own").click()
    page.get_by_label("Record audio").click()
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(2500)
    page.get_by_role("button", name="Stop", exact=True).last.click()
    page.wait_for_timeout(1000)
    page.check("#consent input")
    visit.speak("Recorded a moment ago.")
    visit.wait_sound()


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        (wav(np.zeros(2 * RATE, np.float32)), "silent"),
        (wav(voice_like(0.1)), "0.10 s"),
        (wav(voice_like(30)), "limit is 20 s"),
        (b"Dear sir, this is a letter.", ""),
        (wav(voice_like(2))[:20], ""),
    ],
    ids=["silent", "short", "long", "text", "truncated"],
)
def test_a_bad_recording_is_one_sentence(visit: Visit, sound: bytes, words: str) -> None:
    visit.page.get_by_text("Your own").click()
    visit.upload("#recording", "bad.wav", sound)
    visit.page.check("#consent input")
    visit.speak("Not in this voice.")
    visit.page.wait_for_function("document.querySelector('.player .alert').textContent.length > 0")
    sentence = visit.page.inner_text(ALERT)
    assert words in sentence
    assert "Traceback" not in sentence
    visit.faults = [fault for fault in visit.faults if "MediaError" not in fault]  # Gradio's preview cannot play it


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


def test_the_codec_tab_compares(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("tab", name="Codec").click()
    page.click("#codec-run")
    visit.wait_text(".codec-alert", "Upload or record")
    visit.upload("#codec-sound", "sound.wav", wav(voice_like(3, 44_100), 44_100))
    page.click("#codec-run")
    page.wait_for_selector(".compare:not([hidden])")
    assert page.inner_text(".compare .snr").endswith("dB")
    assert page.inner_text(".compare .latents") == "12.5 Hz × 32"
    page.get_by_role("button", name="Play: Original").click()
    page.wait_for_function("parseFloat(document.querySelector('.compare .needle').style.left) > 5")
    page.get_by_role("button", name="Play: After the codec").click()
    page.get_by_role("button", name="Play: Original").wait_for()  # one sounds at a time
    page.get_by_role("button", name="Pause: After the codec").click()


def test_a_bad_sound_in_the_codec_tab_is_one_sentence(visit: Visit) -> None:
    visit.page.get_by_role("tab", name="Codec").click()
    visit.upload("#codec-sound", "bad.wav", b"no sound in here")
    visit.page.click("#codec-run")
    visit.page.wait_for_function("document.querySelector('.codec-alert').textContent.length > 0")
    assert "Traceback" not in visit.page.inner_text(".codec-alert")
    visit.faults = [fault for fault in visit.faults if "MediaError" not in fault]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(browser, site: Site, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme=scheme
    )
    visit = Visit(context, site)
    visit.speak("A long line that has to be wrapped on a small screen, like every other line of its kind.")
    visit.wait_text(STATUS, "Done")
    visit.page.get_by_text("Sampling").tap()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
    small = visit.page.evaluate(
        """() => [...document.querySelectorAll('#speak, #stop, .player .play, #model .wrap-inner, .history .round')]
        .filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.id || e.className)"""
    )
    assert small == []
    light, dark = contrast(visit.page)
    assert light >= 4.5, "text on paper"
    assert dark >= 4.5, "the word on the Speak button"
    assert visit.page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    assert not visit.faults
    context.close()


def contrast(page) -> tuple[float, float]:
    """WCAG 2.2 contrast of the counter on its sheet and of the Speak button's word."""
    return tuple(
        page.evaluate(
            """() => {
        const light = (colour) => {
          const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
        const of = (selector) => getComputedStyle(document.querySelector(selector));
        return [ratio(of('#counter').color, of('.sheet').backgroundColor),
          ratio(of('#speak').color, of('#speak').backgroundColor)];
      }"""
        )
    )


def test_the_theme_switch_is_remembered(visit: Visit) -> None:
    dark = visit.page.evaluate("document.body.classList.contains('dark')")
    visit.page.click("#theme-switch")
    visit.page.reload()
    visit.page.wait_for_selector("body[data-ready]")
    assert visit.page.evaluate("document.body.classList.contains('dark')") != dark


def test_a_stream_is_whole_over_http(site: Site) -> None:
    run = site.services.open_run(
        model=site.settings.default_model, text="Ends properly.", voice=site.services.voices.preset("slt")
    )
    response = httpx.get(f"{site.url}/api/v1/runs/{run.id}/stream")
    assert response.status_code == 200
    assert b'"type": "finished"' in response.content
    assert httpx.get(f"{site.url}/api/v1/runs/{run.id}/stream").status_code == 404

"""How the page is built: names, phone, dark, and the codec tab."""

import pytest

from tests.app.conftest import Site
from tests.app.tiny import voice_like
from tests.app.visit import ALERT, STATUS, Visit, wav

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


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


def test_the_codec_tab_compares(visit: Visit) -> None:
    page = visit.page
    visit.open_tab("Codec")
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
    visit.expected.add("MediaError")  # Gradio's preview cannot play it, and says so when it has tried
    visit.open_tab("Codec")
    visit.upload("#codec-sound", "bad.wav", b"no sound in here")
    visit.page.click("#codec-run")
    visit.page.wait_for_function("document.querySelector('.codec-alert').textContent.length > 0")
    assert "Traceback" not in visit.page.inner_text(".codec-alert")


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

"""Voices of visitors on the page: consent, saving, the microphone, and sounds that hold no voice."""

import numpy as np
import pytest

from tests.app.tiny import RATE, voice_like
from tests.app.visit import ALERT, STATUS, Visit, wav

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


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
    visit.expected.add("MediaError")  # Gradio's preview cannot play it, and says so when it has tried
    visit.page.get_by_text("Your own").click()
    visit.upload("#recording", "bad.wav", sound)
    visit.page.check("#consent input")
    visit.speak("Not in this voice.")
    visit.page.wait_for_function("document.querySelector('.player .alert').textContent.length > 0")
    sentence = visit.page.inner_text(ALERT)
    assert words in sentence
    assert "Traceback" not in sentence

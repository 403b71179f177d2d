"""The page of samples in real Chromium: one sound at a time, pictures on demand, keys, axe."""

from collections.abc import Iterator

import httpx
import pytest

from tests.axe import faults_of_access

PLAYING = "() => document.querySelectorAll('.play.on').length === 1"
DRAWN = """() => {
  const pixels = (one) => one.getContext('2d').getImageData(0, 0, one.width, one.height).data;
  const all = [...document.querySelectorAll('.spectrum')];
  return all.length === 7 && all.every((one) => pixels(one).some((value, k) => k % 4 === 0 && value > 60));
}"""
LOOKS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "color_scheme": "dark"},
}


@pytest.fixture
def page(browser, address: str, request: pytest.FixtureRequest) -> Iterator:
    context = browser.new_context(**LOOKS[getattr(request, "param", "desktop")])
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and faults.append(message.text))
    page.on("request", lambda asked: asked.url.startswith(address) or faults.append(asked.url))
    page.goto(f"{address}/samples")
    page.wait_for_selector("body[data-ready]")
    yield page
    context.close()
    assert not faults


@pytest.mark.browser
def test_one_sound_plays_and_a_second_stops_the_first(page) -> None:
    first, second = (page.locator(f"#speech tbody tr:nth-child(1) td:nth-child({k}) .play") for k in (2, 3))
    first.click()
    page.wait_for_function(PLAYING)
    assert first.get_attribute("aria-label") == "Pause CALM, 1 step at temperature 0.3, prompt 1"
    page.wait_for_function("() => document.querySelector('#speech td:nth-child(2) input').value > 0.2")
    second.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#speech td:nth-child(3) .play.on')")
    page.wait_for_function(PLAYING)
    assert first.get_attribute("aria-label").startswith("Play ")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => document.activeElement.getAttribute('aria-label')").endswith("prompt 2")
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('.play.on')")


@pytest.mark.browser
@pytest.mark.parametrize("page", LOOKS, indirect=True)
def test_pictures_come_on_demand_and_the_prompts_stay_in_sight(page) -> None:
    look = page.locator("#speech tbody tr:nth-child(1) .look")
    look.click()
    assert look.get_attribute("aria-expanded") == "true"
    page.wait_for_function(DRAWN)
    assert faults_of_access(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (
        "the page is wider than the screen"
    )
    left = "() => document.querySelector('#speech tbody th').getBoundingClientRect().left"
    at = page.evaluate(left)
    page.evaluate("() => document.querySelector('.wide').scrollBy(150, 0)")
    assert abs(page.evaluate(left) - at) < 2, "the first column does not stay"


def test_the_interface_gives_only_what_the_tables_name(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        (table, *_) = client.get("/api/v1/samples").json()["data"]
        assert table["name"] == "speech" and table["systems"][1]["figures"][0]["label"] == "Perplexity"
        clip = table["systems"][0]["clips"]["heldout-00"]
        sound = client.get(clip["sound"], headers={"Range": "bytes=0-3"})
        assert (sound.status_code, sound.content, sound.headers["content-type"]) == (206, b"OggS", "audio/ogg")
        recipe = client.get(table["systems"][0]["recipe"]["address"])
        assert recipe.headers["content-type"].startswith("text/plain") and "kind: continuation" in recipe.text
        assert client.get(table["report"]["address"]).text.startswith("# Speech")
        for path in (
            "audio/../rendered.json",
            "audio/speech/real/none.ogg",
            "documents/LICENSE",
            "documents/../app.py",
        ):
            assert client.get(f"/api/v1/samples/{path}").status_code == 404

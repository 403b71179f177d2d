"""The leaderboard in real Chromium: it moves with a vote, links are permanent, figures are saved, axe finds nothing."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.axe import AXE
from tests.board.conftest import PASSWORD, Place
from tests.board.crowd import NAMES, Answered, Crowd, pairs, scores

pytestmark = pytest.mark.browser
SEVEN = (*NAMES, "anchor-7k", "anchor-3.5k")
LOOKS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "color_scheme": "dark"},
}
DRAWN = (
    "() => document.querySelector('figure') && [...document.querySelectorAll('.drawn')].every((one) => one.firstChild)"
)
PAIRS, MOS, MUSHRA = "pairs:preference/overall", "mos:naturalness/overall", "mushra:fidelity/overall"


@pytest.fixture
def crowd(place: Place) -> Crowd:
    """A study of each kind; the pairs' listeners are given back."""
    place.crowd("mos", "naturalness").answer(scores(NAMES, (4.4, 4.0, 3.6, 2.6, 2.4), 5))
    place.crowd("mushra", "fidelity").answer(scores(SEVEN, (98, 86, 74, 66, 60, 48, 22), 100))
    crowd = place.crowd("pairwise", "preference")
    crowd.answer(pairs(80, raters=6))
    return crowd


@pytest.fixture(params=LOOKS)
def page(browser, place: Place, crowd: Crowd, request: pytest.FixtureRequest) -> Iterator:
    context = browser.new_context(**LOOKS[request.param], accept_downloads=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and faults.append(message.text))
    page.on("request", lambda asked: asked.url.startswith((place.url, "blob:")) or faults.append(asked.url))
    yield page
    context.close()
    assert not faults


def show(page, place: Place, query: str = "") -> None:
    page.goto(f"{place.url}/leaderboard{query}")
    page.wait_for_selector("body[data-ready]")
    page.wait_for_function(DRAWN)


def elo_of(page, system: str) -> str:
    return page.inner_text(f"#standings tr:has(th:text-is('{system}')) strong")


def test_a_vote_moves_the_page(page, place: Place, crowd: Crowd) -> None:
    show(page, place, f"?question={quote(PAIRS)}")
    assert "80 votes" in page.inner_text(".facts")
    before = elo_of(page, "ember")
    page.focus("#filter-study")
    crowd.answer([Answered("rater1", "item0", "ember", "amber", "a")] * 4)
    page.wait_for_function("() => document.querySelector('.facts').textContent.includes('84 votes')", timeout=30_000)
    assert elo_of(page, "ember") != before
    assert page.evaluate("() => document.activeElement.id") == "filter-study", "the focus was lost"


def test_an_address_shows_what_it_says_and_going_back_works(page, place: Place, crowd: Crowd) -> None:
    show(page, place, f"?study=preference&question={quote(PAIRS)}")
    assert page.locator("#questions a").count() == 1 and page.input_value("#filter-study") == "preference"
    page.select_option("#filter-study", "")
    page.wait_for_function("() => document.querySelectorAll('#questions a').length === 3")
    page.click("#questions a:has-text('MUSHRA')")
    page.wait_for_function("() => document.querySelector('[data-figure=boxes] svg')")
    assert quote(MUSHRA, safe="") in page.url
    page.reload()
    page.wait_for_function("() => document.querySelector('[data-figure=boxes] svg')")
    page.go_back()
    page.wait_for_function("() => document.querySelector('[data-figure=forest] svg')")
    page.fill("#filter-to", "2020-01-01")
    page.wait_for_selector("text=No vote lies within these filters.")
    page.click("text=Show everything")
    page.wait_for_function("() => document.querySelectorAll('#questions a').length === 3")


def test_flagged_raters_are_counted_by_a_switch(page, place: Place, crowd: Crowd) -> None:
    crowd.flag("rater1")
    show(page, place, f"?question={quote(PAIRS)}")
    page.wait_for_function("() => document.querySelector('#left-out').textContent.includes('1 flagged rater')")
    assert "trap missed: 1" in page.inner_text("#left-out") and "80 votes" not in page.inner_text(".facts")
    page.click("label:has(#filter-flagged)")
    page.wait_for_function("() => document.querySelector('.facts').textContent.includes('80 votes')")
    assert "flagged=1" in page.url and "Counted although flagged" in page.inner_text("#left-out")


def test_tables_and_figures_are_saved(page, place: Place, tmp_path: Path) -> None:
    show(page, place, f"?question={quote(PAIRS)}")
    heads = {"#csv": b"system,elo,", "#svg-forest": b"<svg xmlns=", "#png-heat": b"\x89PNG"}
    for button, head in heads.items():
        with page.expect_download() as waiting:
            page.click(button)
        waiting.value.save_as(tmp_path / "file")
        content = (tmp_path / "file").read_bytes()
        assert content.startswith(head) and len(content) > 200, button
    assert int.from_bytes(content[16:20], "big") == 1800, "the PNG has twice the figure's width"


@pytest.mark.parametrize("question", [PAIRS, MOS, MUSHRA])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, place: Place, question: str) -> None:
    show(page, place, f"?question={quote(question)}")
    for summary in page.locator("summary").all():
        summary.click()
    page.evaluate(AXE)
    found = page.evaluate("async () => (await axe.run()).violations")
    assert not [(one["id"], one["nodes"][0]["html"]) for one in found]
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (
        "the page is wider than the screen"
    )


def test_the_keyboard_reaches_questions_and_filters(page, place: Place) -> None:
    show(page, place)
    page.locator("#questions a").last.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#questions a:last-child').getAttribute('aria-current')")
    assert page.evaluate("() => document.activeElement.matches('#questions a:last-child')")


def test_administrators_see_exclusions_at_once_and_get_a_report(
    page, place: Place, crowd: Crowd, tmp_path: Path
) -> None:
    page.goto(f"{place.url}/admin")
    page.wait_for_selector("body[data-ready]")
    page.fill("input[type=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.click("a[href='#preference']")
    page.wait_for_selector("#results .drawn svg")
    before = page.inner_text("#standings tr:nth-child(1) td:nth-child(7)")
    page.click("button:has-text('Exclude') >> nth=0")
    page.fill("dialog input", "spoke all the time")
    page.click("dialog .go")
    page.wait_for_selector("#results td:has-text('spoke all the time')")
    assert page.inner_text("#standings tr:nth-child(1) td:nth-child(7)") != before
    with page.expect_download() as waiting:
        page.click("button:has-text('Download the report')")
    waiting.value.save_as(tmp_path / "report.html")
    assert "spoke all the time" in (tmp_path / "report.html").read_text(encoding="utf-8")

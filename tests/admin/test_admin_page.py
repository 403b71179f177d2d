"""The administrators' page in real Chromium: sign in, look, exclude, pause, export; texts of users stay texts."""

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin.conftest import PASSWORD, Office
from tests.axe import faults_of_access

pytestmark = pytest.mark.browser


@pytest.fixture(params=["desktop", "phone"])
def page(browser, office: Office, request: pytest.FixtureRequest) -> Iterator:
    size = {"width": 1280, "height": 900} if request.param == "desktop" else {"width": 390, "height": 844}
    context = browser.new_context(viewport=size, accept_downloads=True, locale="en-GB")
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.goto(f"{office.url}/admin")
    page.wait_for_selector("body[data-ready]")
    yield page
    context.close()
    assert not faults


def enter(page) -> None:
    page.fill("input[type=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("table")


def test_a_wrong_password_is_told(page) -> None:
    page.fill("input[type=password]", "guess")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#status').textContent.includes('not the password')")


def test_a_study_is_looked_after(voted, page, tmp_path: Path) -> None:
    enter(page)
    assert page.locator("tbody tr").count() == 3
    page.click("a[href='#mos-test']")
    page.wait_for_selector("h1:has-text('Voices')")
    # a panel's id that is HTML is shown as it was written
    assert page.locator("td:has-text('<b>bold</b>')").count() == 1 and page.locator("td b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"
    page.click("button:has-text('Exclude') >> nth=0")
    page.fill("dialog input", "<i>too quick</i>")
    page.click("dialog .go")
    page.wait_for_selector("tr.excluded")
    assert (
        "Excluded: <i>too quick</i>" in page.inner_text("tr.excluded") and page.locator("td i:not(.bar i)").count() == 0
    )
    page.click("button:has-text('Pause')")
    page.wait_for_selector(".badge:has-text('paused')")
    with page.expect_download() as waiting:
        page.click("button:has-text('Export')")
    waiting.value.save_as(tmp_path / "export.zip")
    with zipfile.ZipFile(tmp_path / "export.zip") as packed:
        people = list(csv.DictReader(io.StringIO(packed.read("mos-test/raters.csv").decode())))
    assert [one["excluded_reason"] for one in people if one["excluded_reason"]] == ["<i>too quick</i>"]
    page.click("button:has-text('Français')")
    page.wait_for_selector(".badge:has-text('suspendue')")
    assert page.evaluate("document.documentElement.lang") == "fr"


def test_axe_finds_nothing_serious(voted, page) -> None:
    found = {"password": faults_of_access(page)}
    enter(page)
    found["studies"] = faults_of_access(page)
    page.click("a[href='#mos-test']")
    page.wait_for_selector("h1:has-text('Voices')")
    found["study"] = faults_of_access(page)
    page.click("button:has-text('Exclude') >> nth=0")
    page.wait_for_selector("dialog[open]")
    found["dialog"] = faults_of_access(page)
    assert found == {name: [] for name in found}


def test_both_languages_have_every_sentence(page) -> None:
    missing = page.evaluate(
        """async () => {
            const { LANGUAGES } = await import('/ui/admin/words.js');
            const keys = (value, path = '') => typeof value === 'string' ? [path]
                : Object.entries(value).flatMap(([key, inner]) => keys(inner, `${path}.${key}`));
            const [en, fr] = [new Set(keys(LANGUAGES.en)), new Set(keys(LANGUAGES.fr))];
            return [...en].filter((key) => !fr.has(key)).concat([...fr].filter((key) => !en.has(key)));
        }"""
    )
    assert missing == []

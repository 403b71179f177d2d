"""Results and reports for administrators: live, with exclusions and their rules, on one page."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import httpx
import pytest

from app.__main__ import main
from tests.board.conftest import Place
from tests.board.crowd import NAMES, Answered, Crowd, pairs, scores

SEVEN = (*NAMES, "anchor-7k", "anchor-3.5k")


def read(page: str) -> str:
    """The page's text; it must need nothing from elsewhere."""
    assert not re.search(r"(src|href)=|url\(|@import|<script", page), "the report asks for something outside itself"
    body = page.split("<body>")[1].split("</body>")[0]
    return " ".join(ElementTree.fromstring(body).itertext())


def test_results_for_administrators_are_never_older_than_the_call(place: Place, admin: httpx.Client) -> None:
    crowd = place.crowd("pairwise", "preference")
    crowd.answer(pairs(60, raters=4))
    assert admin.get("studies/preference/results").json()["questions"][0]["answers"] == 60
    for number in range(3):
        crowd.answer([Answered("rater1", "item0", "amber", "birch", "a")])
        assert admin.get("studies/preference/results").json()["questions"][0]["answers"] == 61 + number
    rater = crowd.raters["rater2"]
    admin.post(f"raters/{rater}/excluded", json={"excluded": True, "reason": "asked to be left out"})
    found = admin.get("studies/preference/results").json()
    assert found["raters"]["excluded"] == {rater: "asked to be left out"}
    assert found["questions"][0]["answers"] == 63 - found["left_out"]["excluded_answers"] < 63


@pytest.mark.parametrize("path", ["results", "report.html", "results/figure.svg?figure=forest&question=pairs:x"])
def test_strangers_and_unknown_studies_get_no_results(
    place: Place, client: httpx.Client, admin: httpx.Client, path: str
) -> None:
    assert client.get(f"/api/v1/admin/studies/nothing/{path}").status_code == 401
    assert admin.get(f"studies/nothing/{path}").status_code == 404


def test_a_report_of_pairs_says_how_and_what(place: Place, admin: httpx.Client) -> None:
    crowd = place.crowd("pairwise", "preference", title={"en": "Which <voice>?", "fr": "Quelle voix ?"})
    crowd.answer(pairs(200))
    crowd.flag("rater1")
    admin.post(f"raters/{crowd.raters['rater2']}/excluded", json={"excluded": True, "reason": "2 < 3 & tired"})
    response = admin.get("studies/preference/report.html")
    words = read(response.text)
    assert "attachment" in response.headers["content-disposition"] and "Which <voice>?" in words
    for told in (
        "a pairwise preference test with 5 systems (amber, birch, cedar, dune and ember) on 4 items",
        "20 listeners began and 20 rated at least one item",
        "1 listener was excluded by the experimenters",
        "1 listener was left out because of flags (trap failed: 1)",
        "Bradley-Terry",
        "2 < 3 & tired",
        "trap failed",
    ):
        assert told in words, told
    assert response.text.count("<svg") == 3


def test_a_report_of_grades_lists_who_was_screened(place: Place, admin: httpx.Client) -> None:
    crowd = place.crowd("mushra", "fidelity")
    levels = (100, 80, 60, 50, 40, 30, 10)
    fine = [
        Answered(f"good{rater}", f"item{item}", system, score=level)
        for rater in range(6) for item in range(4) for system, level in zip(SEVEN, levels, strict=True)
    ]  # fmt: skip
    crowd.answer([*fine, *(Answered("deaf", f"item{item}", system, score=50) for item in range(4) for system in SEVEN)])
    words = read(admin.get("studies/fidelity/report.html").text)
    assert (
        "Post-screening after BS.1534-3 excluded 1 listener for 'overall'" in words and "10,000 permutations" in words
    )
    assert crowd.raters["deaf"][:8] in words and "hidden reference below 90 on more than 15% of items" in words


def test_the_command_writes_the_report_and_names_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from app.db import open_from
    from app.settings import load_settings

    monkeypatch.setenv("CALM_DATA_DIR", str(tmp_path / "data"))
    settings = load_settings()
    database = open_from(settings)
    crowd = Crowd(database, settings.media_dir, "mos", "naturalness")
    crowd.answer(scores(NAMES, (4.4, 4.0, 3.6, 2.6, 2.4), 5))
    database.close()
    assert main(["study", "report", "naturalness", str(tmp_path / "report.html")]) == 0
    assert "ITU-T P.800" in read((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert main(["study", "report", "nothing", str(tmp_path / "other.html")]) == 2
    assert main(["study", "report", "naturalness", str(tmp_path / "none" / "report.html")]) == 2
    assert "choose another file" in capsys.readouterr().err
    assert not (tmp_path / "other.html").exists()


def test_a_report_without_votes_is_a_page_too(place: Place, admin: httpx.Client) -> None:
    place.crowd("mos", "empty")
    assert "No vote counts yet." in read(admin.get("studies/empty/report.html").text)

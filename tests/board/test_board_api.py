"""REST of the leaderboard: tags, figures, tables, refusals; and nothing of what is for administrators."""

import threading
import time
import xml.etree.ElementTree as ElementTree

import httpx
import pytest

from tests.board.conftest import Place
from tests.board.crowd import NAMES, Answered, pairs, scores
from tests.studies.making import Clock
from tests.studies.rater import Rater

SEVEN = (*NAMES, "anchor-7k", "anchor-3.5k")


@pytest.fixture
def filled(place: Place) -> Place:
    place.crowd("pairwise", "preference").answer(pairs(120))
    place.crowd("mos", "naturalness").answer(scores(NAMES, (4.4, 4.0, 3.6, 2.6, 2.4), 5))
    crowd = place.crowd("mushra", "fidelity")
    crowd.answer(scores(SEVEN, (98, 86, 74, 66, 60, 48, 22), 100))
    return place


def board(client: httpx.Client, **query: str) -> dict:
    response = client.get("/api/v1/leaderboard", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_an_unchanged_view_is_not_sent_again_and_a_vote_is_seen(place: Place, client: httpx.Client) -> None:
    crowd = place.crowd("pairwise", "preference")
    crowd.answer(pairs(50))
    first = client.get("/api/v1/leaderboard")
    tag = first.headers["etag"]
    again = client.get("/api/v1/leaderboard", headers={"If-None-Match": tag})
    assert again.status_code == 304 and not again.content and again.headers["etag"] == tag
    crowd.answer([Answered("rater1", "item0", "ember", "amber", "a")])
    began = time.monotonic()
    while client.get("/api/v1/leaderboard", headers={"If-None-Match": tag}).status_code == 304:
        assert time.monotonic() - began < 30, "the vote does not arrive"
        time.sleep(0.05)
    assert board(client)["questions"][0]["answers"] == 51


def test_a_vote_through_the_participants_interface_is_counted(place: Place, client: httpx.Client) -> None:
    changes = {"minimum_seconds": 0.0, "ties": True}
    place.crowd("pairwise", "preference", **changes)
    assert board(client)["questions"] == []
    rater = Rater(client, "preference", Clock())
    rater.begin()
    votes = 0
    while rater.state["step"] == "trial":
        time.sleep(0.15)  # what is said to be heard has to fit into the time that passed for the server
        heard = dict.fromkeys(rater.ballot()["listened"], 0.05)
        assert rater.vote(listened=heard).status_code == 200
        votes += 1
    assert votes > 0
    began = time.monotonic()
    while not (found := board(client)["questions"]) or found[0]["answers"] < votes:
        assert time.monotonic() - began < 30, "the votes do not arrive"
        time.sleep(0.05)
    assert (
        sum(row["wins"] for row in found[0]["standings"])
        == votes
        == sum(row["losses"] for row in found[0]["standings"])
    )


def test_votes_go_on_while_results_are_asked_for(place: Place, client: httpx.Client) -> None:
    """Every vote is stored although readers ask without a pause."""
    crowd = place.crowd("pairwise", "preference")
    crowd.answer(pairs(200))
    end = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=place.url, timeout=60) as own:
            while not end.is_set():
                assert own.get("/api/v1/leaderboard").status_code == 200

    readers = [threading.Thread(target=ask) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for number in range(20):
            crowd.answer(pairs(1, seed=number))
    finally:
        end.set()
        for reader in readers:
            reader.join(60)
    began = time.monotonic()
    while board(client)["questions"][0]["answers"] != 220:
        assert time.monotonic() - began < 30
        time.sleep(0.05)


def test_keys_of_raters_are_not_sent(filled: Place, client: httpx.Client) -> None:
    from sqlalchemy import select

    from app.db.study_models import Rater, RaterSession

    with filled.database.read() as session:
        keys = [*session.scalars(select(Rater.id)), *session.scalars(select(RaterSession.id))]
    body = client.get("/api/v1/leaderboard").text
    assert "screened" in body and "hidden reference below 90" in body
    assert not [key for key in keys if key in body]


@pytest.mark.parametrize(
    ("kind", "figures"), [("pairs", ("forest", "heat", "time")), ("mos", ("bars",)), ("mushra", ("boxes",))]
)
def test_figures_are_svg_with_every_system(
    filled: Place, client: httpx.Client, kind: str, figures: tuple[str, ...]
) -> None:
    (question,) = [one for one in board(client)["questions"] if one["kind"] == kind]
    for figure in figures:
        for width in ("300", "900"):
            query = {"question": question["id"], "figure": figure, "width": width}
            response = client.get("/api/v1/leaderboard/figure.svg", params=query)
            assert response.status_code == 200 and response.headers["content-type"].startswith("image/svg+xml")
            root = ElementTree.fromstring(response.text)
            assert root.attrib["width"] == width and "attachment" in response.headers["content-disposition"]
            words = " ".join(root.itertext())
            assert all(system in words for system in question["systems"])
            assert "var(--" not in response.text and "NaN" not in response.text and "inf" not in response.text
            bare = client.get("/api/v1/leaderboard/figure.svg", params={**query, "page": "1"}).text
            assert "<style" not in bare and 'style="' not in bare  # the page allows no styles but its own


def test_tables_are_csv_with_the_columns_of_the_command_line(filled: Place, client: httpx.Client) -> None:
    heads = {"pairs": "system,elo,ci_low,ci_high,rank,", "mos": "system,mean,ci_low,", "mushra": "system,median,q1,q3,"}
    for question in board(client)["questions"]:
        response = client.get("/api/v1/leaderboard/table.csv", params={"question": question["id"]})
        assert response.text.startswith(heads[question["kind"]])
        assert len(response.text.splitlines()) == 1 + len(question["systems"])


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("?from=soon", 400, "2026-11-20"),
        ("/figure.svg?figure=forest", 400, "Name a question"),
        ("/table.csv?question=pairs:none", 404, "choose another question"),
        ("/figure.svg?question=pairs:preference/overall&figure=pie", 404, "forest, heat, time"),
        ("/figure.svg?question=pairs:preference/overall&figure=heat&width=9", 400, "280 to 1600"),
        ("/figure.svg?question=pairs:preference/overall&figure=heat&width=9999999999", 400, "280 to 1600"),
        ("/figure.svg?question=pairs:preference/overall&figure=heat&width=x", 400, "280 to 1600"),
    ],
)
def test_what_cannot_be_answered_is_told(
    filled: Place, client: httpx.Client, path: str, status: int, word: str
) -> None:
    response = client.get(f"/api/v1/leaderboard{path}")
    assert response.status_code == status and word in response.json()["error"]["message"]


def test_without_votes_there_is_an_empty_view(place: Place, client: httpx.Client) -> None:
    found = board(client)
    assert found["questions"] == [] and found["options"]["studies"] == []


def test_a_page_of_its_own_keeps_strangers_out(place: Place, client: httpx.Client) -> None:
    response = client.get("/leaderboard")
    policy = response.headers["content-security-policy"]
    assert response.status_code == 200 and "default-src 'self'" in policy and "unsafe" not in policy
    assert "https://" not in response.text and "<script>" not in response.text

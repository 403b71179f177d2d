"""Sounds are served whole and in ranges, only while their trial is open."""

import httpx
import pytest

from app.studies_api import read_range
from tests.studies.conftest import Hall
from tests.studies.making import put_study, study
from tests.studies.rater import Rater


@pytest.fixture
def one(hall: Hall, client: httpx.Client) -> Rater:
    put_study(hall.database, hall.media, study("mos"))
    one = Rater(client, "mos-test", hall.clock)
    one.begin()
    return one


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-0", (0, 0)), ("bytes=5-", (5, 99)), ("bytes=-10", (90, 99)), ("bytes=90-500", (90, 99)),
        ("bytes=-500", (0, 99)), ("bytes=100-", "unsatisfiable"), ("bytes=-0", "unsatisfiable"), ("bytes=9-3", None),
        ("bytes=0-1,4-5", None), ("items=0-1", None), ("bytes=a-b", None), ("bytes=", None), ("bytes=--1", None),
        (f"bytes={'9' * 40}-", None),
    ],
)  # fmt: skip
def test_ranges_are_read_as_the_standard_says(header: str, wanted: object) -> None:
    assert read_range(header, 100) == wanted


def test_parts_are_the_parts_of_the_whole(one: Rater, client: httpx.Client) -> None:
    path = f"/media/{one.trial['slots'][0]['media']}"
    whole = client.get(path)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    part = client.get(path, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole.content)}"
    tail = client.get(path, headers={"Range": "bytes=-7", "If-Range": whole.headers["etag"]})
    assert (tail.status_code, tail.content) == (206, whole.content[-7:])
    assert client.get(path, headers={"Range": "bytes=-7", "If-Range": '"other"'}).status_code == 200
    beyond = client.get(path, headers={"Range": "bytes=999999999-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.content)}")
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(whole.content)


def test_a_sound_is_gone_when_its_trial_is_answered(one: Rater, hall: Hall, client: httpx.Client) -> None:
    path = f"/media/{one.trial['slots'][0]['media']}"
    assert client.get(path).status_code == 200
    one.vote()
    assert client.get(path).json()["error"]["code"] == "no_sound"
    for other in ("/media/x", f"/media/{'0' * 32}", "/media/..%2f..%2fstudies.sqlite3"):
        assert client.get(other).status_code == 404
    for file in hall.media.rglob("*.wav"):
        file.unlink()
    assert client.get(f"/media/{one.trial['slots'][0]['media']}").status_code == 404


def test_generated_sounds_belong_to_the_session(one: Rater, client: httpx.Client) -> None:
    volume = one.send("GET", "/api/v1/session/sounds/volume")
    assert volume.content[:4] == b"RIFF"
    assert client.get("/api/v1/session/sounds/volume").status_code == 401
    for name in ("headphones-1-0", "volume-2", "x", "headphones-0-0", "headphones-99-0"):
        assert one.send("GET", f"/api/v1/session/sounds/{name}").status_code == 404, "this study has no check"

"""Nothing that a participant's machine receives tells one system from another before its vote."""

import json
import re
from itertools import pairwise

import httpx
import pytest
from sqlalchemy import select

from app.db.study_models import Stimulus, System
from tests.studies.conftest import STATIC, Hall
from tests.studies.making import SYSTEMS, put_study, study
from tests.studies.participant import LOOKS, Participant
from tests.studies.rater import Rater

OWN_ROUTES = "/api/v1/session"
ROLES = ["anchor-3.5k", "anchor-7k", "anchor_low", "anchor_mid", "true-reference"]


def secrets(hall: Hall, values: dict) -> list[str]:
    """What must not be seen: names of systems, of prompts, of files, digests and ids of the database."""
    with hall.database.read() as session:
        stimuli = list(session.scalars(select(Stimulus)))
        systems = list(session.scalars(select(System)))
        found = [one.path.rsplit("/", 1)[1].removesuffix(".wav") for one in stimuli]
        found += [one.digest for one in stimuli] + [one.id for one in stimuli] + [one.id for one in systems]
        found += [one.name for one in systems] + [prompt["name"] for prompt in values["prompts"]]
    return [*found, *ROLES, "expected", "trap", "gold", "media/"]


def searched(response: httpx.Response) -> str:
    """Everything of a response: headers, and the body, of sounds the first bytes and all readable text."""
    headers = json.dumps(dict(response.headers.multi_items()))
    if response.headers["content-type"] == "audio/wav":
        return headers + " ".join(re.findall(r"[ -~]{6,}", response.content.decode("latin-1")))
    return headers + response.text


@pytest.mark.parametrize("kind", ["mos", "pairwise", "mushra"])
def test_no_response_of_a_session_names_a_system(hall: Hall, client: httpx.Client, kind: str) -> None:
    values = study(kind, training=0)  # training tells the roles after its votes, which is its purpose
    put_study(hall.database, hall.media, values)
    one = Rater(client, values["slug"], hall.clock)
    one.begin()
    one.finish()
    one.responses += [client.get(path) for path in ("/rate", "/api/v1/studies", "/api/openapi.json")]
    one.responses += [client.get(f"/ui/study/{path.name}") for path in (STATIC / "study").iterdir()]
    found = {
        (str(response.url.path), secret)
        for response in one.responses
        for secret in secrets(hall, values)
        if secret in searched(response) and not response.url.path.startswith("/ui/")
    }
    assert not found
    for name in [*SYSTEMS, "zebra", "quokka"]:
        assert not [response.url for response in one.responses if name in searched(response)]


@pytest.mark.parametrize("kind", ["mos", "pairwise", "mushra"])
def test_sounds_of_a_trial_differ_in_nothing_but_their_samples(hall: Hall, client: httpx.Client, kind: str) -> None:
    values = study(kind)
    put_study(hall.database, hall.media, values)
    sizes: dict[str, set[int]] = {}
    shapes = set()
    for _ in range(3):
        one = Rater(client, values["slug"], hall.clock)
        one.begin()
        while one.state["step"] in ("training", "trial"):
            ids = [slot["media"] for slot in one.trial["slots"]] + [one.trial["reference"]] * bool(
                one.trial["reference"]
            )
            answers = [client.get(f"/media/{media}") for media in ids]
            for answer in answers:
                assert answer.content[:4] == b"RIFF" and answer.content[36:40] == b"data", "nothing but the format"
                sizes.setdefault(kind, set()).add(len(answer.content))
                headers = dict(answer.headers)
                tag = headers.pop("etag")
                assert re.fullmatch(r'"[2-9A-Z]{5}(-[2-9A-Z]{5}){3}"', tag)
                headers.pop("date")
                shapes.add(json.dumps(headers, sort_keys=True))
            assert {len(media) for media in ids} == {32} and len(set(ids)) == len(ids)
            one.vote()
    assert len(sizes[kind]) == 1, "sizes tell systems apart"
    assert len(shapes) == 1, shapes
    assert "last-modified" not in shapes.pop()


def test_the_same_sound_has_another_id_in_every_session(hall: Hall, client: httpx.Client) -> None:
    put_study(hall.database, hall.media, study("mushra"))
    seen: list[str] = []
    for _ in range(4):
        one = Rater(client, "mushra-test", hall.clock)
        one.begin()
        seen += [slot["media"] for slot in one.trial["slots"]] + [one.trial["reference"]]
    assert len(set(seen)) == len(seen)
    assert all(first != second for first, second in pairwise(sorted(seen)))


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_the_page_itself_holds_no_name(browser, hall: Hall) -> None:
    values = study("mushra", training=0, traps=0, gold=0)
    put_study(hall.database, hall.media, values)
    context = browser.new_context(**LOOKS["desktop"], locale="en-GB")
    one = Participant(context, hall)
    addresses: list[str] = []
    one.page.on("request", lambda request: addresses.append(request.url + str(request.post_data)))
    one.open("/rate?study=mushra-test")
    one.consent()
    one.set_up()
    one.page.wait_for_function("() => !document.querySelector('.trial .play').disabled")
    kept = one.page.evaluate("() => JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })")
    known = one.page.evaluate("() => JSON.stringify(window.calmStudy.state)")
    caches = one.page.evaluate("async () => (await window.caches?.keys() ?? []).length")
    one.trial()
    held = one.page.content() + kept + known + "".join(addresses)
    context.close()
    assert caches == 0 and not one.faults
    assert not [secret for secret in secrets(hall, values) if secret in held and secret != "media/"]

"""Nothing that a visitor's machine receives tells one system from another before the vote."""

import json
import re

import httpx
from sqlalchemy import select

from app.db.study_models import Stimulus, System
from tests.arena.conftest import SYSTEMS, Ring, Visitor
from tests.studies.conftest import STATIC


def secrets(ring: Ring) -> list[str]:
    """What must not be seen: names, titles, models, settings, files, digests and ids of the database."""
    with ring.database.read() as session:
        stimuli, systems = list(session.scalars(select(Stimulus))), list(session.scalars(select(System)))
        session.expunge_all()
    found = [*SYSTEMS, "zebra", "quokka", "narwhal", "okapi", "Zebra", str(ring.model), "temperature", "steps", "cfg"]
    found += [one.id for one in systems]
    found += [value for one in stimuli for value in (one.id, one.digest, one.path, one.path.rsplit("/", 1)[1][:-4])]
    return found


def searched(response: httpx.Response) -> str:
    """Everything of a response: headers, and the body, of sounds all readable text."""
    headers = json.dumps(dict(response.headers.multi_items()))
    if response.headers["content-type"] == "audio/wav":
        return headers + " ".join(re.findall(r"[ -~]{6,}", response.content.decode("latin-1")))
    return headers + response.text


def test_no_response_before_the_vote_names_a_system(ring: Ring, visitor: Visitor) -> None:
    for wish in ({"prompt": "boats", "voice": "slt"}, {"text": "Something else.", "voice": "rms"}, {"prompt": "rain"}):
        visitor.send("GET", "/api/v1/arena")
        pair = visitor.pair(**wish)
        for slot in pair["slots"]:
            assert visitor.send("GET", f"/media/{slot['media']}").status_code == 200
        visitor.state(pair["battle"])
        visitor.send("POST", "/api/v1/arena/vote", visitor.ballot(pair, outcome="c"))
        visitor.send("POST", "/api/v1/arena/vote", visitor.ballot(pair, listened={"0": 0.0, "1": 0.0}))
        before = visitor.responses
        visitor.responses = []
        assert visitor.vote(pair).status_code == 200
        told = searched(visitor.responses[0])
        assert sum(name in told for name in SYSTEMS) == 2, "after the vote both names are told"
        visitor.responses = before
    for path in ("/arena", "/api/v1/studies", "/rate"):
        visitor.send("GET", path)
    found = {
        (str(response.url.path)[:40], secret)
        for response in visitor.responses
        for secret in secrets(ring)
        if secret in searched(response)
    }
    assert not found


def test_the_scripts_and_the_documentation_name_no_system_either(ring: Ring, visitor: Visitor) -> None:
    sent = [visitor.send("GET", f"/ui/arena/{path.name}") for path in (STATIC / "arena").iterdir()]
    sent.append(visitor.send("GET", "/api/openapi.json"))
    for response in sent:
        assert response.status_code == 200
        assert not [name for name in (*SYSTEMS, "okapi", str(ring.model)) if name in searched(response)]


def test_both_sounds_have_one_size_and_one_form(ring: Ring, visitor: Visitor) -> None:
    lengths = set()
    for _ in range(5):
        pair = visitor.pair(prompt="boats", voice="slt")
        sounds = [visitor.send("GET", f"/media/{slot['media']}") for slot in pair["slots"]]
        assert len({len(sound.content) for sound in sounds}) == 1
        assert len({sound.content[:44] for sound in sounds}) == 1, "one header"
        shapes = set()
        for sound in sounds:
            headers = dict(sound.headers)
            assert re.fullmatch(r'"[2-9A-Z]{5}(-[2-9A-Z]{5}){3}"', headers.pop("etag"))
            headers.pop("date")
            shapes.add(json.dumps(headers, sort_keys=True))
        assert len(shapes) == 1 and "last-modified" not in shapes.pop()
        assert {len(slot["media"]) for slot in pair["slots"]} == {32}
        lengths |= {slot["media"] for slot in pair["slots"]}
        visitor.vote(pair)
    assert len(lengths) == 10, "the same recording has another id in every pair"


def test_a_shorter_recording_ends_in_silence_in_whole_and_in_parts(ring: Ring, visitor: Visitor) -> None:
    pair = visitor.pair(prompt="boats", voice="slt")
    with ring.database.write() as session:  # one of the two loses its second half
        one = session.scalars(select(Stimulus)).first()
        assert one is not None
        path = ring.settings.media_dir / one.path
    content = path.read_bytes()
    from app.studies.sounds import lengthened

    frames = (len(content) - 44) // 4
    short = lengthened(content[: 44 + 2 * frames], 44 + 2 * frames)
    path.write_bytes(short)
    sounds = [visitor.send("GET", f"/media/{slot['media']}").content for slot in pair["slots"]]
    assert len(sounds[0]) == len(sounds[1]) and sounds[0][:44] == sounds[1][:44]
    padded = next(sound for sound in sounds if sound[44:].startswith(short[44:]))
    assert not any(padded[len(short) :])
    media = pair["slots"][sounds.index(padded)]["media"]
    part = visitor.client.get(f"/media/{media}", headers={"Range": f"bytes=40-{len(short) + 9}"})
    assert part.status_code == 206 and part.content == padded[40 : len(short) + 10]
    assert part.headers["content-range"] == f"bytes 40-{len(short) + 9}/{len(padded)}"


def test_a_visitor_cannot_make_a_recording_again(ring: Ring) -> None:
    """The seed follows from the server's secret, so that no other run gives the same sound."""
    from app.arena.recordings import Recordings
    from app.arena.records import Item

    item = Item.of("Hello.", "slt", None)
    seeds = {
        Recordings(ring.service._recordings._runs, ring.arena, ring.settings.media_dir, secret, ring.settings)._seed(
            item
        )
        for secret in ("one", "two", "three")
    }
    assert len(seeds) == 3

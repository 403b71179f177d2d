"""Pairs of music: pieces that go on, music of a description, each with its own systems, question and rate."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sqlalchemy import select

from app.arena.systems import StudyFileError, parse_arena
from app.db.study_models import ComparisonRow
from app.synthesis import Synthesizer
from tests.arena.conftest import Visitor, opened, values
from tests.studies.makers import text

RATE = 32_000
PLAYERS = ("gecko-fast", "gecko-slow")
WRITERS = ("heron-fast", "heron-slow")


def content(model: Path, player: Path | str, **changes: Any) -> dict[str, Any]:
    told = values(str(model))
    for names, task in ((PLAYERS, "music_continuation"), (WRITERS, "clap_to_music")):
        told["systems"] += [
            {"name": names[0], "model": str(player), "task": task, "steps": 1},
            {"name": names[1], "model": str(player), "task": task, "steps": 4},
        ]
    described = {"seconds": 2, "minimum_seconds": 1.0, "prompts": [{"name": "hum", "text": "A low hum."}]}
    music = {"seconds": 2, "minimum_seconds": 1.0, "prompts": ["jazz", "folk"]}
    return told | {"music": music, "described": described} | changes


def test_music_meets_in_its_own_pairs(tmp_path: Path, model: Path, player: Path, engine: Synthesizer) -> None:
    with opened("", tmp_path, model, engine, content(model, player)) as ring:
        visitor = Visitor(ring)
        told = visitor.send("GET", "/api/v1/arena").json()
        assert told["tasks"] == ["tts", "music_continuation", "clap_to_music"] and told["continuation"] is None
        assert [one["name"] for one in told["music"]["prompts"]] == ["folk", "jazz"] and told["music"]["systems"] == 2
        assert told["described"]["prompts"] == [{"name": "hum", "text": "A low hum."}]
        pair = visitor.pair(task="music_continuation", prompt="jazz")
        assert pair["text"].startswith("The first 3 seconds of a piece: clarinet") and "enjoy" in pair["question"]
        sounds = [visitor.send("GET", f"/media/{slot['media']}") for slot in pair["slots"]]
        (first, rate), (second, _) = (soundfile.read(io.BytesIO(sound.content), dtype="int16") for sound in sounds)
        assert rate == RATE and len(first) == len(second) == 5 * RATE
        head = 3 * RATE - 200
        assert np.abs(first[:head].astype(int) - second[:head]).max() <= 2, "both begin alike, dither apart"
        assert not np.array_equal(first[head:], second[head:])
        answer = visitor.vote(pair, listened={"0": 1.1, "1": 1.1}).json()
        assert {one["name"] for one in answer["systems"]} == set(PLAYERS)
        pair = visitor.pair(task="clap_to_music", text="White noise that hisses.")
        answer = visitor.vote(pair, listened={"0": 1.1, "1": 1.1}).json()
        assert answer["text"] == "White noise that hisses."
        assert {one["name"] for one in answer["systems"]} == set(WRITERS)
        for wish in (
            {"task": "clap_to_music", "voice": "slt", "prompt": "hum"},
            {"task": "music_continuation", "text": "a"},
        ):
            assert "no field" in visitor.send("POST", "/api/v1/arena/battles", wish).json()["error"]["message"]
        with ring.database.read() as session:
            asked = sorted(session.scalars(select(ComparisonRow.attribute)))
        assert asked == ["enjoyment", "enjoyment-text-to-music"]
        visitor.client.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"music": None}, "'gecko-fast' has the task music_continuation; add the key 'music'"),
        ({"described": None}, "add the key 'described', which needs 'prompts'"),
        ({"described": {"prompts": []}}, "prompts"),
    ],
)
def test_tasks_of_music_need_their_rules(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    values = {key: value for key, value in content(tmp_path, "m", **changes).items() if value is not None}
    with pytest.raises(StudyFileError, match=words):
        parse_arena(text(values), "arena.yaml")

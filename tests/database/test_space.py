"""A Space restarts with an empty disk: its records come back from the Hub."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.database.hub import folder_hub

# One life of a Space: votes until it is told to stop, then says what its database holds.
LIFE = """
    import signal
    # waited for below, by every thread that imports start; a handler that sets an Event can come while the wait for it
    # holds its lock, and hang
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    import json, sys
    from app.db import open_from
    from app.db.models import new_id
    from app.db.records import MEDIA
    from app.settings import load_settings
    from sqlalchemy import select
    from app.db.study_models import Study, Vote
    from app.errors import UserError
    from tests.database.rows import add_session, add_study, add_trial, add_vote
    from tests.database.test_journal import contents

    settings = load_settings()
    try:
        database = open_from(settings)
    except UserError as error:
        print(error.message, file=sys.stderr)
        sys.exit(2)
    votes, slug = int(sys.argv[1]), sys.argv[2]
    before = contents(database)
    if votes:
        with database.write() as session:
            rows = add_study(session, slug)
        sound = settings.records_dir / MEDIA / "ab" / (new_id() + ".flac")
        sound.parent.mkdir(parents=True, exist_ok=True)
        sound.write_bytes(bytes(range(256)) * 40)
        with database.write() as session:
            sitting = add_session(session, rows)
        for position in range(votes):
            with database.write() as session:
                add_vote(session, rows, add_trial(session, rows, sitting, position), f"{slug} {position}")
    print(json.dumps({"before": before, "after": contents(database)}, default=str), flush=True)
    signal.sigtimedwait({signal.SIGTERM}, 30)
    database.close()
"""


class Space:
    """A machine whose disk is empty at each start."""

    def __init__(self, disk: Path, hub: str):
        self.disk = disk
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "CALM_", "SPACE_"))},
            "SPACE_ID": "somebody/calm", "HF_TOKEN": "hf_test", "HF_ENDPOINT": hub, "HF_HUB_DISABLE_XET": "1",
            "CALM_DATA_DIR": str(disk), "HF_HOME": str(disk / "hub-home"),
        }  # fmt: skip

    def start(self, votes: int, slug: str = "tones") -> subprocess.Popen:
        shutil.rmtree(self.disk, ignore_errors=True)
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(LIFE), str(votes), slug],
            env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def live(self, votes: int, slug: str = "tones") -> dict:
        process = self.start(votes, slug)
        assert process.stdout
        told = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, faults = process.communicate(timeout=60)
        assert process.returncode == 0, faults
        return json.loads(told)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator:
    with folder_hub(tmp_path / "hub") as (address, handler):
        yield address, handler, tmp_path / "hub" / "somebody" / "calm-records"


def test_nothing_is_lost_over_restarts_with_an_empty_disk(hub, tmp_path: Path) -> None:
    address, _, pushed = hub
    space = Space(tmp_path / "disk", address)
    first = space.live(votes=25)
    assert first["before"]["votes"] == [] and len(first["after"]["votes"]) == 25
    assert list(pushed.glob("journal/*.jsonl")) and not list(pushed.rglob("*.sqlite3*"))
    second = space.live(votes=10, slug="second study")
    assert second["before"] == first["after"]
    third = space.live(votes=0)
    assert third["before"] == second["after"]
    assert len(third["before"]["votes"]) == 35 and len(third["before"]["studies"]) == 2
    sounds = list((tmp_path / "disk" / "studies" / "media").rglob("*.flac"))
    assert len(sounds) == 2 and all(len(sound.read_bytes()) == 10_240 for sound in sounds)


def test_a_killed_space_keeps_what_was_pushed(hub, tmp_path: Path) -> None:
    address, _, _ = hub
    space = Space(tmp_path / "disk", address)
    first = space.live(votes=5)
    process = space.start(votes=5, slug="killed")
    assert process.stdout and process.stdout.readline()
    process.kill()
    process.communicate()
    assert space.live(votes=0)["before"]["votes"][:5] == first["after"]["votes"]


@pytest.mark.parametrize("fault", ["the Hub fails", "the token was revoked"])
def test_a_space_does_not_start_over_without_its_records(hub, tmp_path: Path, fault: str) -> None:
    address, handler, _ = hub
    space = Space(tmp_path / "disk", address)
    space.live(votes=3)
    handler.down = fault == "the Hub fails"
    handler.token = "hf_test" if handler.down else "hf_other"
    process = space.start(votes=0)
    _, told = process.communicate(timeout=100)
    assert process.returncode == 2 and "HF_TOKEN" in told and "Traceback" not in told
    handler.down, handler.token = False, "hf_test"
    assert len(space.live(votes=0)["before"]["votes"]) == 3

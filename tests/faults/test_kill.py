"""The server is killed again and again under voting clients: every acknowledged vote is there once, none twice."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from app.db import open_database, open_records
from app.db.study_models import OpinionScoreRow, Trial, Vote
from evaluation.benchmarks._voters import Ledger, crowd
from evaluation.benchmarks.load import SLUG, Server, write_study
from tests.database.cluster import Cluster
from tests.database.test_journal import contents

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("CALM_KILLS", "4"))
CLIENTS = 50
BETWEEN_SECONDS = (0.3, 1.5)  # of voting before the next kill
AWAY_SECONDS = 120.0


async def vote_and_kill(server: Server, cluster: Cluster | None = None) -> tuple[Ledger, list[int]]:
    """Votes while the server is killed; returns what clients know, and their votes at the time of each kill."""
    stop, rng, at_kill = asyncio.Event(), np.random.default_rng(1), []
    ledger = Ledger()
    voting = asyncio.create_task(crowd("127.0.0.1", server.port, SLUG, CLIENTS, stop, patient=True, ledger=ledger))
    for number in range(KILLS):
        before = len(ledger.acknowledged)
        async with asyncio.timeout(AWAY_SECONDS):  # until it takes votes again
            while len(ledger.acknowledged) < before + 5:
                await asyncio.sleep(0.05)
        await asyncio.sleep(rng.uniform(*BETWEEN_SECONDS))
        at_kill.append(len(ledger.acknowledged))
        if cluster and number % 2:  # the database goes as well, as in a crash or as an administrator does it
            await asyncio.to_thread(cluster.stop, "immediate" if number % 4 == 1 else "fast")
            await asyncio.to_thread(cluster.start)
        if not cluster or number % 4 != 3:
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.begin)
    async with asyncio.timeout(AWAY_SECONDS):
        while len(ledger.acknowledged) < at_kill[-1] + 20:
            await asyncio.sleep(0.05)
    stop.set()
    await voting
    return ledger, at_kill


def check(url: str, ledger: Ledger) -> None:
    database = open_database(url)
    try:
        with database.read() as session:
            votes = dict(session.execute(select(Vote.key, Vote.trial_id)).all())  # pyright: ignore[reportArgumentType]
            scores = dict(session.execute(select(OpinionScoreRow.trial_id, OpinionScoreRow.score)).all())  # pyright: ignore[reportArgumentType]
            answered = set(session.scalars(select(Trial.id).where(Trial.answered_at.is_not(None))))
            rows = session.scalar(select(func.count()).select_from(OpinionScoreRow))
    finally:
        database.close()
    lost = set(ledger.acknowledged) - set(votes)
    assert not lost, f"{len(lost)} acknowledged votes are lost"
    assert set(votes) <= ledger.sent, "votes that nobody sent"
    assert len(set(votes.values())) == len(votes) == rows, "a trial has two votes"
    assert set(votes.values()) == set(scores) == answered, "half a vote"
    wrong = [key for key, score in ledger.acknowledged.items() if scores[votes[key]] != score]
    assert not wrong, "votes with another answer"


def run(server: Server, url: str, folder: Path, cluster: Cluster | None = None) -> None:
    server.command("study", "create", str(write_study(folder / "study")), "--open")
    server.start()
    try:
        # a thread of its own: where a browser test came before, the main thread already has an event loop
        with ThreadPoolExecutor(1) as pool:
            ledger, at_kill = pool.submit(lambda: asyncio.run(vote_and_kill(server, cluster))).result()
    finally:
        server.kill()
    print(f"{len(ledger.acknowledged)} votes, {ledger.retries} retries, votes at the kills: {at_kill}")
    assert not ledger.errors, ledger.errors[:3]
    assert len(at_kill) == KILLS and ledger.retries > KILLS
    check(url, ledger)
    # and the journal alone tells the same
    first = open_records(url, server.data / "studies")
    again = open_records(f"sqlite:///{folder / 'again.sqlite3'}", server.data / "studies")
    try:
        assert contents(again) == contents(first)
    finally:
        first.close()
        again.close()


@pytest.mark.timeout(1800)
def test_a_server_on_sqlite_is_killed_again_and_again(tmp_path: Path) -> None:
    run(Server(tmp_path / "data"), f"sqlite:///{tmp_path / 'data' / 'calm.sqlite3'}", tmp_path)


@pytest.mark.timeout(1800)
def test_a_server_on_postgresql_is_killed_and_the_database_restarted(tmp_path: Path, durable_cluster: Cluster) -> None:
    url = durable_cluster.create("killed")
    run(Server(tmp_path / "data", url), url, tmp_path, durable_cluster)

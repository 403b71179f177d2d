"""How many votes a second the server of listening tests takes from many raters at once, and how long each waits.

`python -m evaluation.benchmarks load [--raters 200] [--seconds 60] [--think 0] [--database-url URL] [--json]`

A server of its own runs in another process, with the database in a temporary folder, journal and foreign keys on and
every vote on the disk before it is acknowledged. Raters and server share the machine. Every acknowledged vote is
looked for in the database at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.benchmarks._voters import Ledger, crowd
from evaluation.errors import InputError

SLUG = "load"
PROMPTS, SYSTEMS, ITEMS = 50, 2, 20
RATE = 16_000
START_SECONDS = 180.0


def write_study(folder: Path) -> Path:
    """A MOS study with tones, without anything between a rater and the trials."""
    values: dict[str, Any] = {
        "slug": SLUG,
        "title": {"en": "Load", "fr": "Charge"},
        "kind": "mos",
        "question": {"en": "How good is it?", "fr": "Quelle est la qualité ?"},
        "systems": [{"name": f"system-{number}"} for number in range(SYSTEMS)],
        "prompts": [{"name": f"item-{number:02d}"} for number in range(PROMPTS)],
        "files": "audio/{system}/{prompt}.wav",
        "items_per_session": ITEMS,
        "ratings_wanted": 10_000,
        "loudness_lufs": None,
    }
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    time_ = np.arange(RATE) / RATE
    for system in range(SYSTEMS):
        for item in range(PROMPTS):
            path = folder / "audio" / f"system-{system}" / f"item-{item:02d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            tone = 0.1 * np.sin(2 * np.pi * (200 + 10 * item + 300 * system) * time_)
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes((tone * 32767).astype("<i2").tobytes())
    return folder


class Server:
    """The listening tests in a process of their own, over one data folder; it may be killed and started again."""

    def __init__(self, data: Path, database_url: str = ""):
        self.data = data
        self._log = data.parent / "server.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CALM_", "SPACE_"))},
            "CALM_DATA_DIR": str(data), "CALM_DATABASE_URL": database_url, "CALM_OFFLINE": "1",
        }  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> None:
        """Run a command of the app over the same data.

        Raises:
            InputError: it failed; the message is its own.
        """
        command = [sys.executable, "-m", "app", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InputError(f"The command {' '.join(arguments[:2])} failed: {done.stderr.strip()[-500:]}")

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.begin()
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
            assert self._process is not None
            if self._process.poll() is not None:
                break
        raise InputError(f"The server does not start: {self._log.read_text(errors='replace')[-500:]}")

    def begin(self) -> None:
        """Start without waiting."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve", "--port", str(self.port)],
                env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        """End it in the middle of whatever it does (SIGKILL)."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


def count_votes(server: Server, folder: Path) -> int:
    """The votes in the database, by the app's own export."""
    server.command("export", "--study", SLUG, "--out", str(folder))
    scores = folder / "opinion_scores.csv"
    return len(scores.read_text(encoding="utf-8").splitlines()) - 1 if scores.is_file() else 0


def measure(server: Server, raters: int, seconds: float, think: float) -> tuple[Ledger, float]:
    """Let the raters come to their first trial, then vote for some seconds; returns those seconds too."""

    async def run() -> tuple[Ledger, float]:
        ledger, gate, stop = Ledger(), asyncio.Event(), asyncio.Event()
        voting = asyncio.create_task(
            crowd("127.0.0.1", server.port, SLUG, raters, stop, think_seconds=think, ledger=ledger, gate=gate)
        )
        while ledger.ready + len(ledger.errors) < raters and not voting.done():
            await asyncio.sleep(0.05)
        gate.set()
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        stop.set()
        await voting
        # who was between two sessions at the end joins to no purpose; that time is not counted
        return ledger, max(seconds, ledger.last - began)

    return asyncio.run(run())


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 when a rater met an error or a vote is missing."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks load", description=__doc__)
    parser.add_argument("--raters", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--think", type=float, default=0.0, help="seconds between two votes of a rater, on average")
    parser.add_argument("--database-url", default="", help="PostgreSQL to use instead of SQLite; an empty database")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.raters < 1 or options.seconds <= 0 or options.think < 0:
        raise InputError("--raters and --seconds must be above 0, --think not below.")
    with tempfile.TemporaryDirectory(prefix="calm-load-") as folder:
        root = Path(folder)
        server = Server(root / "data", options.database_url)
        print("making the study ...", file=sys.stderr, flush=True)
        server.command("study", "create", str(write_study(root / "study")), "--open")
        server.start()
        try:
            print(f"{options.raters} raters for {options.seconds:g} s ...", file=sys.stderr, flush=True)
            ledger, took = measure(server, options.raters, options.seconds, options.think)
        finally:
            server.stop()
        for error in ledger.errors[:5]:
            print(error, file=sys.stderr)
        stored = count_votes(server, root / "out")
    wait = 1000 * np.quantile(ledger.seconds or [float("nan")], [0.5, 0.99, 1.0])
    figures = {
        "database": "postgresql" if options.database_url else "sqlite",
        "raters": options.raters,
        "seconds": round(took, 1),
        "think_seconds": options.think,
        "votes": len(ledger.acknowledged),
        "votes_per_second": round(len(ledger.acknowledged) / took, 1),
        "p50_ms": round(float(wait[0]), 1),
        "p99_ms": round(float(wait[1]), 1),
        "max_ms": round(float(wait[2]), 1),
        "errors": len(ledger.errors),
        "stored": stored,
    }
    if options.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:<18}{value}" for name, value in figures.items()))
    return 0 if not ledger.errors and stored == len(ledger.acknowledged) else 1

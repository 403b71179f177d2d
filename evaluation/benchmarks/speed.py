"""How fast the engine speaks beside the pocket-tts package.

`python -m evaluation.benchmarks speed --peer pocket-tts [--config english] [--rounds 5]
[--weights float32] [--precision float16] [--json]`

Both load the same random weights in processes of their own and speak the same text in turn, so that whatever else the
machine does falls on both. Ratios above 1 mean that ours is better.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.benchmarks._pocket_model import write_model
from evaluation.errors import InputError

STREAMS = 8


class Worker:
    """A system in a process of its own."""

    def __init__(self, kind: str, folder: Path, precision: str = "float32"):
        command = [sys.executable, "-m", "evaluation.benchmarks._speed_worker", kind, str(folder), precision]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.memory = self._answer()

    def run(self, streams: int, seed: int) -> dict[str, float]:
        """Speak with `streams` callers at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"streams": streams, "seed": seed}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise InputError(f"The process of '{self._process.args[3]}' ended; its message is above.")  # type: ignore[index]
        return json.loads(line)


def write_recording(path: Path, seconds: float = 3.0, rate: int = 24_000) -> None:
    """A voice prompt: a tone in syllables over faint noise, 16-bit mono WAV."""
    time = np.arange(int(seconds * rate)) / rate
    sound = 0.3 * np.sin(2 * np.pi * 130 * time) * np.sin(2 * np.pi * 2 * time)
    sound += 0.01 * np.random.default_rng(0).standard_normal(len(time))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound * 32767).astype(np.int16).tobytes())


def measure(config: str, rounds: int, weights: str = "bfloat16", precision: str = "float32") -> dict[str, Any]:
    """Run the two systems in turn.

    Args:
        config: a configuration that the package ships.
        rounds: runs of each kind; the medians count.
        weights: their type in the file: bfloat16, as releases have, or float32, as training leaves them.
        precision: of our products, see `calm_core.load`; the peer computes in float32.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_recording(folder / "voice.wav")
        write_model(folder, config, kind=weights)
        peer, ours = Worker("peer", folder), Worker("ours", folder, precision)
        runs: dict[str, list[dict[str, float]]] = {"peer": [], "one": [], "eight": []}
        for index in range(rounds):
            runs["peer"].append(peer.run(1, index))
            runs["one"].append(ours.run(1, index))
            runs["eight"].append(ours.run(STREAMS, 100 * index))
            print(f"round {index + 1} of {rounds}", file=sys.stderr)
        peer.close()
        ours.close()
    factor = {kind: statistics.median(r["audio"] / r["took"] for r in rows) for kind, rows in runs.items()}
    first = {kind: statistics.median(r["first"] for r in rows) for kind, rows in runs.items()}
    return {
        "config": config,
        "peer": "pocket-tts 4.0.1",
        "weights": weights,
        "precision": precision,
        "rounds": rounds,
        "ratio_one_stream": round(factor["one"] / factor["peer"], 2),
        "ratio_eight_streams": round(factor["eight"] / factor["peer"], 2),
        "ratio_first_audio": round(first["peer"] / first["one"], 2),
        "ratio_weights": round(peer.memory["weights_mb"] / ours.memory["weights_mb"], 3),
        "real_time_factor": round(factor["one"], 2),
        "real_time_factor_eight_streams": round(factor["eight"], 2),
        "peer_real_time_factor": round(factor["peer"], 2),
        "first_audio_seconds": round(first["one"], 3),
        "first_audio_seconds_eight_streams": round(first["eight"], 3),
        "peer_first_audio_seconds": round(first["peer"], 3),
        "weights_mb": round(ours.memory["weights_mb"], 1),
        "peer_weights_mb": round(peer.memory["weights_mb"], 1),
        "resident_mb": round(ours.memory["resident_mb"]),
        "peer_resident_mb": round(peer.memory["resident_mb"]),
    }


def main(arguments: list[str]) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks speed", description=__doc__)
    parser.add_argument("--peer", choices=["pocket-tts"], default="pocket-tts")
    parser.add_argument("--config", default="english", help="a configuration that pocket-tts ships")
    kinds = ["bfloat16", "float32"]
    parser.add_argument("--weights", choices=kinds, default=kinds[0], help="type of the weights in the file")
    parser.add_argument("--precision", choices=["float32", "float16"], default="float32", help="of our weights")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(arguments)
    try:
        from pocket_tts.utils.config import CONFIGS_DIR
    except ImportError as error:
        raise InputError("The peer is not installed; install requirements-dev.txt.") from error
    if not (CONFIGS_DIR / f"{options.config}.yaml").exists():
        raise InputError(f"pocket-tts ships no configuration '{options.config}'; try english.")
    if options.rounds < 1:
        raise InputError(f"--rounds is {options.rounds} and must be at least 1.")
    result = measure(options.config, options.rounds, options.weights, options.precision)
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:36} {value}")
    return 0

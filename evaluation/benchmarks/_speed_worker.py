"""One system in a process of its own: `python -m evaluation.benchmarks._speed_worker ours|peer FOLDER PRECISION`.

Reads one JSON object a line from stdin, {"streams": n, "seed": s}, speaks, and answers with one JSON object a line.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any, Protocol

# Fits into one piece, so that no system gains by cutting it differently.
TEXT = "We all went to see the boat."


class System(Protocol):
    """What is measured."""

    weights_mb: float

    def speak(self, seed: int) -> dict[str, float]:
        """Speak `TEXT`; gives seconds of audio, seconds until the first of it, and seconds in all."""
        ...


def _timed(chunks: Any, sample_rate: int, start: float) -> dict[str, float]:
    first, samples = 0.0, 0
    for chunk in chunks:
        if not samples:
            first = time.perf_counter() - start
        samples += chunk.shape[-1]
    return {"audio": samples / sample_rate, "first": first, "took": time.perf_counter() - start}


class Ours:
    """calm_core, as `load` gives it."""

    def __init__(self, folder: Path, precision: str):
        import calm_core

        self._tts = calm_core.load(str(folder / "config.yaml"), precision=precision)
        self._voice = self._tts.voice(folder / "voice.wav")
        self.weights_mb = self._tts.weights_bytes / 1e6

    def speak(self, seed: int) -> dict[str, float]:
        """See `System`."""
        start = time.perf_counter()
        return _timed(self._tts.stream(TEXT, self._voice, seed=seed), self._tts.sample_rate, start)


class Peer:
    """The pocket-tts package with its defaults."""

    def __init__(self, folder: Path):
        import torch
        from pocket_tts import TTSModel

        self._torch = torch
        self._model = TTSModel.load_model(config=folder / "config.yaml")
        self._voice = self._model.get_state_for_audio_prompt(folder / "voice.wav")
        tensors = self._model.state_dict().values()
        self.weights_mb = sum(t.numel() * t.element_size() for t in tensors) / 1e6

    def speak(self, seed: int) -> dict[str, float]:
        """See `System`."""
        self._torch.manual_seed(seed)
        start = time.perf_counter()
        chunks = self._model.generate_audio_stream(self._voice, TEXT)
        return _timed(chunks, self._model.sample_rate, start)


def run(system: System, streams: int, seed: int) -> dict[str, float]:
    """Speak with several callers at once; audio of all of them, wall time, and the mean time to first audio."""
    results: list[dict[str, float]] = []
    start = time.perf_counter()
    callers = [threading.Thread(target=lambda s=seed + i: results.append(system.speak(s))) for i in range(streams)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return {
        "audio": sum(r["audio"] for r in results),
        "first": sum(r["first"] for r in results) / streams,
        "took": time.perf_counter() - start,
    }


def main() -> None:
    """Load, answer with the memory in use, then obey."""
    kind, folder, precision = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    system: System = Ours(folder, precision) if kind == "ours" else Peer(folder)
    system.speak(0)
    resident = _resident_mb()
    print(json.dumps({"weights_mb": system.weights_mb, "resident_mb": resident}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(run(system, order["streams"], order["seed"])), flush=True)


def _resident_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmRSS"].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()

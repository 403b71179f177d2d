"""How long drawing a frame takes, with a consistency head and with the RQ-Transformer that it replaces.

The RQ-Transformer is there twice: packed as this engine packs every model, and plain, as torch runs it and its users
meet it. The first says what the change of the sampler brings, the second what a user gains who changes both.

`python -m evaluation.benchmarks sampler [--task speech] [--frames 8] [--rounds 4] [--json]`

The paper's sizes (CALM, table 14) with random weights, one stream: backbone step and sampler are timed inside whole
frames, as a generation runs them, and the systems take turns, so that whatever else the machine does falls on all of
them. Medians count. Ratios above 1 mean that the system is faster than the RQ-Transformer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

from evaluation.benchmarks._sampler_systems import MOST_FRAMES, Bench, Sizes, System, Task, Took
from evaluation.errors import InputError

RQ = Sizes(1024, 6, 4096, 16)
SPEECH = Task(
    name="speech",
    backbone=Sizes(2560, 24, 10_560, 20),
    context=187,
    latent_dim=32,
    codes=2048,
    rq=RQ,
    mlp=Sizes(512, 6),
    systems=(
        System("RQ-Transformer, 8 RVQ", "rq_transformer", 8),
        System("consistency, 1 step", "consistency"),
        System("the same RQ, plain", "rq_transformer", 8, plain=True),
    ),
    text=48_000,  # of Helium-1's preview, whose sizes the table gives
)
MUSIC = Task(
    name="music",
    backbone=Sizes(1536, 48, 6336, 24),
    context=375,
    latent_dim=128,
    codes=2048,
    rq=RQ,
    mlp=Sizes(3072, 12),
    systems=(
        System("RQ-Transformer, 32 RVQ", "rq_transformer", 32, frame_rate=25.0),
        System("consistency, 1 step", "consistency", frame_rate=25.0, clean=True),
        System("consistency, 4 steps", "consistency", steps=4, frame_rate=25.0, clean=True),
        System("RQ-Transformer, 16 RVQ", "rq_transformer", 16, frame_rate=25.0),
        System("the same RQ (32), plain", "rq_transformer", 32, frame_rate=25.0, plain=True),
        System("TrigFlow, 100 steps", "trigflow", steps=100, frame_rate=25.0, clean=True, rare=True),
        # Its EnCodec has 4 codebooks at 50 frames a second.
        System("MusicGen, delay", "delay", 4, frame_rate=50.0),
    ),
    short=Sizes(1536, 4, 6336, 24),
    shared_from=7,  # as many sets of weights as for speech; a set for each level would have 2.4 B
)
TASKS = {task.name: task for task in (SPEECH, MUSIC)}
# Tables 2 and 4: sampler speed-up, overall speed-up, share of the time in the sampler.
PAPER: dict[str, dict[str, tuple[float | None, float, float]]] = {
    "speech": {"RQ-Transformer, 8 RVQ": (1.0, 1.0, 0.267), "consistency, 1 step": (12.3, 1.3, 0.029)},
    "music": {
        "RQ-Transformer, 32 RVQ": (1.0, 1.0, 0.577),
        "consistency, 1 step": (19.3, 2.2, 0.066),
        "consistency, 4 steps": (5.4, 1.9, 0.201),
        "RQ-Transformer, 16 RVQ": (2.2, 1.5, 0.38),
        "TrigFlow, 100 steps": (0.2, 0.3, 0.866),
        "MusicGen, delay": (None, 1.3, 0.0),
    },
}


def measure(task: Task, frames: int, rounds: int, busy: bool = False, device: str = "cpu") -> dict[str, Any]:
    """Time the systems of a task in turn.

    Args:
        task: sizes and systems.
        frames: of one system before the next one's turn.
        rounds: turns of each system; rare ones have one, with two frames.
        busy: count the time that the thread had a processor.
        device: a torch device.

    Returns:
        `sampler_speedup` and `overall_speedup` of the second system over the first, and the figures of all; in these
        also over the plain one, whose backbone counts as the packed one does.
    """
    print(f"{task.name}: making random weights", file=sys.stderr)
    bench = Bench(task, time.thread_time if busy else time.perf_counter, device)
    took: dict[str, list[Took]] = {system.name: [] for system in task.systems}
    for index in range(rounds):
        for system in task.systems:
            if not system.rare:
                took[system.name] += bench.frames(system, frames + 1)[
                    1:
                ]  # the first one waits for other systems' weights
            elif index == 0:
                took[system.name] += bench.frames(system, 2)
        print(f"{task.name}: round {index + 1} of {rounds}", file=sys.stderr)
    # The backbone is the same for all of them.
    backbone = statistics.median(t.backbone for each in took.values() for t in each)
    clean = [t.short for system in task.systems if system.clean for t in took[system.name]]
    short = statistics.median(clean) if clean else 0.0
    systems: dict[str, dict[str, Any]] = {}
    for system in task.systems:
        sampler = statistics.median(t.sampler for t in took[system.name])
        frame = backbone + sampler + (short if system.clean else 0.0)
        systems[system.name] = {
            "parameters_millions": round(bench.parameters[system.name] / 1e6, 1),
            "sampler_ms": 1e3 * sampler,
            "frame_ms": 1e3 * frame,
            "real_time_factor": 1 / (frame * system.frame_rate),
            "sampler_share": sampler / frame,
        }
    plain = next(system for system in task.systems if system.plain)
    for ending, other in (("", task.systems[0]), ("_over_plain", plain)):
        base = systems[other.name]
        for system in task.systems:
            row = systems[system.name]
            # Per second of sound: not all have as many frames in one.
            rates = other.frame_rate / system.frame_rate
            row[f"sampler_speedup{ending}"] = base["sampler_ms"] / row["sampler_ms"] * rates
            row[f"overall_speedup{ending}"] = row["real_time_factor"] / base["real_time_factor"]
    headline = systems[task.systems[1].name]
    return {
        "sampler_speedup": headline["sampler_speedup"],
        "overall_speedup": headline["overall_speedup"],
        "backbone_ms": 1e3 * backbone,
        "short_context_ms": 1e3 * short,
        "context_frames": task.context,
        "systems": systems,
    }


def table(name: str, result: dict[str, Any]) -> str:
    """The result as text, the paper's figures in brackets."""
    lines = [
        f"{name}: backbone {result['backbone_ms']:.0f} ms a frame behind {result['context_frames']} frames",
        f"{'':24}{'weights':>9}{'sampler':>12}{'share':>19}{'sampler x':>18}{'overall x':>18}{'over plain':>18}",
    ]
    for system, row in result["systems"].items():
        paper = PAPER.get(name, {}).get(system, (None, None, None))
        speedups = [
            f"{row[key]:.2f} ({'-' if said is None else said})"
            for key, said in (("sampler_speedup", paper[0]), ("overall_speedup", paper[1]))
        ]
        share = f"{row['sampler_share']:.1%} ({'-' if paper[2] is None else f'{paper[2]:.1%}'})"
        speedups.append(f"{row['sampler_speedup_over_plain']:.2f}, {row['overall_speedup_over_plain']:.2f}")
        weights = f"{row['parameters_millions']:.0f} M"
        lines.append(
            f"{system:24}{weights:>9}{row['sampler_ms']:>9.1f} ms{share:>19}{speedups[0]:>18}{speedups[1]:>18}"
            f"{speedups[2]:>18}"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks sampler", description=__doc__)
    parser.add_argument("--task", choices=[*TASKS, "all"], default="all")
    parser.add_argument("--frames", type=int, default=8, help="frames of one system before the next one's turn")
    parser.add_argument("--rounds", type=int, default=4, help="turns of each system")
    parser.add_argument(
        "--busy", action="store_true", help="one thread, by its processor's time: for a machine that does other work"
    )
    parser.add_argument("--device", default="cpu", help="a torch device (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(arguments)
    if not 1 <= options.frames < MOST_FRAMES:
        raise InputError(f"--frames is {options.frames} and must be from 1 to {MOST_FRAMES - 1}.")
    if options.rounds < 1:
        raise InputError(f"--rounds is {options.rounds} and must be at least 1.")
    import torch

    import calm_core

    try:
        device = calm_core.pick_device(options.device)
    except calm_core.InputError as error:
        raise InputError(str(error)) from error
    if options.busy and device.type != "cpu":
        raise InputError(f"--busy times a processor's thread and cannot be used on {device}; leave one of them out.")
    before = torch.get_num_threads()
    torch.set_num_threads(1 if options.busy else before)
    try:
        names = list(TASKS) if options.task == "all" else [options.task]
        asked = (options.frames, options.rounds, options.busy, str(device))
        results = {name: measure(TASKS[name], *asked) for name in names}
        threads = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    clock = "processor time" if options.busy else "wall time"
    precision = "16-bit weights, float32 products" if device.type == "cpu" else "float32"
    if options.json:
        facts = {"precision": precision, "device": str(device), "threads": threads, "clock": clock}
        print(json.dumps({**facts, **results}))
    else:
        print(f"{precision}, {device}, {threads} threads, {clock}; the paper's figures, of a GPU, in brackets")
        for name, result in results.items():
            print(f"\n{table(name, result)}")
    return 0

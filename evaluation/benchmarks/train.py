"""How fast the bundled text-to-speech model trains, against what the machine's matrix products reach.

`python -m evaluation.benchmarks train [--steps 6] [--batch 64] [--precision float32 bfloat16] [--json]`

Steps a second are those on the wall's clock. The share of the peak compares operations and matrix products on the clock
of the process itself, so it hangs less on what else the machine does.
"""

from __future__ import annotations

import argparse
import json

from evaluation.errors import InputError
from evaluation.tables import markdown_table

PRECISIONS = ("float32", "bfloat16")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; JSON is one object on stdout."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.benchmarks train", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=6, help="timed steps in each arithmetic")
    parser.add_argument("--batch", type=int, default=64, help="utterances a step")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if min(options.steps, options.batch) < 1:
        raise InputError("--steps and --batch need 1 or more.")
    from calm_core.training.measure import measure_training

    found = measure_training(options.steps, [f"schedule.batch={options.batch}"], options.precision)
    if options.json:
        print(json.dumps(found))
        return 0
    print(
        f"{found['parameters'] / 1e6:.2f} M learned parameters, {found['flops_per_step'] / 1e9:.1f} GFLOP a step of "
        f"{found['batch']} utterances, {found['threads']} threads on {found['device']}\n"
    )
    columns = ("arithmetic", "steps/s", "frames/s", "matrix peak, GFLOP/s", "share of the peak")
    rows = []
    for precision in options.precision:
        one = found[precision]
        rows.append([
            precision, f"{one['steps_per_second']:.2f}", f"{one['frames_per_second']:.0f}",
            f"{one['matrix_peak_flops'] / 1e9:.0f}", f"{100 * one['share_of_peak']:.0f} %",
        ])  # fmt: skip
    print(markdown_table(columns, rows))
    return 0

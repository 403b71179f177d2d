"""Time: table 9 of CALM, distance and time against steps, and half a minute of every model on this machine."""

import os
from itertools import product
from typing import Any

import numpy as np

from evaluation.reproduction import fingerprints
from evaluation.reproduction.music.continuation import how, record_of
from evaluation.reproduction.music.desk import Desk, comparable, counted
from evaluation.reproduction.music.sets import FAD, chosen, orders, resampled, too_few
from evaluation.reproduction.music.settings import System
from evaluation.reproduction.records import Figures, Record
from evaluation.reproduction.section import Section, show

KIND = "speed"
# Table 9: seconds for half a minute, then the FAD of TrigFlow and of consistency.
_TABLE_9: dict[int, tuple[float, float | None, float]] = {
    1: (16.7, None, 0.83), 4: (20.4, 28.83, 0.71), 10: (27.7, 4.62, 0.73), 25: (46.1, 0.79, 0.96),
    50: (76.8, 0.74, 1.46), 100: (136.4, 0.64, 2.05),
}  # fmt: skip
_ALONE = "one"  # the numbers of steps of a head that takes but one


def record_of_speed(desk: Desk, model: str, steps: tuple[int, ...]) -> Record | None:
    """How long a model takes for half a minute, by steps in turn, so that they compare among each other."""
    asked = desk.settings
    weights = fingerprints.of_model(model)
    settings = {"prompt_seconds": asked.prompt_seconds, "seconds": asked.long_seconds, "steps": list(steps)}

    def measure(seeds: list[int]) -> dict[int, Figures]:
        from evaluation.bundled.music import Music

        player = Music(model, device=asked.device)
        prompt = desk.prompts[0].part(0.0, asked.prompt_seconds)
        turns = [*product(range(asked.takes), steps or (None,))]
        player.time(prompt, 1.0, turns[0][1])  # starts threads, brings weights from the disk
        took: dict[str, list[Any]] = {}
        for take, count in counted(f"{KIND}: {System(model).name}", turns):
            name = _ALONE if count is None else str(count)
            took.setdefault(name, []).append(player.time(prompt, asked.long_seconds, count, take))
        sets = {
            name: {
                "value": float(np.median([one.seconds for one in each])),
                "share": float(np.median([one.sampler_share for one in each])),
            }
            for name, each in took.items()
        }
        return {0: Figures(sets, facts={"threads": _threads(), "takes": asked.takes})}

    ready = desk.held_out is not None
    return desk.record(KIND, System(model).label, weights, settings, [0], measure, ready=ready)


def _threads() -> int:
    import torch

    return min(torch.get_num_threads(), os.cpu_count() or 1)


def steps(desk: Desk) -> Section:
    """Table 9: distance and time against the steps of both heads."""
    asked = desk.settings
    heads = {"trigflow": asked.trigflow, "consistency": asked.calm}
    found: dict[str, Record | None] = {
        (system := System(model, count)).label: record_of(desk, system)
        for model in heads.values()
        for count in asked.steps
        if not (model == asked.trigflow and count == 1)  # the paper leaves it out as well: it is noise
    }
    kept, missing = comparable(found)
    timed = {name: record_of_speed(desk, model, tuple(asked.steps)) for name, model in heads.items()}
    rows = []
    for count in asked.steps:
        seconds, *published = _TABLE_9.get(count, (None, None, None))
        row: dict[str, Any] = {"steps": count}
        for (name, model), said in zip(heads.items(), published, strict=True):
            record = kept.get(System(model, count).label)
            fad = resampled(chosen(record, asked.seeds), FAD) if record else None
            row[f"fad {name}"] = f"{fad.value:.3f} [{fad.interval[0]:.3f}, {fad.interval[1]:.3f}]" if fad else "-"
            row[f"paper {name}"] = "-" if said is None else f"{said:g}"
        row["paper s"] = "-" if seconds is None else f"{seconds:g}"
        for name in heads:
            took = _seconds(timed[name], str(count))
            row[f"s {name}"] = "-" if took is None else f"{took:.2f}"
            row[f"RTF {name}"] = "-" if took is None else f"{took / asked.long_seconds:.3f}"
        rows.append(row)
    text = (
        f"{how(desk)} Times are of {asked.long_seconds:g} s of new sound, alone, on the machine where the model was "
        "measured; RTF is time over sound, as in the paper, whose times are a GPU's at its own sizes."
    )
    said = {
        System(model, count).label: {FAD: values[place]}
        for place, model in ((1, asked.trigflow), (2, asked.calm))
        for count, values in _TABLE_9.items()
    }
    claims = [(System(asked.calm, count).label, System(asked.trigflow, count).label) for count in (4, 10)]
    claims += [(System(asked.calm, 4).label, System(asked.calm, other).label) for other in (1, 25, 50, 100)]
    claims += [(System(asked.trigflow, 100).label, System(asked.trigflow, other).label) for other in (4, 10, 25, 50)]
    claims += [(System(asked.trigflow, 100).label, System(asked.calm, 4).label)]
    missing_times = [name for name, record in timed.items() if record is None]
    untimed = f"Times of {', '.join(missing_times)} are not measured yet." if missing_times else ""
    parts = [text, show(rows), missing, untimed, too_few(list(kept.values()))]
    return Section(
        "Steps of the head (table 9)",
        "\n\n".join(part for part in parts if part),
        orders(kept, claims, asked.seeds, "table 9", said),
    )


def _seconds(record: Record | None, count: str) -> float | None:
    return record.seeds["0"].sets.get(count, {}).get("value") if record else None


def speed(desk: Desk) -> Section:
    """Half a minute of each model here: real-time factor and the sampler's share of the time."""
    asked = desk.settings
    timed = {
        System(model).label: record_of_speed(desk, model, counts)
        for model, counts in (
            (asked.calm, tuple(asked.steps)), (asked.trigflow, tuple(asked.steps)), (asked.rq, ()), (asked.delays, ()),
        )
    }  # fmt: skip
    rows = [
        {
            "system": label if count == _ALONE else System(label, int(count)).label,
            "seconds": f"{told['value']:.2f}",
            "times real time": f"{asked.long_seconds / told['value']:.2f}",
            "share of the sampler %": f"{100 * told['share']:.1f}",
            "threads": record.seeds["0"].facts["threads"],
            "takes": record.seeds["0"].facts["takes"],
        }
        for label, record in timed.items()
        if record
        for count, told in record.seeds["0"].sets.items()
    ]
    missing = [label for label, record in timed.items() if record is None]
    text = (
        f"{asked.long_seconds:g} s of new sound after {asked.prompt_seconds:g} s, one stream on the CPU, the median of "
        "its takes; the codec's decoder is part of the time. Rows of one model were measured in turn and compare; "
        "those of two models may be of two days and two machines. Ratios at the paper's sizes, side by side: "
        "`python -m evaluation.benchmarks sampler --task music`."
    )
    parts = [text, show(rows) if rows else "", f"Not measured yet: {', '.join(missing)}." if missing else ""]
    return Section("Half a minute on the CPU (table 4)", "\n\n".join(part for part in parts if part), [])

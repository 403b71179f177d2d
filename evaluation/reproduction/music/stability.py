"""Whether half a minute holds: level, brightness and Frechet distance by parts of five seconds, beside real music."""

from functools import cache
from typing import Any

import numpy as np

from evaluation.intervals import bootstrap_ratio
from evaluation.reproduction import fingerprints
from evaluation.reproduction.music.desk import Desk, comparable, counted, rounded
from evaluation.reproduction.music.sets import FAD, chosen, distances, pairs, resampled
from evaluation.reproduction.music.settings import PART_SECONDS, System
from evaluation.reproduction.records import Figures, Record
from evaluation.reproduction.section import Section, show, total

KIND = "stability"
REAL = "real"
# Held-out pieces end before half a minute after their prompts is over, so that the real ones may lack the last part.
_MISSING_PARTS = 1


def _parts(desk: Desk) -> list[str]:
    return [
        f"{begin:g} to {begin + PART_SECONDS:g}" for begin in np.arange(0, desk.settings.long_seconds, PART_SECONDS)
    ]


def _reference(desk: Desk, pieces: list[Any]) -> list[np.ndarray]:
    """Embeddings of all whole parts of the pieces that nothing is made of."""
    assert desk.held_out
    others = desk.held_out.others([*desk.prompts, *pieces], PART_SECONDS)
    kept = {**desk.heard_with, "part": PART_SECONDS, "pieces": [piece.name for piece in others]}

    def measure() -> list[Any]:
        parts = [
            piece.part(begin, PART_SECONDS)
            for piece in others
            for begin in np.arange(0, piece.seconds - PART_SECONDS, PART_SECONDS)
        ]
        return [{"windows": rounded(desk.ear.windows(part))} for part in counted("parts of other pieces", parts)]

    return [np.array(row["windows"]) for row in desk.cache.rows("reference-parts", kept, measure)]


def record_of(desk: Desk, system: System | None) -> Record | None:
    """Parts of long continuations by a system, or of real music."""
    asked = desk.settings
    label = REAL if system is None else system.label
    weights = "" if system is None else fingerprints.of_model(system.model)
    settings: dict[str, Any] = {
        **desk.heard_with, "prompts": asked.long_prompts, "prompt_seconds": asked.prompt_seconds,
        "seconds": asked.long_seconds, "short_seconds": asked.seconds,
        "steps": None if system is None else system.steps,
    }  # fmt: skip

    def measure(seeds: list[int]) -> dict[int, Figures]:
        from evaluation.bundled.music import Music
        from evaluation.metrics.signal import level_db, spectral_centroid

        assert desk.held_out
        least = asked.prompt_seconds + asked.long_seconds - _MISSING_PARTS * PART_SECONDS
        pieces = desk.held_out.judged(asked.long_prompts, least, "--long-prompts")
        player = cache(lambda: Music(system.model, device=asked.device) if system else None)

        def hear(number: int, piece: Any) -> list[Any]:
            music = player()
            prompt = piece.part(0.0, asked.prompt_seconds)
            if music is None or system is None:
                made = {0: piece.part(asked.prompt_seconds, asked.long_seconds)}
            else:
                made = music.go_on(number, prompt, asked.long_seconds, seeds, system.steps)
            rows = []
            for seed, clip in made.items():
                size = round(PART_SECONDS * clip.sample_rate)
                for place, part in enumerate(_parts(desk)):
                    samples = clip.samples[place * size : (place + 1) * size]
                    if len(samples) < size:
                        continue
                    cut = type(clip)(clip.item, samples, clip.sample_rate)
                    rows.append({
                        "item": piece.name, "seed": seed, "part": part, "level": level_db(cut),
                        "centroid": spectral_centroid(cut), "windows": rounded(desk.ear.windows(cut)),
                    })  # fmt: skip
            return rows

        kept = {**settings, "weights": weights, "seeds": seeds}
        rows = desk.parts(f"{KIND}-{label.replace(' ', '-')}", kept, pieces, hear)
        reference = _reference(desk, pieces)
        return {seed: _figures(desk, rows, reference, seed, len(pieces)) for seed in seeds}

    seeds = [0] if system is None else asked.seeds
    return desk.record(KIND, label, weights, settings, seeds, measure)


def _figures(desk: Desk, rows: list[dict[str, Any]], reference: list[np.ndarray], seed: int, count: int) -> Figures:
    """By part, where all pieces last as long."""
    made = Figures()
    for part in _parts(desk):
        mine = [row for row in rows if row["seed"] == seed and row["part"] == part]
        if len(mine) < count:
            continue
        one = Figures()
        distances(reference, [np.array(row["windows"]) for row in mine], one)
        made.sets[part] = one.sets[FAD]
        made.facts |= one.facts
        for name in ("level", "centroid"):
            made.clips[f"{name} {part}"] = {row["item"]: row[name] for row in mine}
    return made


def stability(desk: Desk) -> Section:
    """Parts of half a minute: does it fade, darken or drift?"""
    asked = desk.settings
    systems = {system.label: system for system in (System(asked.calm, 4), System(asked.calm, 1), System(asked.rq))}
    found = {REAL: record_of(desk, None)} | {label: record_of(desk, system) for label, system in systems.items()}
    kept, missing = comparable(found)
    rows = []
    for label, record in kept.items():
        figures = chosen(record, asked.seeds) or list(record.seeds.values())
        for part in _parts(desk):
            fad = resampled(figures, part)
            if fad is None:
                continue
            level, centroid = (pairs(figures, f"{name} {part}") for name in ("level", "centroid"))
            quietest = min(value for one in figures for value in one.clips[f"level {part}"].values())
            rows.append({
                "system": label, "seconds": part, "clips": len(level), "seeds": len(figures), "level dB": total(level),
                "quietest dB": quietest, "centroid Hz": f"{total(centroid):.0f}", "fad": fad.value,
                "fad_low": fad.interval[0], "fad_high": fad.interval[1],
            })  # fmt: skip
    changes = [_change(desk, label, record, name) for label, record in kept.items() for name in ("level", "centroid")]
    text = (
        f"{asked.long_seconds:g} s of new sound after each of {asked.long_prompts} prompts, by parts of "
        f"{PART_SECONDS:g} s, FAD against such parts of all other held-out pieces; {REAL} is what really followed, as "
        "far as the pieces last, which come to an end and fade. Each FAD is of as many clips a seed, so that they "
        "compare with each other, but not with those of other tables."
    )
    told = [change for change in changes if change]
    parts = [text, show(rows) if rows else "", show(told) if told else "", missing]
    return Section("Half a minute by its parts", "\n\n".join(part for part in parts if part), [])


def _change(desk: Desk, label: str, record: Record, name: str) -> dict[str, Any] | None:
    """The last part against the first, over the same pieces, with a bootstrap interval over them."""
    figures = chosen(record, desk.settings.seeds) or list(record.seeds.values())
    there = [part for part in _parts(desk) if all(f"{name} {part}" in one.clips for one in figures)]
    if len(there) < 2:
        return None
    first, last = (pairs(figures, f"{name} {part}") for part in (there[0], there[-1]))
    differences = [(last[unit][0] / last[unit][1] - first[unit][0] / first[unit][1], 1.0) for unit in first]
    mean, low, high = bootstrap_ratio(differences, np.random.default_rng(0))
    what = {"level": "level, dB", "centroid": "spectral centroid, Hz"}[name]
    return {
        "system": label,
        "figure": what,
        "from": there[0],
        "to": there[-1],
        "change": mean,
        "low": low,
        "high": high,
    }

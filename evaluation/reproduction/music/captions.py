"""Music of captions and of sounds: tables 6 and 11 of CALM, and whether the captions are heard in it."""

from functools import cache
from typing import Any, Literal

import numpy as np

from evaluation.reproduction import fingerprints
from evaluation.reproduction.music.attributes import ATTRIBUTES, recovered
from evaluation.reproduction.music.continuation import heard, real_of
from evaluation.reproduction.music.desk import Desk, comparable
from evaluation.reproduction.music.sets import (
    CLIP_FIGURES,
    FAD,
    chosen,
    gathered,
    line,
    orders,
    pairs,
    too_few,
    with_interval,
)
from evaluation.reproduction.music.settings import System
from evaluation.reproduction.records import Figures, Record
from evaluation.reproduction.section import Section, show

Mode = Literal["text", "audio"]
REAL = "real"
_BEATS = ("beats", "above_mean")


def record_of(desk: Desk, mode: Mode, system: System | None) -> Record | None:
    """Music of held-out captions, or of the sound of their pieces; without a system the pieces themselves."""
    asked = desk.settings
    kind = "clap-real" if system is None else f"clap-{mode}"
    label = REAL if system is None else system.label
    weights = "" if system is None else fingerprints.of_model(system.model)
    settings: dict[str, Any] = {
        **desk.heard_with, "captions": asked.captions, "prompt_seconds": asked.prompt_seconds, "seconds": asked.seconds,
        "steps": None if system is None else system.steps,
    }  # fmt: skip
    extras = {"tags": desk.tags, "classifier": desk.classifier}

    def measure(seeds: list[int]) -> dict[int, Figures]:
        from evaluation.bundled.music import Music

        composer = cache(lambda: Music(system.model, "clap_to_music", device=asked.device) if system else None)
        pieces = desk.prompts[: asked.captions]

        def hear(number: int, piece: Any) -> list[Any]:
            music, real = composer(), real_of(desk, piece)
            if music is None or system is None:
                made = {0: real}
            else:
                like = real if mode == "audio" else None
                said = piece.caption if mode == "text" else None
                made = music.compose(number, piece.name, said, like, asked.seconds, seeds, system.steps)
            return [_row(desk, piece, real, clip, seed) for seed, clip in made.items()]

        kept = {**settings, "weights": weights, "seeds": seeds, **extras}
        rows = desk.parts(f"{kind}-{label.replace(' ', '-')}", kept, pieces, hear)
        made = {}
        for seed in seeds:
            made[seed] = gathered(rows, desk.reference, seed)
            mine = [row for row in rows if row["seed"] == seed]
            made[seed].clips |= _against_others(desk, pieces, mine)
            made[seed].clips |= _by_ear(mine)
            if desk.ear.classifier is not None:
                vectors = np.array([row["vector"] for row in mine])
                made[seed].sets |= recovered(desk.ear.classifier, vectors, [piece.attributes for piece in pieces])
        return made

    seeds = [0] if system is None else asked.seeds
    return desk.record(kind, label, weights, settings, seeds, measure, extras)


def _row(desk: Desk, piece: Any, real: Any, clip: Any, seed: int) -> dict[str, Any]:
    from evaluation.reproduction.music.attributes import by_estimators

    direction, vector = desk.ear.direction(clip), desk.ear.vector(clip)
    return {
        **heard(desk, piece, real, clip, seed), **by_estimators(clip, piece.attributes),
        "direction": None if direction is None else direction.tolist(),
        "vector": None if vector is None else vector.tolist(),
    }  # fmt: skip


def _against_others(desk: Desk, pieces: list[Any], rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """How each clip's own caption fares against all that differ, in percent.

    `beats` is the share of them that it beats; `above_mean` is 100 where it lies above their mean, else 0.
    """
    if any(row["direction"] is None for row in rows):
        return {}
    captions = [piece.caption for piece in pieces]
    scores = np.array([row["direction"] for row in rows]) @ desk.ear.read(captions).T
    found: dict[str, dict[str, float]] = {name: {} for name in _BEATS}
    for place, (row, own) in enumerate(zip(rows, captions, strict=True)):
        others = scores[place, [caption != own for caption in captions]]
        if len(others):
            found["beats"][row["item"]] = float(100 * (scores[place, place] > others).mean())
            found["above_mean"][row["item"]] = float(100 * (scores[place, place] > others.mean()))
    return found


def _by_ear(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    names = ("tempo_agreement", "tempo_octave", "key_score")
    found = {name: {row["item"]: row[name] for row in rows if row.get(name) is not None} for name in names}
    return {name: values for name, values in found.items() if values}


def _systems(desk: Desk) -> list[System]:
    asked = desk.settings
    return [System(asked.rq), System(asked.calm, 4), System(asked.delays)]


def _table(
    desk: Desk, mode: Mode, title: str, source: str, text: str, paper: dict[str, tuple[str, dict[str, float]]],
    claims: list[tuple[str, str]], figures: tuple[str, ...],
) -> Section:  # fmt: skip
    found = {REAL: record_of(desk, mode, None)}
    found |= {system.label: record_of(desk, mode, system) for system in _systems(desk)}
    kept, missing = comparable(found)
    rows = []
    for label, record in kept.items():
        seeds = chosen(record, desk.settings.seeds) or list(record.seeds.values())
        name, values = paper.get(label, ("", {}))
        told = ", ".join(f"{figure.upper()} {value:g}" for figure, value in values.items())
        rows.append(line(label, seeds, list(CLIP_FIGURES), f"{name}: {told}" if told else "-"))
    said: dict[str, dict[str, float | None]] = {label: dict(values) for label, (_, values) in paper.items()}
    parts = [text, show(rows) if rows else "", missing, too_few(list(kept.values()))]
    return Section(
        f"{title} ({source})",
        "\n\n".join(part for part in parts if part),
        orders(kept, claims, desk.settings.seeds, source, said, figures),
    )


def of_sounds(desk: Desk) -> Section:
    """Table 6: CLAP in audio mode, as in training."""
    rq, calm, delays = (system.label for system in _systems(desk))
    paper = {
        rq: ("RQ-Transformer, 32 RVQ, CFG 3", {FAD: 0.93}), calm: ("consistency, 4 steps, CFG 2", {FAD: 0.91}),
        delays: ("MusicGen medium", {FAD: 1.93}),
    }  # fmt: skip
    text = (
        f"{desk.settings.captions} held-out pieces heard by CLAP, and {desk.settings.seconds:g} s of music that starts "
        f"from nothing, guided as each model is by default (the paper's CFG). KLD compares tags with the piece's, "
        f"CLAP is the cosine to its caption, {REAL} is the piece itself."
    )
    claims = [(calm, rq), (calm, delays), (rq, delays)]
    return _table(desk, "audio", "Music like a sound", "table 6", text, paper, claims, (FAD,))


def of_captions(desk: Desk) -> Section:
    """Table 11: CLAP in text mode, on held-out captions of ours in place of MusicCaps."""
    rq, calm, delays = (system.label for system in _systems(desk))
    paper = {
        REAL: ("reference", {"clap": 0.30}),
        delays: ("MusicGen medium with CLAP", {FAD: 2.70, "kld": 1.37, "clap": 0.39}),
        rq: ("RQ-Transformer, 32 RVQ", {FAD: 2.56, "kld": 1.35, "clap": 0.43}),
        calm: ("consistency, 4 steps", {FAD: 2.14, "kld": 1.30, "clap": 0.44}),
    }
    text = (
        f"{desk.settings.captions} captions of held-out pieces in place of MusicCaps, {desk.settings.seconds:g} s of "
        f"music each. The judge of CLAP ({desk.settings.ear}) is kind to models that were told by the same CLAP. All "
        "read captions through the same map of texts to sounds (`calm_core/conditioners/text_map.py`), guided as each "
        "model is by default: that of CALM music was chosen on captions of validation pieces."
    )
    claims = [(calm, rq), (calm, delays), (rq, delays)]
    return _table(desk, "text", "Music of captions", "table 11", text, paper, claims, (FAD, "kld", "clap"))


def agreement(desk: Desk) -> Section:
    """Whether music of captions is what they say: beside shuffled captions, and by its attributes."""
    calm = System(desk.settings.calm, 4).label
    found = {REAL: record_of(desk, "text", None)}
    found |= {system.label: record_of(desk, "text", system) for system in _systems(desk)}
    kept, missing = comparable(found)
    shuffled, known = [], []
    for label, record in kept.items():
        figures = chosen(record, desk.settings.seeds) or list(record.seeds.values())
        row: dict[str, Any] = {"system": label, "clips": figures[0].facts["clips"], "seeds": len(figures)}
        for name in _BEATS:
            row |= with_interval(name, pairs(figures, name))
        for name in ("tempo_agreement", "tempo_octave", "key_score"):
            row[name] = with_interval(name, pairs(figures, name))[name]
        shuffled.append(row)
        known += [one for name in ATTRIBUTES if (one := _attribute(label, figures, name))]
    text = (
        f"{desk.settings.captions} captions of held-out pieces. `beats` is the share, in percent, of other captions "
        "that a clip's own caption beats in CLAP's space, which is how often it beats a shuffled one (asked of "
        f"{calm}: 80); `above_mean` the share of clips whose own caption lies above the others' mean. Tempo and key "
        f"are by librosa, which errs on real music as well: read them beside {REAL}."
    )
    classes = (
        "What the classifier of attributes recovers of the captions, beside the most frequent class; instruments by "
        "balanced accuracy, whose chance is a half."
    )
    parts = [text, show(shuffled) if shuffled else "", missing]
    if known:
        parts += [classes, show(known)]
    elif kept:
        parts.append("Attributes are not measured yet: there was no classifier.")
    return Section("Captions heard again", "\n\n".join(part for part in parts if part), [])


def _attribute(label: str, figures: list[Figures], name: str) -> dict[str, Any] | None:
    from evaluation.reproduction.music.sets import resampled

    found = resampled(figures, name)
    if found is None:
        return None
    chance = float(np.mean([one.sets[name]["chance"] for one in figures]))
    low, high = found.interval
    return {
        "system": label, "attribute": name, "accuracy": found.value, "low": low, "high": high, "chance": chance,
        "above chance": "yes" if low > chance else "no" if high < chance else "undecided",
    }  # fmt: skip

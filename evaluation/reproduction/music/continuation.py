"""Music that goes on: tables 4, 5, 8, 9 and 10 and figure 3 of CALM, all of them Frechet distances of continuations."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations, pairwise
from typing import Any

from evaluation.reproduction import fingerprints
from evaluation.reproduction.music.desk import Desk, comparable, rounded
from evaluation.reproduction.music.sets import CLIP_FIGURES, FAD, chosen, gathered, line, orders, too_few
from evaluation.reproduction.music.settings import System
from evaluation.reproduction.records import Figures, Record
from evaluation.reproduction.section import Section, show

KIND = "continuation"
REAL = "real"
Claims = Sequence[tuple[str, str]]
Papers = Mapping[str, tuple[str, float, float]]
"""What the paper calls a system, its FAD and the half width of that, by our label."""


def record_of(desk: Desk, system: System) -> Record | None:
    """Continuations of the held-out prompts by a system."""
    asked = desk.settings
    weights = fingerprints.of_model(system.model)
    settings: dict[str, Any] = {
        **desk.heard_with, "prompts": asked.prompts, "prompt_seconds": asked.prompt_seconds, "seconds": asked.seconds,
        "steps": system.steps, "frames": system.frames,
    }  # fmt: skip
    settings = {key: value for key, value in settings.items() if key != "frames" or value is not None}

    def measure(seeds: list[int]) -> dict[int, Figures]:
        from evaluation.bundled.music import Music

        player = cache(
            lambda: Music(system.model, like=system.like_folder, changes=system.changes, device=asked.device)
        )

        def hear(number: int, piece: Any) -> list[Any]:
            prompt, real = piece.part(0.0, asked.prompt_seconds), real_of(desk, piece)
            made = player().go_on(number, prompt, asked.seconds, seeds, system.steps)
            return [heard(desk, piece, real, clip, seed) for seed, clip in made.items()]

        kept = {**settings, "weights": weights, "tags": desk.tags, "seeds": seeds}
        pieces = desk.prompts[: asked.prompts]
        rows = desk.parts(f"{KIND}-{system.label.replace(' ', '-')}", kept, pieces, hear)
        return {seed: gathered(rows, desk.reference, seed) for seed in seeds}

    return desk.record(KIND, system.label, weights, settings, asked.seeds, measure, {"tags": desk.tags})


def heard(desk: Desk, piece: Any, real: Any, clip: Any, seed: int) -> dict[str, Any]:
    """What is heard of a clip that should be like what really follows the prompt of a piece.

    The whole clip comes before its windows, since embedders remember only the latest clips.
    """
    direction = desk.ear.direction(clip)
    said = None if direction is None else float(direction @ desk.ear.read([piece.caption])[0])
    kld = desk.ear.divergence(real, clip)
    windows = rounded(desk.ear.windows(clip))
    return {"item": piece.name, "seed": seed, "windows": windows, "clap": said, "kld": kld}


def real_of(desk: Desk, piece: Any) -> Any:
    """What really follows the prompt of a piece."""
    return piece.part(desk.settings.prompt_seconds, desk.settings.seconds)


def ceiling(desk: Desk, codec: str | None) -> Record | None:
    """What really follows the prompts, as it is or after a codec."""
    asked = desk.settings
    label = REAL if codec is None else System(codec).label
    weights = "" if codec is None else fingerprints.of_model(codec)
    settings = {
        **desk.heard_with, "prompts": asked.prompts, "prompt_seconds": asked.prompt_seconds, "seconds": asked.seconds,
    }  # fmt: skip

    def measure(seeds: list[int]) -> dict[int, Figures]:
        from evaluation.bundled.engine import Reconstruction

        reconstruct = cache(lambda: Reconstruction(codec or "", asked.device))

        def hear(number: int, piece: Any) -> list[Any]:
            real = real_of(desk, piece)
            return [heard(desk, piece, real, real if codec is None else reconstruct()(real), 0)]

        kept = {**settings, "weights": weights, "tags": desk.tags}
        rows = desk.parts(f"{KIND}-{label}", kept, desk.prompts[: asked.prompts], hear)
        return {0: gathered(rows, desk.reference, 0)}

    return desk.record(KIND, label, weights, settings, [0], measure, {"tags": desk.tags})


def table(
    desk: Desk, title: str, source: str, systems: Sequence[System], paper: Papers, claims: Claims, text: str,
    ceilings: Sequence[str | None] = (),
) -> Section:  # fmt: skip
    """A section of continuations: the systems beside the paper's figures, and the orders that it claims."""
    found: dict[str, Record | None] = {}
    for codec in ceilings:
        found[REAL if codec is None else System(codec).label] = ceiling(desk, codec)
    for system in systems:
        found[system.label] = record_of(desk, system)
    kept, missing = comparable(found)
    rows = []
    for label, record in kept.items():
        figures = chosen(record, desk.settings.seeds) or list(record.seeds.values())  # what is real has no seed
        told = f"{paper[label][0]}: {paper[label][1]:g} ± {paper[label][2]:g}" if label in paper else "-"
        rows.append(line(label, figures, list(CLIP_FIGURES), told))
    said = {label: {FAD: values[1]} for label, values in paper.items()}
    parts = [text, show(rows) if rows else "", missing, too_few(list(kept.values()))]
    return Section(
        f"{title} ({source})",
        "\n\n".join(part for part in parts if part),
        orders(kept, claims, desk.settings.seeds, source, said),
    )


def how(desk: Desk) -> str:
    """How continuations are made and judged, for the text of a section."""
    asked = desk.settings
    return (
        f"{asked.prompts} prompts of {asked.prompt_seconds:g} s, each of another held-out piece, {asked.seconds:g} s "
        f"of new sound, seeds {', '.join(map(str, asked.seeds))}. FAD is by {asked.ear} and against the same "
        "seconds of all other held-out pieces."
    )


def continuations(desk: Desk) -> Section:
    """Table 4: what goes on from three seconds best."""
    asked = desk.settings
    one, four = System(asked.calm, 1), System(asked.calm, 4)
    trigflow, rq, delays = System(asked.trigflow, max(asked.steps)), System(asked.rq), System(asked.delays)
    half, equal = System(asked.found("rq-music-half"), like=asked.rq), base_rq(desk)
    paper = {
        rq.label: ("RQ-Transformer, 32 RVQ", 1.06, 0.06), half.label: ("RQ-Transformer, 16 RVQ", 1.43, 0.07),
        one.label: ("consistency, 1 step", 0.83, 0.04), four.label: ("consistency, 4 steps", 0.71, 0.05),
        trigflow.label: ("TrigFlow, 100 steps", 0.64, 0.04), delays.label: ("MusicGen medium", 1.72, 0.12),
    }  # fmt: skip
    claims = [
        (trigflow.label, four.label), (four.label, one.label), (one.label, rq.label), (four.label, rq.label),
        (equal.label, half.label), (rq.label, delays.label), (one.label, delays.label),
    ]  # fmt: skip
    text = (
        f"{how(desk)} KLD compares tags of the new sound with those of what really followed; CLAP is the cosine to "
        f"the caption of the piece. {REAL} is what really followed, a codec's row the same after that codec. Our codes "
        f"have fewer levels than the paper's: {half.name}, where it is here, has the first half of them and compares "
        f"with {equal.name}. Enjoyment and acoustic quality are asked in listening tests (the studies "
        "of the app); speed-ups at the paper's sizes: `python -m evaluation.benchmarks sampler --task music`."
    )
    return table(
        desk, "Continuations", "table 4", [one, four, trigflow, rq, equal, half, delays], paper, claims, text,
        [None, asked.codec, asked.rq_codec],
    )  # fmt: skip


def base_of(desk: Desk) -> System:
    """The full model that others, trained for as long, are compared with: `calm-music-base` where there is one."""
    asked = desk.settings
    return _one_of(desk, System(asked.found("calm-music-base"), 4, asked.calm), System(asked.calm, 4))


def base_rq(desk: Desk) -> System:
    """The same over codes: `rq-music-base` where there is one."""
    asked = desk.settings
    return _one_of(desk, System(asked.found("rq-music-base"), like=asked.rq), System(asked.rq))


def _one_of(desk: Desk, wanted: System, other: System) -> System:
    """`wanted` where it is here or was measured, else the `other`."""
    here = fingerprints.of_model(wanted.model) is not None or desk.records.read(KIND, wanted.label) is not None
    return wanted if here else other


def ablations(desk: Desk) -> Section:
    """Table 5: what each part is for."""
    asked, full = desk.settings, base_of(desk)
    without = {
        name: System(asked.found(f"calm-music-without-{name}"), 4, asked.calm)
        for name in ("multiplier", "noise", "short-context", "all")
    }
    chain = [full, *without.values()]
    figures = (
        ("all parts", 0.93, 0.06), ("without head batch multiplier", 1.32, 0.09), ("without noise", 1.63, 0.11),
        ("without short context", 4.03, 0.16), ("without any", 8.38, 0.17),
    )  # fmt: skip
    paper = {system.label: values for system, values in zip(chain, figures, strict=True)}
    claims = [(a.label, b.label) for a, b in pairwise(chain)]
    claims += [(full.label, system.label) for system in chain[2:]]
    text = f"{how(desk)} The same recipe with one part left out at a time, 4 steps of the head."
    return table(desk, "Ablations", "table 5", chain, paper, claims, text)


def short_context(desk: Desk) -> Section:
    """Table 8: how many clean frames."""
    asked, base = desk.settings, base_of(desk)
    others = {
        frames: System(asked.found(f"calm-music-short-context-{frames}"), 4, asked.calm, frames)
        for frames in (5, 20, 40)
    }
    systems = [others[5], base, others[20], others[40]]
    figures = (("K = 5", 0.85, 0.05), ("K = 10", 0.76, 0.04), ("K = 20", 0.73, 0.04), ("K = 40", 0.78, 0.04))
    paper = {system.label: values for system, values in zip(systems, figures, strict=True)}
    claims = [(system.label, others[5].label) for system in systems[1:]]
    text = (
        f"{how(desk)} {base.label} hears 10 clean frames in its short context, the others as many as their names say. "
        "The paper finds that the number hardly matters, and that 5 is too few."
    )
    return table(desk, "Length of the short context", "table 8", systems, paper, claims, text)


def scale(desk: Desk) -> Section:
    """Table 10: a larger backbone."""
    asked = desk.settings
    calm, rq = base_of(desk), base_rq(desk)
    large, large_rq = System(asked.found("calm-music-large"), 4), System(asked.found("rq-music-large"))
    systems = [large, large_rq, calm, rq]
    figures = (("CALM, 3B", 0.62, 0.05), ("RQ-Transformer, 3B", 0.98, 0.06),
               ("CALM, 1.3B", 0.71, 0.05), ("RQ-Transformer, 1.3B", 1.06, 0.06))  # fmt: skip
    paper = {system.label: values for system, values in zip(systems, figures, strict=True)}
    claims = [(large.label, calm.label), (large_rq.label, rq.label), (large.label, large_rq.label)]
    text = f"{how(desk)} A larger and a smaller backbone of each kind, trained for as many steps."
    return table(desk, "Size of the backbone", "table 10", systems, paper, claims, text)


_MULTIPLIER = re.compile(r"calm-music-multiplier-(\d+)-at-(\d+)")


def multiplier(desk: Desk) -> Section:
    """Figure 3: how fast the distance falls in training, by head batch multiplier."""
    asked = desk.settings
    names = {record.system.split(" at ")[0] for record in desk.records.all_of(KIND)}
    if asked.ablations is not None:
        names |= {path.name for path in asked.ablations.iterdir()}
    found = sorted((int(m[2]), int(m[1]), m[0]) for name in names if (m := _MULTIPLIER.fullmatch(name)))
    systems = [System(asked.found(name), 10, asked.trigflow) for _, _, name in found]
    by_step: dict[int, list[System]] = {}
    for (step, _, _), system in zip(found, systems, strict=True):
        by_step.setdefault(step, []).append(system)
    claims = [(more.label, fewer.label) for each in by_step.values() for fewer, more in combinations(each, 2)]
    text = (
        f"{how(desk)} `calm-music-multiplier-N-at-STEPS` was trained with a multiplier of N for so many steps, with a "
        "TrigFlow head (this report's consistency heads learnt from such heads), and is heard at 10 steps. The paper's "
        "figure, which has no numbers, shows that the distance falls faster with a larger multiplier."
    )
    if not systems:
        return Section("Head batch multiplier (figure 3)", f"{text}\n\nNot measured yet.", [])
    return table(desk, "Head batch multiplier", "figure 3", systems, {}, claims, text)

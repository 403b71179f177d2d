"""The methods of a study as a paragraph that can go in a paper: protocol, raters, exclusions, statistics."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from app.board.protocol import Protocol
from app.board.sentences import listed

KINDS = {
    "pairs": "a pairwise preference test",
    "mos": "an absolute category rating test (ITU-T P.800)",
    "mushra": "a MUSHRA test (ITU-R BS.1534-3)",
}
CHECKS = {
    "woods": "Before the trials a headphone check by antiphase tones (Woods et al. 2017) was made.",
    "huggins": "Before the trials a headphone check by Huggins pitch (Milne et al. 2020) was made.",
}
PHASES: tuple[tuple[Literal["training", "trap", "gold"], str], ...] = (
    ("training", "training items, not counted"),
    ("trap", "attention checks"),
    ("gold", "items with a known answer"),
)
STATISTICS = {
    "pairs": (
        "Ratings are those of a Bayesian Bradley-Terry model with ties (Rao and Kupper 1967), sampled by Gibbs with "
        "the latent variables of Caron and Doucet (2010) in four chains of which R-hat is at most 1.01; Elo points are "
        "centred on 2000, and intervals are equal-tailed 95 % credible intervals. An order of two systems is called "
        "established where its posterior probability is at least 97.5 %. The fixed point of equations 9 and 10 of the "
        "CALM paper (Rouard et al. 2025) is given beside it."
    ),
    "mos": (
        "Means are given with 95 % intervals whose variance is clustered by rater and item (Cameron, Gelbach and "
        "Miller 2011). Systems were compared by paired t tests on the raters' means, adjusted after Holm."
    ),
    "mushra": (
        "Medians are given with quartiles, means with 95 % intervals clustered by rater and item. Systems were "
        "compared by permutation tests on the difference of medians ({permutations:,} permutations within raters), "
        "adjusted after Holm. Outliers by 1.5 interquartile ranges were counted and not removed."
    ),
}


def methods(protocol: Protocol, content: dict[str, Any], excluded: int) -> list[str]:
    """Paragraphs on how the study was run and evaluated.

    Args:
        protocol: Of the study.
        content: The view that the report shows.
        excluded: Raters whom an administrator excluded.
    """
    kinds = sorted({question["kind"] for question in content["questions"]})
    statistics = " ".join(_statistics(kind, content) for kind in kinds)
    return [
        part for part in (_protocol(protocol), _raters(protocol), _exclusions(content, excluded), statistics) if part
    ]


def _protocol(protocol: Protocol) -> str:
    study = protocol.study
    kind = {"pairwise": "pairs"}.get(study.kind, study.kind)
    main = sum(prompt.phase == "main" for prompt in study.prompts)
    systems = [system.name for system in study.all_systems() if system.name in study.rated()]
    rate = " and ".join(f"{rate / 1000:g} kHz" for rate in protocol.rates)
    said = [
        f"The study was {KINDS[kind]} with {len(systems)} systems ({listed(systems)}) on {main} items; "
        f"each listener was given {min(study.items_per_session, main)} of them, in orders balanced by Williams squares."
    ]
    if protocol.rates:
        said.append(f"The stimuli had a median length of {protocol.median_seconds:.1f} s at {rate}")
        if study.loudness_lufs is not None:
            said[-1] += f", brought to {study.loudness_lufs:g} LUFS"
        said[-1] += "."
    if kind == "pairs":
        said.append(
            "Two stimuli were compared at a time, " + ("ties were" if study.ties else "no tie was") + " possible."
        )
    if study.minimum_seconds:
        said.append(
            f"At least {study.minimum_seconds:g} s of every stimulus had to be heard, checked by the server's clock."
        )
    said.append(CHECKS.get(study.headphone_check, ""))
    served = [f"{study.served(phase)} {word}" for phase, word in PHASES if study.served(phase)]
    if served:
        said.append(f"Each session also held {listed(served)}.")
    return " ".join(part for part in said if part)


def _raters(protocol: Protocol) -> str:
    finished = protocol.sessions.get("finished", 0)
    rated = sum(protocol.groups.values())
    groups = listed(
        [f"{count} by {'an open link' if group == 'open' else group}" for group, count in protocol.groups.items()]
    )
    said = f"{_count(protocol.raters, 'listener')} began and {rated} rated at least one item"
    said += f" ({groups})" if groups else ""
    said += f"; {_count(finished, 'session')} of {sum(protocol.sessions.values())} came to the end."
    if protocol.first and protocol.last:
        first, last = _day(protocol.first), _day(protocol.last)
        said += f" Answers were given on {first}" if first == last else f" Answers were given from {first} to {last}"
        said += " (UTC)."
    return said


def _exclusions(content: dict[str, Any], excluded: int) -> str:
    out = content["left_out"]
    said = [
        f"{_count(excluded, 'listener')} {_was(excluded)} excluded by the experimenters, with a reason on record."
        if excluded
        else "No listener was excluded by the experimenters."
    ]
    if out["flagged_raters"]:
        kinds = listed([f"{kind.replace('_', ' ')}: {count}" for kind, count in out["flags"].items()])
        number = out["flagged_raters"]
        what = "counted although flagged" if out["flagged_counted"] else "left out because of flags"
        said.append(f"{_count(number, 'listener')} {_was(number)} {what} ({kinds}).")
    for question in content["questions"]:
        if question["kind"] == "mushra":
            gone = len({one["rater"] for one in question["screened"]})
            said.append(
                f"Post-screening after BS.1534-3 excluded {_count(gone, 'listener')} for '{question['attribute']}'; "
                f"{_count(question['outliers'], 'grade')} lay outside 1.5 interquartile ranges."
            )
    return " ".join(said)


def _statistics(kind: str, content: dict[str, Any]) -> str:
    permutations = max((one.get("permutations", 0) for one in content["questions"]), default=0)
    return STATISTICS[kind].format(permutations=permutations)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"

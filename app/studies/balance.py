"""What the assignment would do with a crowd: many raters, several at once, some of whom leave."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

import numpy as np

from app.studies.assignment import Counts, Design, PlannedTrial, plan_session


@dataclass
class Balance:
    """What a simulation reached.

    Attributes:
        raters: Who came.
        left: Who left before the end.
        turned_away: Who came when nothing was left to rate.
        ratings: Answered main trials of each unit.
        systems: Of each system.
        positions: Of each system, a count for each position among the main trials served (MOS, pairwise), or for each
            slot (MUSHRA).
        first: Of each pair, how often its first and its second system stood first.
        repeats: Prompts that one rater met twice.
    """

    raters: int = 0
    left: int = 0
    turned_away: int = 0
    ratings: Counter = field(default_factory=Counter)
    systems: Counter = field(default_factory=Counter)
    positions: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    first: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    repeats: int = 0

    def spread(self) -> tuple[int, int]:
        """Fewest and most ratings of a unit."""
        return min(self.ratings.values()), max(self.ratings.values())

    def position_deviation(self) -> float:
        """Largest relative deviation of a system's count at a position from that position's mean over systems."""
        worst = 0.0
        for at in {place for counts in self.positions.values() for place in counts}:
            here = [counts[at] for counts in self.positions.values()]
            mean = sum(here) / len(here)
            worst = max(worst, max(abs(count - mean) for count in here) / mean)
        return worst

    def first_deviation(self) -> float:
        """Largest deviation from one half of the share of trials in which the same system of a pair stood first."""
        return max((abs(one / (one + other) - 0.5) for one, other in self.first.values() if one + other), default=0.0)

    def table(self) -> list[str]:
        """The figures, one a line."""
        low, high = self.spread()
        mean = self.ratings.total() / len(self.ratings)
        totals = sorted(self.systems.values())
        lines = [
            f"{self.raters} raters: {self.raters - self.left - self.turned_away} finished, {self.left} left, "
            f"{self.turned_away} came when nothing was left to rate",
            f"ratings of each of {len(self.ratings)} units: {low} to {high}, mean {mean:.2f}",
            f"ratings of each system: {totals[0]} to {totals[-1]}",
            f"a system at a position: within {100 * self.position_deviation():.1f} % of the mean over systems",
            f"prompts met twice by one rater: {self.repeats}",
        ]
        if self.first:
            lines.insert(4, f"the same system of a pair first: 50 % +- {100 * self.first_deviation():.2f} points")
        return lines


def simulate(
    design: Design,
    rng: np.random.Generator,
    *,
    raters: int = 500,
    drop_out: float = 0.25,
    at_once: int = 20,
    ratings_wanted: int | None = None,
) -> Balance:
    """Let a crowd through the assignment.

    Args:
        design: The study's.
        rng: Source of every draw.
        raters: How many come.
        drop_out: Share of them that leave, at a trial drawn evenly; what they did not answer is served to others.
        at_once: Sessions that run at the same time.
        ratings_wanted: Instead of the design's.
    """
    if ratings_wanted is not None:
        design = replace(design, ratings_wanted=ratings_wanted)
    counts, balance = Counts(), Balance()
    balance.ratings.update(dict.fromkeys(design.units(), 0))
    running: list[tuple[list[PlannedTrial], int]] = []  # trials still to answer, and how many of them will be
    while running or balance.raters < raters:
        if len(running) < at_once and balance.raters < raters:
            balance.raters += 1
            trials = plan_session(design, counts, rng)
            if trials:
                running.append(_begin(design, [one for one in trials if one.phase == "main"], counts, balance))
                leaves = rng.random() < drop_out
                balance.left += leaves
                if leaves:
                    running[-1] = (running[-1][0], int(rng.integers(running[-1][1])))
                continue
            balance.turned_away += 1
            if not running:
                continue
        at = int(rng.integers(len(running)))
        trials, answers = running[at]
        if answers == 0:
            for trial in trials:
                counts.add(design, trial.prompt, trial.systems, -1)
            del running[at]
            continue
        _answer(design, trials[0], balance)
        running[at] = (trials[1:], answers - 1)
        if len(trials) == 1:
            del running[at]
    return balance


def _begin(
    design: Design, main: list[PlannedTrial], counts: Counts, balance: Balance
) -> tuple[list[PlannedTrial], int]:
    """Take the trials of a new session into the counts."""
    counts.sessions += 1
    balance.repeats += len(main) - len({trial.prompt for trial in main})
    for place, trial in enumerate(main):
        counts.add(design, trial.prompt, trial.systems)
        for slot, system in enumerate(trial.systems):
            balance.positions[system][slot if design.kind == "mushra" else place] += 1
    return main, len(main)


def _answer(design: Design, trial: PlannedTrial, balance: Balance) -> None:
    balance.ratings[design.unit(trial.prompt, trial.systems)] += 1
    balance.systems.update(trial.systems)
    if design.kind == "pairwise":
        one, other = sorted(trial.systems)
        balance.first.setdefault((one, other), [0, 0])[trial.systems[0] != one] += 1

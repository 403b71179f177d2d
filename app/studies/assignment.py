"""Who hears what, in which order: seeded, balanced, pure.

Conditions (systems of a MOS study, pairs of a pairwise one) follow the rows of a Williams square (Williams 1949): every
condition stands once at every position and follows every other one equally often. Prompts are then matched to the
positions so that what was rated least comes first, and nobody hears a prompt twice. In a pair, whichever system has
stood first less often stands first; in a MUSHRA trial the slots follow a Williams square of the systems.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from app.studies.schema import Kind, Phase, Prompt, Study

_IMPOSSIBLE = 1e9  # cost of a prompt at a position where it cannot stand
_DONE = 1e6  # cost of a rating that nobody needs any more

Unit = tuple[str, tuple[str, ...]]  # what ratings are counted for: a prompt with a system, a pair, or as a whole
Condition = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Item:
    """A prompt as a session may serve it; `systems` in the study's order."""

    prompt: str
    systems: tuple[str, ...]
    expected: dict[str, Any] | None = None


@dataclass(frozen=True)
class Design:
    """What the assignment has to know of a study."""

    kind: Kind
    conditions: tuple[Condition, ...]
    main: tuple[Item, ...]
    training: tuple[Item, ...] = ()
    traps: tuple[Item, ...] = ()
    gold: tuple[Item, ...] = ()
    items_per_session: int = 10
    ratings_wanted: int = 8
    training_items: int = 0
    trap_items: int = 0
    gold_items: int = 0
    reference: str | None = None
    seed: int = 0

    @classmethod
    def of(cls, study: Study) -> Design:
        """The design of a study."""
        pairwise, mos = study.kind == "pairwise", study.kind == "mos"

        def item(prompt: Prompt) -> Item:
            expected = prompt.expected.model_dump(exclude_none=True) if prompt.expected else None
            return Item(prompt.name, tuple(study.rated_of(prompt)), expected)

        items = {phase: tuple(item(one) for one in study.prompts if one.phase == phase) for phase in _PHASES}
        alone = [(name,) for name in study.rated()]
        return cls(
            kind=study.kind,
            conditions=tuple(study.compared() if pairwise else alone if mos else ()),
            main=items["main"],
            training=items["training"],
            traps=items["trap"],
            gold=items["gold"],
            items_per_session=study.items_per_session,
            ratings_wanted=study.ratings_wanted,
            training_items=study.served("training"),
            trap_items=study.served("trap"),
            gold_items=study.served("gold"),
            reference=study.reference_name() if study.reference or study.kind == "mushra" else None,
            seed=study.seed,
        )

    def units(self) -> list[Unit]:
        """Everything that wants ratings."""
        if self.kind == "mushra":
            return [(item.prompt, ()) for item in self.main]
        fitting = ((item, condition) for item in self.main for condition in self.conditions)
        return [(item.prompt, _key(condition)) for item, condition in fitting if set(condition) <= set(item.systems)]

    def unit(self, prompt: str, systems: Sequence[str]) -> Unit:
        """The unit that a served trial counts for, whatever the order of its slots."""
        return prompt, () if self.kind == "mushra" else _key(systems)


_PHASES: tuple[Phase, ...] = ("main", "training", "trap", "gold")


def _key(systems: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(systems))


@dataclass
class Counts:
    """What was rated, or is still expected from sessions that run.

    Attributes:
        sessions: Sessions planned so far, which decides the row of the square.
        ratings: Of each unit.
        first: How often the first system stood before the second one: (prompt, first, second).
    """

    sessions: int = 0
    ratings: Counter[Unit] = field(default_factory=Counter)
    first: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, design: Design, prompt: str, systems: Sequence[str], times: int = 1) -> None:
        """Count a trial; -1 takes it back when its session is left."""
        self.ratings[design.unit(prompt, systems)] += times
        if design.kind == "pairwise":
            self.first[prompt, systems[0], systems[1]] += times

    def finished(self, design: Design) -> bool:
        """Whether everything has the ratings that are wanted."""
        return all(self.ratings[unit] >= design.ratings_wanted for unit in design.units())


@dataclass(frozen=True)
class PlannedTrial:
    """One trial of a session.

    Attributes:
        systems: In the order of the slots; a reference that is given is not among them.
        reference: The system whose sound is given as the reference.
        seed: For whatever is drawn within the trial.
        expected: The right answer, for training, traps and gold.
    """

    position: int
    phase: Phase
    prompt: str
    systems: tuple[str, ...]
    reference: str | None
    seed: int
    expected: dict[str, Any] | None = None


def williams_square(size: int) -> np.ndarray:
    """Rows of conditions `[rows, size]`: `size` rows for an even size, twice as many for an odd one.

    Every condition stands once in every column of a square of `size` rows, and over all rows every ordered pair of
    neighbours occurs equally often (Williams 1949, doi:10.1071/CH9490149).
    """
    assert size > 0
    zigzag = [(step + 1) // 2 if step % 2 else -(step // 2) for step in range(size)]
    square = (np.arange(size)[:, None] + np.array(zigzag)) % size
    return square if size % 2 == 0 or size == 1 else np.concatenate([square, square[:, ::-1]])


def square_row(size: int, number: int, seed: Sequence[int]) -> np.ndarray:
    """Row `number` of an endless row of Williams squares, the conditions of each renamed at random.

    Renaming a whole square at a time keeps its balance and hides the order from those who know the square.
    """
    square = williams_square(size)
    block, row = divmod(number, len(square))
    return np.random.default_rng([*seed, block]).permutation(size)[square[row]]


def plan_session(
    design: Design, counts: Counts, rng: np.random.Generator, seen: Collection[str] = ()
) -> list[PlannedTrial]:
    """The trials of a new session.

    Args:
        design: The study's.
        counts: What was rated so far, or is expected; not changed.
        rng: Source of every draw.
        seen: Prompts that this rater has met in earlier sessions.

    Returns:
        Training first, then the main trials with traps and gold items between them; empty when the study has all its
        ratings or the rater has met every prompt.
    """
    if counts.finished(design):
        return []
    main = _main(design, counts, rng, set(seen))
    if not main:
        return []
    trials: list[tuple[Phase, Item, Condition]] = []
    for item, systems in _others(design, design.training, design.training_items, rng, seen):
        trials.append(("training", item, systems))
    middle: list[tuple[Phase, Item, Condition]] = [("main", item, systems) for item, systems in main]
    checks: list[tuple[Phase, Item, Condition]] = []
    for item, systems in _others(design, design.traps, design.trap_items, rng, seen):
        checks.append(("trap", item, systems))
    for item, systems in _others(design, design.gold, design.gold_items, rng, seen):
        checks.append(("gold", item, systems))
    trials += _spread(middle, [checks[at] for at in rng.permutation(len(checks))], rng)
    return [
        PlannedTrial(
            position, phase, item.prompt, systems, design.reference, int(rng.integers(2**31)), item.expected
        )
        for position, (phase, item, systems) in enumerate(trials)
    ]  # fmt: skip


def _main(design: Design, counts: Counts, rng: np.random.Generator, seen: set[str]) -> list[tuple[Item, Condition]]:
    items = [item for item in design.main if item.prompt not in seen]
    length = min(design.items_per_session, len(items))
    if length == 0:
        return []
    if design.kind == "mushra":
        need = np.array([_cost(design, counts, (item.prompt, ())) for item in items]) + rng.random(len(items))
        chosen = rng.permutation(np.argsort(need)[:length])
        return [(items[at], _slots(design, counts, items[at])) for at in chosen]
    conditions = _conditions(design, counts, items, length)
    cost = np.array(
        [
            [
                _cost(design, counts, (item.prompt, _key(condition)))
                if set(condition) <= set(item.systems)
                else _IMPOSSIBLE
                for item in items
            ]
            for condition in conditions
        ]
    )
    # Serving what has c ratings adds 2c + 1 to the sum of squares, so the cheapest matching evens the counts out.
    rows, columns = linear_sum_assignment(cost + rng.random(cost.shape) / length)
    kept = [(items[at], conditions[row]) for row, at in zip(rows, columns, strict=True) if cost[row, at] < _IMPOSSIBLE]
    if design.kind == "mos":
        return kept
    return [(item, _ordered(counts, item.prompt, pair, rng)) for item, pair in kept]


def _cost(design: Design, counts: Counts, unit: Unit) -> float:
    ratings = counts.ratings[unit]
    return ratings + (_DONE if ratings >= design.ratings_wanted else 0)


def _conditions(design: Design, counts: Counts, items: Sequence[Item], length: int) -> list[Condition]:
    """The condition of each position: rows of the square, but what has all its ratings gives way to what lacks some."""
    size = len(design.conditions)
    rows = [square_row(size, counts.sessions + cycle, [design.seed, 1]) for cycle in range(-(-length // size))]
    lacking = dict.fromkeys(design.conditions, 0)
    for condition in design.conditions:
        for item in items:
            if set(condition) <= set(item.systems):
                ratings = counts.ratings[item.prompt, _key(condition)]
                lacking[condition] += max(0, design.ratings_wanted - ratings)
    chosen: list[Condition] = []
    for at in np.concatenate(rows)[:length]:
        condition = design.conditions[at]
        if lacking[condition] <= 0:
            # where nobody lacks anything more, the row's own condition fills the session
            condition = max(lacking, key=lambda one: (lacking[one], one == design.conditions[at]))
        lacking[condition] -= 1
        chosen.append(condition)
    return chosen


def _ordered(counts: Counts, prompt: str, pair: Condition, rng: np.random.Generator) -> Condition:
    """The pair with the system first that has stood first less often: on this prompt, then on all prompts."""
    one, other = pair
    here = counts.first[prompt, one, other] - counts.first[prompt, other, one]
    total = sum(
        times * (1 if first == one else -1)
        for (_, first, second), times in counts.first.items()
        if {first, second} == {one, other}
    )
    lead = here or total or rng.choice([-1, 1])
    return (one, other) if lead < 0 else (other, one)


def _slots(design: Design, counts: Counts, item: Item) -> tuple[str, ...]:
    """The slots of a MUSHRA trial: the next row of this prompt's own square."""
    number = next(at for at, one in enumerate(design.main) if one.prompt == item.prompt)
    row = square_row(len(item.systems), counts.ratings[item.prompt, ()], [design.seed, 2, number])
    return tuple(item.systems[at] for at in row)


def _others(
    design: Design, items: Sequence[Item], wanted: int, rng: np.random.Generator, seen: Collection[str]
) -> list[tuple[Item, Condition]]:
    """Training, trap or gold items in a random order, those first that this rater has not met."""
    order = sorted(rng.permutation(len(items)), key=lambda at: items[at].prompt in seen)
    served = []
    for at in order[:wanted]:
        systems = rng.permutation(np.array(items[at].systems, dtype=object))
        size = {"mos": 1, "pairwise": 2, "mushra": len(systems)}[design.kind]
        served.append((items[at], tuple(str(name) for name in systems[:size])))
    return served


def _spread(main: list[T], checks: list[T], rng: np.random.Generator) -> list[T]:
    """Checks at random between the main trials: not first, not last, not beside each other while there is room."""
    gaps = list(range(1, len(main))) or [len(main)]
    rounds = -(-len(checks) // len(gaps)) if checks else 0
    places = [int(at) for _ in range(rounds) for at in rng.permutation(gaps)][: len(checks)]
    waiting = sorted(zip(places, range(len(checks)), strict=True), reverse=True)
    spread = []
    for at in range(len(main) + 1):
        while waiting and waiting[-1][0] == at:
            spread.append(checks[waiting.pop()[1]])
        spread += main[at : at + 1]
    return spread

"""Who hears what: squares, balance over a crowd, and that one rater never meets a prompt twice."""

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.studies.assignment import Counts, Design, Item, plan_session, square_row, williams_square
from app.studies.balance import simulate
from app.studies.schema import parse_study
from tests.studies.makers import study, text

SYSTEMS = tuple("abcde")


def design(kind: str, prompts: int = 20, items: int = 10, wanted: int = 10**6, systems: tuple = SYSTEMS) -> Design:
    conditions = {"mos": [(name,) for name in systems], "pairwise": list(combinations(systems, 2)), "mushra": []}
    main = tuple(Item(f"p{number}", systems) for number in range(prompts))
    return Design(kind, tuple(conditions[kind]), main, items_per_session=items, ratings_wanted=wanted)  # pyright: ignore


@pytest.mark.parametrize("size", range(1, 13))
def test_a_williams_square_balances_positions_and_neighbours(size: int) -> None:
    square = williams_square(size)
    repeats = len(square) // size
    for column in square.T:
        assert Counter(column.tolist()) == dict.fromkeys(range(size), repeats)
    neighbours = Counter(pair for row in square.tolist() for pair in pairwise(row))
    if size > 1:
        assert set(neighbours) == {(a, b) for a in range(size) for b in range(size) if a != b}
        assert len(set(neighbours.values())) == 1


def test_a_row_of_squares_has_no_end_and_keeps_its_seed() -> None:
    rows = [square_row(4, number, [7]).tolist() for number in range(40)]
    assert rows == [square_row(4, number, [7]).tolist() for number in range(40)]
    assert rows != [square_row(4, number, [8]).tolist() for number in range(40)]
    for column in np.array(rows).T:
        assert set(Counter(column.tolist()).values()) == {10}


@pytest.mark.parametrize("kind", ["mos", "pairwise", "mushra"])
def test_500_raters_of_whom_a_quarter_leave_find_a_balanced_study(kind: str) -> None:
    balance = simulate(design(kind), np.random.default_rng(1), raters=500, drop_out=0.25)
    assert 90 < balance.left < 160 and balance.turned_away == 0 and balance.repeats == 0
    low, high = balance.spread()
    assert high - low <= 4, (low, high)
    totals = balance.systems.values()
    assert max(totals) <= 1.03 * min(totals)
    assert balance.position_deviation() < 0.05
    if kind == "pairwise":
        assert len(balance.first) == 10
        assert balance.first_deviation() < 0.02


@pytest.mark.parametrize("kind", ["mos", "pairwise", "mushra"])
def test_everything_gets_its_ratings_and_then_the_study_is_over(kind: str) -> None:
    small = design(kind, prompts=8, items=4, wanted=8, systems=tuple("abc"))
    balance = simulate(small, np.random.default_rng(2), raters=500, drop_out=0.3, at_once=5)
    low, high = balance.spread()
    assert low >= 8 and high <= 8 + 5, (low, high)
    assert balance.turned_away > 300


def test_the_same_seed_plans_the_same_session_and_counts_are_left_alone() -> None:
    small, counts = design("pairwise"), Counts()
    plans = [plan_session(small, counts, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert plans[0] == plans[1] != plans[2]
    assert not counts.ratings and not counts.first


def test_what_was_rated_least_comes_first() -> None:
    small = design("mos", prompts=6, items=2, systems=("a", "b"))
    counts = Counts()
    for number in range(6):
        for name in "ab":
            if (number, name) not in ((4, "a"), (2, "b")):
                counts.add(small, f"p{number}", (name,))
    plan = plan_session(small, counts, np.random.default_rng(1))
    assert {(trial.prompt, trial.systems) for trial in plan} == {("p4", ("a",)), ("p2", ("b",))}


def test_whichever_stood_first_less_often_stands_first() -> None:
    pair = design("pairwise", prompts=1, items=1, systems=("a", "b"))
    counts = Counts(sessions=3)
    counts.add(pair, "p0", ("a", "b"), times=2)
    counts.add(pair, "p0", ("b", "a"))
    assert counts.ratings["p0", ("a", "b")] == 3
    assert plan_session(pair, counts, np.random.default_rng(0))[0].systems == ("b", "a")


def test_a_rater_who_comes_again_hears_other_prompts() -> None:
    small = design("mushra", prompts=5, items=3)
    first = plan_session(small, Counts(), np.random.default_rng(0))
    seen = {trial.prompt for trial in first}
    second = plan_session(small, Counts(1), np.random.default_rng(1), seen)
    assert len(second) == 2 and not seen & {trial.prompt for trial in second}
    assert plan_session(small, Counts(2), np.random.default_rng(2), {item.prompt for item in small.main}) == []


def checked(kind: str = "mos") -> Design:
    trap = {"name": "trap", "phase": "trap", "systems": ["one"], "expected": {"scores": {"one": [2, 2]}}}
    gold = {"name": "gold", "phase": "gold", "systems": ["two"], "expected": {"scores": {"two": [4, 5]}}}
    training = [{"name": f"t{number}", "phase": "training"} for number in range(2)]
    prompts = [*({"name": f"p{number}"} for number in range(12)), trap, gold, *training]
    return Design.of(parse_study(text(study(kind, prompts=prompts, items_per_session=10))))


@given(st.integers(0, 10_000))
def test_training_comes_first_and_traps_and_gold_stand_between(seed: int) -> None:
    plan = plan_session(checked(), Counts(seed), np.random.default_rng(seed))
    phases = [trial.phase for trial in plan]
    assert phases[:2] == ["training", "training"] and Counter(phases) == {
        "training": 2,
        "main": 10,
        "trap": 1,
        "gold": 1,
    }
    rest = phases[2:]
    assert rest[0] == rest[-1] == "main"
    assert not {("trap", "gold"), ("gold", "trap")} & set(pairwise(rest))
    trap = next(trial for trial in plan if trial.phase == "trap")
    assert trap.systems == ("one",) and trap.expected == {"scores": {"one": [2, 2]}}
    assert all(trial.expected is None for trial in plan if trial.phase == "main")
    assert [trial.position for trial in plan] == list(range(len(plan)))


def test_traps_do_not_always_stand_at_the_same_place() -> None:
    places = Counter(
        next(
            trial.position
            for trial in plan_session(checked(), Counts(), np.random.default_rng(seed))
            if trial.phase == "trap"
        )
        for seed in range(200)
    )
    assert len(places) >= 9


def test_systems_that_play_some_prompts_only_are_served_there_only() -> None:
    prompts = [{"name": f"p{number}", **({"systems": ["one"]} if number < 2 else {})} for number in range(4)]
    some = Design.of(parse_study(text(study(prompts=prompts))))
    assert len(some.units()) == 6
    for seed in range(50):
        for trial in plan_session(some, Counts(seed), np.random.default_rng(seed)):
            assert (trial.prompt, trial.systems) not in [("p0", ("two",)), ("p1", ("two",))]

"""What is right, what is told after training, what is suspicious: hand-worked cases."""

import json
from typing import Any

import pytest

from app.studies.errors import StudyError
from app.studies.listening import read_listening
from app.studies.schema import parse_study
from app.studies.scoring import Slot, agrees, feedback, monotony, read_answer
from tests.studies.making import SYSTEMS, study

ONE, TWO, THREE = SYSTEMS


def parsed(kind: str, **changes: Any):
    return parse_study(json.dumps(study(kind, **changes)))


@pytest.mark.parametrize(
    ("score", "right"), [(3, False), (4, True), (5, True)],
)  # fmt: skip
def test_an_opinion_agrees_within_its_limits(score: int, right: bool) -> None:
    slots, expected = [Slot(ONE)], {"scores": {ONE: [4, 5]}}
    assert agrees(parsed("mos"), slots, {"overall": score}, expected) is right
    assert agrees(parsed("mos"), slots, {"overall": score}, None) is None
    assert agrees(parsed("mos"), [Slot(TWO)], {"overall": score}, expected) is None


@pytest.mark.parametrize("swapped", [False, True])
def test_the_winner_is_found_on_either_side(swapped: bool) -> None:
    slots = [Slot(TWO), Slot(ONE)] if swapped else [Slot(ONE), Slot(TWO)]
    right, wrong = ("b", "a") if swapped else ("a", "b")
    plan, expected = parsed("pairwise"), {"winner": ONE}
    assert agrees(plan, slots, {"overall": right}, expected) is True
    assert agrees(plan, slots, {"overall": wrong}, expected) is False
    assert agrees(plan, slots, {"overall": "tie"}, expected) is False
    assert agrees(plan, slots, {"overall": "tie"}, {"winner": "tie"}) is True


def test_mushra_looks_at_the_systems_that_are_named() -> None:
    slots = [Slot(TWO), Slot(ONE, "reference")]
    plan, expected = parsed("mushra"), {"scores": {ONE: [90, 100]}}
    assert agrees(plan, slots, {"0": 10.0, "1": 90.0}, expected) is True
    assert agrees(plan, slots, {"0": 100.0, "1": 89.0}, expected) is False


def test_feedback_speaks_of_slots_never_of_systems() -> None:
    slots = [Slot(THREE), Slot("anchor-3.5k", "anchor_low"), Slot(ONE, "reference")]
    told = feedback(parsed("mushra"), "practice", slots, {"0": 1, "1": 2, "2": 3}, {"scores": {ONE: [80, 100]}}, "fr")
    assert told == [
        {"kind": "anchor_low", "label": "B"}, {"kind": "reference", "label": "C"},
        {"kind": "other", "wanted": "C 80 – 100"},
    ]  # fmt: skip
    assert not [name for name in SYSTEMS if name in str(told)]
    mos = feedback(parsed("mos"), "practice", [Slot(ONE)], {"overall": 1}, {"scores": {ONE: [4, 5]}}, "fr")
    assert mos == [{"kind": "other", "wanted": "Bon – Excellent"}]
    pair = feedback(parsed("pairwise"), "practice", [Slot(TWO), Slot(ONE)], {"overall": "a"}, {"winner": ONE}, "en")
    assert pair == [{"kind": "other", "wanted": "B"}]
    assert feedback(parsed("mos"), "practice", [Slot(ONE)], {"overall": 1}, None, "en") == [{"kind": "noted"}]


def test_the_studys_own_words_come_first() -> None:
    values = study("mos")
    values["prompts"][4]["feedback"] = {"en": "Listen for the buzz.", "fr": "Écoutez le bourdonnement."}
    plan = parse_study(json.dumps(values))
    told = feedback(plan, "practice", [Slot(ONE)], {"overall": 4}, {"scores": {ONE: [4, 5]}}, "fr")
    assert told == [{"kind": "text", "text": "Écoutez le bourdonnement."}, {"kind": "right"}]


@pytest.mark.parametrize(
    ("scores", "variance"), [([4, 4, 4], None), ([4, 4, 4, 4], 0.0), ([4, 4, 4, 5], None), ([1, 5, 3, 2], None)]
)
def test_monotony_is_a_variance_below_a_tenth(scores: list[float], variance: float | None) -> None:
    assert monotony(scores) == variance


def test_scales_of_another_length_have_another_top() -> None:
    labels = [{"en": str(n), "fr": str(n)} for n in range(7)]
    seven = parsed("mos", attributes=[{"name": "noise", "question": {"en": "?", "fr": "?"}, "labels": labels}])
    assert read_answer(seven, [Slot(ONE)], {"noise": 7}) == {"noise": 7}
    with pytest.raises(StudyError, match="between 1 and 7"):
        read_answer(seven, [Slot(ONE)], {"noise": 8})


def test_listening_to_a_short_sound_means_all_of_it() -> None:
    limits: dict[str, Any] = {
        "lengths": [3.0, 30.0], "reference_length": None, "minimum_seconds": 10.0, "elapsed_seconds": 60.0,
        "language": "en",
    }  # fmt: skip
    assert read_listening({"0": 2.9, "1": 9.9}, **limits) == {"0": 2.9, "1": 9.9}
    with pytest.raises(StudyError, match=r"listen to A for 1\.0 s more"):
        read_listening({"0": 2.0, "1": 10.0}, **limits)
    with pytest.raises(StudyError, match=r"B for 1\.0 s"):
        read_listening({"0": 3.0, "1": 9.0}, **limits)
    with pytest.raises(StudyError, match="more than has passed"):
        read_listening({"0": 3.0, "1": 60.0}, **limits)
    with pytest.raises(StudyError, match="number of seconds"):
        read_listening({"0": float("nan"), "1": 10.0}, **limits)

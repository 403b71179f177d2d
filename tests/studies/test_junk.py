"""Whatever stands in a YAML file, the answer is a study or a sentence, never a traceback."""

import copy
from typing import Any

import numpy as np
import pytest
import yaml

from app.studies.faults import StudyFileError
from app.studies.schema import parse_study, warnings
from app.studies.webmushra import import_config
from tests.studies.makers import study, text

JUNK: list[Any] = [
    None, True, -1, 0, 10**30, 1.5, float("nan"), "", "x", "../a", "a: b", "=1+1", "{prompt}", "\u202e", "😀", "<b>",
    [], {}, ["a"], [[]], {"a": 1}, {"en": "x"}, {"en": "x", "fr": 3}, {1: 2}, "2026-01-01", ["p0", "p1"],
    {"scores": {"one": [1]}},
]  # fmt: skip
KINDS = [
    "mushra",
    "paired_comparison",
    "likert_multi_stimulus",
    "likert_single_stimulus",
    "bs1116",
    "generic",
    "finish",
]
PAGE = {
    "id": "p",
    "content": "Which?",
    "reference": "r.wav",
    "stimuli": {"C1": "a.wav", "C2": "b.wav"},
    "response": [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}],
    "questionnaire": [{"type": "number", "name": "age", "label": "Age", "min": 0}],
    "createAnchor35": True,
}


def spoil(values: Any, rng: np.random.Generator) -> Any:
    """The same with one value, somewhere in the depth, exchanged, gone, or added."""
    values = copy.deepcopy(values)
    at: Any = values
    parent: Any = None
    key: Any = None
    while isinstance(at, (dict, list)) and at and (parent is None or rng.random() < 0.75):
        keys: Any = list(at) if isinstance(at, dict) else range(len(at))
        parent, key = at, keys[rng.integers(len(keys))]
        at = parent[key]
    assert parent is not None
    junk = JUNK[rng.integers(len(JUNK))]
    if rng.random() < 0.15:
        del parent[key]
    elif isinstance(parent, dict) and rng.random() < 0.1:
        parent["surprise"] = junk
    else:
        parent[key] = junk
    return values


@pytest.mark.parametrize("kind", ["mos", "pairwise", "mushra"])
def test_a_spoilt_study_is_a_study_or_a_sentence(kind: str) -> None:
    rng = np.random.default_rng(1)
    gold = {"name": "g", "phase": "gold", "systems": ["one"], "expected": {"scores": {"one": [4, 5]}}}
    question = {
        "name": "q",
        "kind": "choice",
        "label": {"en": "a", "fr": "b"},
        "choices": [{"value": "x", "label": {"en": "a"}}],
    }
    whole = study(kind, questionnaire=[question], completion={"kind": "fixed", "code": "ABCD"}, pairs=None)
    whole["prompts"] = [*whole["prompts"], gold]
    refused = 0
    for _ in range(400):
        spoilt = spoil(whole if rng.random() < 0.5 else spoil(whole, rng), rng)
        try:
            list(parse_study(text(spoilt)).stimuli())
            warnings(parse_study(text(spoilt)))
        except StudyFileError as error:
            refused += 1
            assert error.message and "\n" not in error.message
    assert refused > 200


def test_a_spoilt_configuration_of_webmushra_is_imported_or_told() -> None:
    rng = np.random.default_rng(2)
    imported = 0
    for number in range(400):
        pages = [copy.deepcopy(PAGE) | {"type": KINDS[(number + at) % len(KINDS)]} for at in range(3)]
        try:
            made, report = import_config(yaml.safe_dump(spoil({"testname": "T", "testId": "t", "pages": pages}, rng)))
        except StudyFileError as error:
            assert error.message and "\n" not in error.message
            continue
        imported += 1
        assert report.lines() and all(parse_study(one.text) for one in made)
    assert imported > 200

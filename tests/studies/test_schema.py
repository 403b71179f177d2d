"""Studies as YAML: what is accepted, and that every fault names its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.studies.faults import StudyFileError
from app.studies.schema import parse_study, read_study, warnings
from tests.studies.makers import study, text


def faults(values: dict | str) -> dict[str, int | None]:
    """Place and line of each fault."""
    with pytest.raises(StudyFileError) as caught:
        parse_study(values if isinstance(values, str) else text(values))
    from app.studies.faults import spell

    return {spell(fault.place): fault.line for fault in caught.value.faults}


@pytest.mark.parametrize("kind", ["mos", "pairwise", "mushra"])
def test_a_small_study_of_each_kind_is_in_order(kind: str) -> None:
    read = parse_study(text(study(kind)))
    assert read.kind == kind
    assert [label.get("fr") for label in parse_study(text(study())).judged()[0].labels or []] == [
        "Mauvais", "Médiocre", "Passable", "Bon", "Excellent",
    ]  # fmt: skip


def test_every_fault_is_told_with_its_line() -> None:
    broken = """\
slug: Not A Slug
title: {en: A title}
kind: mos
question: {en: Good, fr: Bon}
systems:
  - name: one
  - name: one
  - nam: three
prompts:
  - name: p1
loudness_lufs: loud
surprise: 1
"""
    found = faults(broken)
    assert found == {"slug": 1, "systems[2].name": 8, "systems[2].nam": 8, "loudness_lufs": 11, "surprise": 12}
    with pytest.raises(StudyFileError) as caught:
        parse_study(broken, "my.yaml")
    assert caught.value.lines[0].startswith("my.yaml:1: slug: ")
    assert caught.value.message.startswith("my.yaml:1: slug: ") and "4 more" in caught.value.message
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"title": {"en": "Only one"}}, "title"),
        ({"systems": [{"name": "one"}, {"name": "ONE"}]}, "systems[1]"),
        ({"items_per_session": 5}, "items_per_session"),
        ({"items_per_session": True}, "items_per_session"),
        ({"ties": True}, "ties"),
        ({"reference": True}, "reference"),
        ({"anchors": ["low"]}, "anchors"),
        ({"files": "audio/{system}.wav"}, "files"),
        ({"files": "../{system}/{prompt}.wav"}, "files"),
        ({"files": "/{system}/{prompt}.wav"}, "files"),
        ({"files": "C:{system}/{prompt}.wav"}, "files"),
        ({"files": "{system}/{prompt}/{0.__class__}.wav"}, "files"),
        ({"session_minutes": 21}, "session_minutes"),
        ({"minimum_seconds": float("nan")}, "minimum_seconds"),
        ({"loudness_lufs": float("inf")}, "loudness_lufs"),
        ({"completion": {"kind": "fixed"}}, "completion"),
        ({"completion": {"redirect": "javascript:alert(1)"}}, "completion.redirect"),
        ({"completion": {"redirect": "http://example.org"}}, "completion.redirect"),
        ({"prompts": [{"name": "p1"}, {"name": "t", "phase": "trap"}], "items_per_session": 1}, "prompts[1]"),
        ({"languages": ["en", "de"]}, "languages[1]"),
        ({"opens_at": "2026-01-01"}, "opens_at"),
        ({"questionnaire": [{"name": "age", "kind": "choice", "label": {"en": "a", "fr": "b"}}]}, "questionnaire[0]"),
        ({"systems": [{"name": "=1+1"}]}, "systems[0].name"),
        ({"title": {"en": "a\x07", "fr": "b"}}, "title.en"),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_is_named_at_its_place(changes: dict, place: str) -> None:
    found = faults(study(**changes))
    assert place in found
    assert all(found.values()), "a fault has no line"


def test_rules_of_comparisons_and_of_mushra() -> None:
    three = [{"name": name} for name in "abc"]
    assert "pairs[0]" in faults(study("pairwise", systems=three, pairs=[["a", "z"]]))
    assert "pairs[1]" in faults(study("pairwise", systems=three, pairs=[["a", "b"], ["b", "a"]]))
    trap = {"name": "t", "phase": "trap", "systems": ["a", "b"], "expected": {"winner": "tie"}}
    assert "prompts[4].expected.winner" in faults(study("pairwise", systems=three, prompts=[*study()["prompts"], trap]))
    no_reference = study("mushra", systems=three)
    assert {"systems", "anchors"} <= set(faults(no_reference))
    thirteen = [{"name": "ref", "role": "reference"}, *({"name": f"s{n}"} for n in range(10))]
    assert "prompts[0]" in faults(study("mushra", systems=thirteen))
    assert parse_study(text(study("mushra", systems=thirteen[:-1])))


def test_expected_answers_must_be_possible() -> None:
    def with_gold(**gold: object) -> dict:
        return study(prompts=[*study()["prompts"], {"name": "g", "phase": "gold", **gold}])

    assert parse_study(text(with_gold(systems=["one"], expected={"scores": {"one": [4, 5]}}))).served("gold") == 1
    for scores in ([5, 4], [0, 5], [4, 6]):
        place = "prompts[4].expected.scores.one"
        assert place in faults(with_gold(systems=["one"], expected={"scores": {"one": scores}}))
    assert "prompts[4].expected.scores" in faults(with_gold(expected={"scores": {"one": [4, 5]}}))


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("slug: a\nslug: b\n", 2),
        ("a: &x [1]\nb: *x\n", 2),
        ("a: 1\nb: !!python/object:os.system {}\n", 2),
        ("a: 'open\n", None),
        ("a: [1\nb: 2\n", 2),
        ("- a\n", None),
        ("", None),
        ("a: " + "[" * 40 + "]" * 40, 1),
        ("a: 2026-13-45\n", 1),
        ("x" * 600_000, None),
    ],
)
def test_yaml_that_no_study_needs_is_refused(source: str, line: int | None) -> None:
    with pytest.raises(StudyFileError) as caught:
        parse_study(source)
    if line:
        assert caught.value.faults[0].line == line


@given(st.text(max_size=200))
def test_any_text_is_a_study_or_a_clear_error(source: str) -> None:
    with pytest.raises(StudyFileError) as caught:
        parse_study(source)
    assert "\n" not in caught.value.message


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match="study\\.yaml"):
        read_study(tmp_path)
    (tmp_path / "study.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(StudyFileError, match="UTF-8"):
        read_study(tmp_path)


def test_a_given_reference_is_played_and_not_compared() -> None:
    systems = [{"name": "ref", "role": "reference"}, *study()["systems"]]
    read = parse_study(text(study("pairwise", systems=systems, reference=True)))
    assert read.compared() == [("one", "two")]
    assert {system.name for system, _, _ in read.stimuli()} == {"ref", "one", "two"}
    hidden = parse_study(text(study("pairwise", systems=systems)))
    assert len(hidden.compared()) == 3


def test_stimuli_can_lie_anywhere() -> None:
    systems = [{"name": "one", "files": {f"p{n}": f"x/{n}.flac" for n in range(4)}}, {"name": "two"}]
    read = parse_study(text(study(systems=systems)))
    assert [path for _, _, path in read.stimuli()][:2] == ["x/0.flac", "audio/two/p0.wav"]
    assert "systems[0].files" in faults(study(systems=[{"name": "one", "files": {"p0": "x.flac"}}]))


def test_what_the_standards_advise_is_told_and_does_not_stop_a_study() -> None:
    told = " ".join(warnings(parse_study(text(study("mushra", anchors=None)))))
    assert "anchors" in told and "5 excerpts" in told and "Training" in told


def test_moments_have_a_zone_and_come_in_order() -> None:
    opened = text(study()) + "opens_at: 2026-12-01T09:00:00+01:00\ncloses_at: 2026-12-01T09:00:00Z\n"
    read = parse_study(opened)
    assert read.opens_at and read.closes_at and (read.closes_at - read.opens_at).total_seconds() == 3600
    assert "closes_at" in faults(opened.replace("T09:00:00Z", "T07:00:00Z"))
    assert "opens_at" in faults(opened.replace("+01:00", ""))

"""Results from stored votes: the same numbers as the evaluation's, filters, exclusions and flags, sentences."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.board.ballots import Ballot
from app.board.scores import mushra_results
from app.board.selection import Filters
from app.board.sentences import order_sentences
from app.board.service import Board
from app.board.tables import csv_table
from app.db import Database
from app.errors import UserError
from app.studies.administration import exclude, include
from evaluation.bradley_terry import fixed_point, from_records
from evaluation.opinion import mean_opinions
from evaluation.records import Comparison
from tests.board.crowd import BEGIN, NAMES, Answered, Crowd, pairs, scores

SEVEN = (*NAMES, "anchor-7k", "anchor-3.5k")


def only(board: Board, filters: Filters = Filters()) -> dict:  # noqa: B008
    (question,) = board.view(filters, fresh=True).content["questions"]
    return question


def test_ratings_of_pairs_are_those_of_the_evaluation(preference: Crowd, board: Board) -> None:
    question = only(board)
    given = pairs(300)
    table = from_records(
        Comparison(one.system, one.system_b or "", one.outcome or "a", one.rater)  # pyright: ignore[reportArgumentType]
        for one in given
    ).table()
    paper = fixed_point(table)
    low, high = paper.interval()
    for row in question["standings"]:
        k = table.systems.index(row["system"])
        assert row["paper_elo"] == pytest.approx(paper.elo[k], abs=0.006)
        assert (row["paper_low"], row["paper_high"]) == pytest.approx((low[k], high[k]), abs=0.006)
        assert (row["wins"], row["losses"], row["ties"]) == (table.won[k], table.lost[k], table.tied[k])
        assert row["votes"] == row["wins"] + row["losses"] + row["ties"]
        assert row["low"] < row["elo"] < row["high"] and row["rank_low"] <= row["rank"] <= row["rank_high"]
    assert [row["rank"] for row in question["standings"]] == [1, 2, 3, 4, 5]
    assert np.mean([row["elo"] for row in question["standings"]]) == pytest.approx(2000, abs=0.01)
    assert sum(row["best"] for row in question["standings"]) == pytest.approx(1, abs=1e-3)
    assert question["standings"][0]["system"] == "amber" and question["convergence"]["r_hat"] <= 1.01


def test_the_line_over_time_ends_at_the_table_and_starts_with_the_first_votes(preference: Crowd, board: Board) -> None:
    question = only(board)
    found = question["over_time"]
    assert found["votes"][-1] == 300 and found["votes"] == sorted(set(found["votes"]))
    assert found["moments"][-1] == question["newest"]
    for row, line in zip(question["standings"], found["lines"], strict=True):
        assert line["system"] == row["system"] and line["elo"][-1] == pytest.approx(row["elo"], abs=0.1)
        assert all(low <= elo <= high for low, elo, high in zip(line["low"], line["elo"], line["high"], strict=True))


def test_a_system_has_no_rating_over_time_before_its_first_vote(
    database: Database, tmp_path: Path, board: Board
) -> None:
    crowd = Crowd(database, tmp_path, "pairwise", "two")
    first = [Answered("r", "item0", "amber", "birch", "a", at=BEGIN + timedelta(minutes=n)) for n in range(8)]
    later = [Answered("r", "item0", "amber", "cedar", "b", at=BEGIN + timedelta(minutes=60 + n)) for n in range(8)]
    crowd.answer([*first, *later])
    lines = {line["system"]: line["elo"] for line in only(board)["over_time"]["lines"]}
    assert None not in lines["amber"] and lines["cedar"][0] is None and lines["cedar"][-1] is not None


def test_excluded_raters_are_out_at_once_and_back_when_counted_again(preference: Crowd, board: Board) -> None:
    before = only(board)
    rater = preference.raters["rater3"]
    exclude(preference.database, rater, "wore no headphones", actor="test")
    view = board.view(Filters(), fresh=True)
    (during,) = view.content["questions"]
    gone = view.content["left_out"]["excluded_answers"]
    assert gone > 0 and during["answers"] == 300 - gone and during["raters"] == 19
    assert view.content["left_out"]["excluded_raters"] == 1 and view.raters["excluded"] == {rater: "wore no headphones"}
    include(preference.database, rater, "they did", actor="test")
    assert only(board) == before


def test_flagged_raters_are_out_until_they_are_asked_for(preference: Crowd, board: Board) -> None:
    whole = only(board)
    preference.flag("rater1")
    preference.flag("rater1", "low_variance")
    preference.flag("rater2", "time_limit")  # came to the end of the time, as one may
    out = board.view(Filters(), fresh=True).content
    assert out["left_out"]["flags"] == {"low_variance": 1, "trap_failed": 1} and out["left_out"]["flagged_raters"] == 1
    assert out["questions"][0]["answers"] == 300 - out["left_out"]["flagged_answers"]
    counted = only(board, Filters(flagged=True))
    assert counted["standings"] == whole["standings"]


def test_filters_take_their_part(database: Database, tmp_path: Path, board: Board) -> None:
    crowd = Crowd(database, tmp_path, "pairwise", "preference")
    crowd.come("paid", panel="prolific", language="fr")
    day = timedelta(days=1)
    crowd.answer([Answered("paid", "item0", "amber", "birch", "a", at=BEGIN + n * day) for n in range(3)])
    crowd.answer([Answered("free", "item0", "amber", "birch", "b", at=BEGIN + n * day) for n in range(4)])
    first = BEGIN.date()
    cases = {
        Filters(language="fr"): 3,
        Filters(group="open"): 4,
        Filters(since=first + day): 5,
        Filters(until=first): 2,
        Filters(since=first + day, until=first + 2 * day, group="prolific"): 2,
        Filters(study="preference"): 7,
    }
    assert {filters: only(board, filters)["answers"] for filters in cases} == cases
    assert board.view(Filters(study="other")).content["questions"] == []
    offered = board.view(Filters()).content["options"]
    assert (offered["languages"], offered["groups"], offered["from"]) == (
        ["en", "fr"],
        ["open", "prolific"],
        "2026-11-01",
    )


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "from"),
        ({"flagged": "yes"}, "flagged"),
        ({"study": "x" * 201}, "study"),
    ],
)
def test_a_filter_that_says_nothing_is_told(query: dict[str, str], param: str) -> None:
    with pytest.raises(UserError) as told:
        Filters.read(query)
    assert told.value.status == 400 and told.value.param == param


def test_the_same_attribute_of_two_studies_is_one_question_and_overall_is_not(
    database: Database, tmp_path: Path, board: Board
) -> None:
    asked = [{"name": "enjoyment", "question": {"en": "Which is nicer?", "fr": "Lequel vous plaît ?"}}]
    for slug in ("music-one", "music-two"):
        crowd = Crowd(database, tmp_path, "pairwise", slug, attributes=asked)
        crowd.answer([Answered("r", "item0", "amber", "birch", "a", attribute="enjoyment")])
    for slug in ("plain-one", "plain-two"):
        Crowd(database, tmp_path, "pairwise", slug).answer([Answered("r", "item0", "amber", "birch", "a")])
    questions = {one["id"]: one for one in board.view(Filters()).content["questions"]}
    assert sorted(questions) == ["pairs:enjoyment", "pairs:plain-one/overall", "pairs:plain-two/overall"]
    assert questions["pairs:enjoyment"]["answers"] == 2
    assert [table["table"][:7] for table in questions["pairs:enjoyment"]["published"]] == ["table 4", "table 6"]
    assert questions["pairs:plain-one/overall"]["published"] == []
    assert board.view(Filters(since=date(2027, 1, 1))).content["questions"] == []


def test_opinions_have_the_evaluations_intervals(database: Database, tmp_path: Path, board: Board) -> None:
    given = scores(NAMES, (4.4, 4.0, 3.6, 2.6, 2.4), 5)
    Crowd(database, tmp_path, "mos", "naturalness").answer(given)
    question = only(board)
    frame = pd.DataFrame(
        [(one.rater, one.item, one.system, one.score) for one in given], columns=["rater", "item", "system", "score"]
    )
    for row, right in zip(question["standings"], mean_opinions(frame), strict=True):
        assert row["system"] == right.system and row["mean"] == pytest.approx(right.mean, abs=1e-5)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((right.ci_low, right.ci_high), abs=1e-5)
    assert question["labels"] == ["Bad", "Poor", "Fair", "Good", "Excellent"]
    assert question["sentences"][0].startswith("Established (p below 0.05 after Holm): amber better than")


def test_grades_are_screened_as_the_recommendation_says(database: Database, tmp_path: Path, board: Board) -> None:
    crowd = Crowd(database, tmp_path, "mushra", "fidelity")
    levels = (100, 80, 60, 50, 40, 30, 10)
    careful = [
        Answered(f"good{rater}", f"item{item}", system, score=level)
        for rater in range(6) for item in range(4) for system, level in zip(SEVEN, levels, strict=True)
    ]  # fmt: skip
    deaf = [Answered("deaf", f"item{item}", system, score=50) for item in range(4) for system in SEVEN]
    crowd.answer([*careful, *deaf])
    view = board.view(Filters())
    (question,) = view.content["questions"]
    assert [(one["rater"], one["share"]) for one in question["screened"]] == [(crowd.raters["deaf"], 1.0)]
    assert "hidden reference below 90" in question["screened"][0]["rule"] and question["raters"] == 6
    assert {row["system"]: row["median"] for row in question["standings"]} == dict(zip(SEVEN, levels, strict=True))


def test_without_anchors_nobody_is_screened_and_it_is_said() -> None:
    made = [
        Ballot(f"{name}{n}", "mushra", "s", "all", f"r{n % 3}", "open", "en", f"i{n // 3}", BEGIN, name, "", score=n)
        for n in range(12) for name in ("a", "b")
    ]  # fmt: skip
    found = mushra_results(made, 100)
    assert found["screened"] == [] and "hidden reference and mid anchor" in found["warnings"][0]


def test_csv_has_a_line_for_each_system_and_no_formula(preference: Crowd, board: Board) -> None:
    question = only(board)
    question = question | {
        "standings": [row | {"system": f"=1+{at}, b"} for at, row in enumerate(question["standings"])]
    }
    lines = csv_table(question).splitlines()
    assert lines[0].startswith("system,elo,ci_low,ci_high,rank,") and len(lines) == 6
    assert lines[1].startswith('"\'=1+0, b",2')


class TestSentences:
    def test_a_whole_order(self) -> None:
        above = [[0.5, 0.99, 1.0], [0.01, 0.5, 0.98], [0.0, 0.02, 0.5]]
        said = order_sentences(["a", "b", "c"], above, [["a", "b", "c"]], 50)
        assert said == ["Established, each step at least 97.5 % certain: a above b above c."]

    def test_a_part_of_it(self) -> None:
        above = [[0.5, 0.8, 0.99], [0.2, 0.5, 0.976], [0.01, 0.024, 0.5]]
        said = order_sentences(["a", "b", "c"], above, [["a", "b", "c"]], 50)
        assert said == [
            "Established (at least 97.5 % certain): a and b above c.",
            "Not established is the order of a and b.",
        ]

    def test_nothing_across_groups_that_no_vote_joins(self) -> None:
        above = [[0.5, 0.99], [0.01, 0.5]]
        said = order_sentences(["a", "b"], above, [["a"], ["b"]], 2)
        assert "No vote joins (a), nor (b)" in said[0] and said[1] == "No difference is established yet."

    def test_no_votes(self) -> None:
        assert "nothing is established" in order_sentences([], [], [], 0)[0]

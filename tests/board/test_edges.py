"""Few votes, one system, nobody left: every result has a value or says why there is none, and can be drawn."""

import json
import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.board.about import Catalogue
from app.board.figures import FIGURES
from app.board.report import report
from app.board.selection import Filters
from app.board.service import Board
from app.board.tables import csv_table
from app.db import Database
from app.db import study_models as rows
from tests.board.crowd import BEGIN, NAMES, Answered, Crowd

SEVEN = (*NAMES, "anchor-7k", "anchor-3.5k")
FULL = [Answered("deaf", "item0", system, score=50) for system in SEVEN]


@pytest.fixture
def asked(database: Database, tmp_path: Path, board: Board):
    def ask(kind: str, answers: list[Answered], **changes: Any) -> dict[str, Any]:
        Crowd(database, tmp_path, kind, f"{kind}-edge", **changes).answer(answers)
        (question,) = board.view(Filters()).content["questions"]
        json.dumps(question, allow_nan=False)
        for figure in FIGURES[question["kind"]].values():
            for width in (300.0, 900.0):
                ElementTree.fromstring(figure(question, width).render(alone=True))
        assert len(csv_table(question).splitlines()) == 1 + len(question["standings"])
        assert "<h2>Results</h2>" in report(database, Filters(study=f"{kind}-edge"))
        return question

    return ask


def test_a_single_vote(asked) -> None:
    question = asked("pairwise", [Answered("r", "item0", "amber", "birch", "a")])
    first, second = question["standings"]
    assert first["system"] == "amber" and first["low"] < second["high"], "one vote establishes nothing"
    assert question["sentences"][0] == "No difference is established yet."


def test_only_ties(asked) -> None:
    question = asked("pairwise", [Answered("r", "item0", "amber", "birch", "tie", at=BEGIN)] * 30)
    assert [row["ties"] for row in question["standings"]] == [30, 30]
    assert question["win_probability"][0][1] < 0.2


def test_two_groups_that_no_vote_joins(asked) -> None:
    given = [("amber", "birch"), ("cedar", "dune")]
    question = asked("pairwise", [Answered("r", "item0", a, b, "a") for a, b in given for _ in range(40)])
    assert question["groups"] == [["amber", "birch"], ["cedar", "dune"]]
    assert "No vote joins (amber and birch), nor (cedar and dune)" in question["sentences"][0]
    assert "amber above birch" in question["sentences"][1] and "amber above dune" not in question["sentences"][1]


def test_forty_systems(asked) -> None:
    names = tuple(f"system-with-a-rather-long-name-{number:02d}" for number in range(40))
    given = [
        Answered("r", "item0", names[k], names[(k + step) % 40], "a", at=BEGIN + timedelta(minutes=k))
        for k in range(40)
        for step in (1, 7)
    ]
    assert len(asked("pairwise", given, systems=names)["standings"]) == 40


def test_a_single_opinion(asked) -> None:
    question = asked("mos", [Answered("r", "item0", "amber", score=4)])
    (row,) = question["standings"]
    assert row["mean"] == 4 and row["ci_low"] is None and "no difference is established" in question["sentences"][0]


def test_everybody_screened_out(asked) -> None:
    question = asked("mushra", FULL)
    assert question["standings"] == [] and question["answers"] == 0
    assert "Every rater is excluded by the rules of BS.1534-3" in question["warnings"][-1]


def test_a_study_that_cannot_be_read_keeps_its_votes(database: Database, tmp_path: Path, board: Board) -> None:
    crowd = Crowd(database, tmp_path, "pairwise", "odd")
    crowd.answer([Answered("r", "item0", "amber", "birch", "a")])
    with database.write() as session:
        session.get_one(rows.StudyVersion, crowd.version).yaml = "kind: [of another time]"
    with database.read() as session:
        assert Catalogue().all(session)["odd"].title == "odd"
    (question,) = board.view(Filters()).content["questions"]
    assert question["name"] == "odd" and question["answers"] == 1


def test_a_narrow_figure_shows_long_names_whole(asked) -> None:
    names = ("reference", "a-model-with-a-name-of-forty-letters-b", "a-model-with-a-name-of-forty-letters-c")
    question = asked("pairwise", [Answered("r", "item0", names[1], names[2], "a")], systems=names)
    for width in (300.0, 358.0, 900.0):
        drawn = ElementTree.fromstring(FIGURES["pairs"]["forest"](question, width).render())
        written = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
        assert written >= {names[1], names[2]}, f"a name is cut at {width:g} px"

"""How results are kept up to date: what is computed, by whom, and what happens when it goes wrong."""

import threading
import time
from pathlib import Path

import pytest

from app.board import service
from app.board.selection import Filters
from app.board.service import Board, View
from app.db import Database
from app.errors import UserError
from tests.board.crowd import Answered, Crowd, pairs


def test_a_vote_in_one_study_leaves_the_results_of_others_alone(
    preference: Crowd, database: Database, tmp_path: Path, board: Board
) -> None:
    Crowd(database, tmp_path, "pairwise", "other").answer(pairs(40, seed=1))
    before = {one["id"]: one for one in board.view(Filters()).content["questions"]}
    preference.answer(pairs(1, seed=2))
    after = {one["id"]: one for one in board.view(Filters(), fresh=True).content["questions"]}
    assert after["pairs:other/overall"] is before["pairs:other/overall"], "it was computed again"
    assert after["pairs:preference/overall"]["answers"] == 301


def test_a_request_is_answered_while_newer_results_are_computed(
    preference: Crowd, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older answer is given at once; nobody waits for the thread."""
    from app.board import results

    old = board.view(Filters())
    begun, go_on = threading.Event(), threading.Event()
    real = results.question_results

    def slow(*given):
        begun.set()
        assert go_on.wait(60)
        return real(*given)

    monkeypatch.setattr(results, "question_results", slow)
    preference.answer(pairs(1, seed=2))
    assert begun.wait(60), "the thread does not see the vote"
    assert board.peek(Filters()) is old and board.view(Filters()) is old
    preference.answer(pairs(1, seed=3))  # and neither does a vote
    go_on.set()
    assert board.view(Filters(), fresh=True).content["questions"][0]["answers"] == 302


def test_the_thread_rests_when_nobody_asks_and_comes_back(
    preference: Crowd, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.view(Filters())
    first = board._thread
    assert first is not None
    monkeypatch.setattr(service, "IDLE_SECONDS", 0.0)
    first.join(60)
    assert not first.is_alive()
    monkeypatch.undo()
    preference.answer([Answered("rater1", "item0", "amber", "birch", "a")])
    assert board.view(Filters(), fresh=True).content["questions"][0]["answers"] == 301


def test_a_fault_is_told_and_passes(preference: Crowd, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("out of paper")

    monkeypatch.setattr(board._ballots, "refresh", broken)
    with pytest.raises(UserError) as told:
        board.view(Filters())
    assert told.value.status == 503 and "paper" not in told.value.message
    monkeypatch.undo()
    end = time.monotonic() + 30
    while (view := tried(board)) is None:  # a look that began before may still fail
        assert time.monotonic() < end
    assert view.content["questions"][0]["answers"] == 300


def tried(board: Board) -> View | None:
    try:
        return board.view(Filters())
    except UserError:
        return None


def test_too_many_new_views_at_once_are_refused(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_WAITING", 2)
    monkeypatch.setattr(board, "_look", lambda: None)
    for name in ("a", "b"):
        assert board.peek(Filters(study=name)) is None
    with pytest.raises(UserError) as told:
        board.peek(Filters(study="c"))
    assert told.value.status == 503 and "try again" in told.value.message


def test_a_closed_board_makes_nobody_wait(board: Board) -> None:
    board.close()
    with pytest.raises(UserError) as told:
        board.view(Filters())
    assert told.value.status == 503

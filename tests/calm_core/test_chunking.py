"""Pieces of a text are the text, whatever its length; pauses are understood or refused by name."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_core.errors import InputError
from calm_core.text.chunking import Pause, check_length, split_pauses, split_sentences, split_text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. [pause 0.5s] Two.", ["One.", Pause(0.5), "Two."]),
        ("[pause 500ms]Go[PAUSE 2 s]", [Pause(0.5), "Go", Pause(2.0)]),
        ("a [pause .25s] [pause: 1 second] b", ["a", Pause(0.25), Pause(1.0), "b"]),
        ("no marks [laughs] here", ["no marks [laughs] here"]),
        ("a paused [pauseless] b", ["a paused [pauseless] b"]),
    ],
)
def test_pauses(text: str, parts: list[str | Pause]) -> None:
    assert split_pauses(text) == parts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a [pause] b", r"'\[pause\]' is not understood"),
        ("a [pause 5] b", r"'\[pause 5\]' is not understood"),
        ("a [pause soon] b", "is not understood"),
        ("a [pause -1s] b", "is not understood"),
        ("a [pause 0.5s b", "is not understood"),
        ("a [pause 1e9s] b", "is not understood"),
        ("a [pause 11s] b", r"'\[pause 11s\]' must be longer than 0 s and at most 10 s"),
        ("a [pause 0s] b", "must be longer than 0 s"),
        ("a [pause 99999999999999999999s] b", "at most 10 s"),
    ],
)
def test_faulty_pauses_are_named(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        split_pauses(text)


@pytest.mark.parametrize(
    "sentences",
    [
        ["One.", "Two!", "Three?", "Four"],
        ["Dr. Smith met J. R. R. Tolkien at 3.14 p.m. today.", "He left."],
        ['"Stop!" he said.', '"Why?"', "She ran."],
        ["We waited... and waited.", "Nothing."],
        ["He lives in the U S.", "Then he left."],
        ["It was I.", "You knew."],
        ["main st. is long."],
        ["hello there.", "how are you?", "fine."],
        ["Él vino.", "¿Quién?", "Ça va."],
    ],
)
def test_sentences(sentences: list[str]) -> None:
    assert split_sentences("  ".join(sentences)) == sentences


def test_long_sentences_are_cut_at_clauses_then_conjunctions_then_words() -> None:
    assert split_text("aa bb, cc dd; ee ff", len, 12) == ["aa bb,", "cc dd; ee ff"]
    assert split_text("aaa bbb and ccc ddd", len, 12) == ["aaa bbb", "and ccc ddd"]
    assert split_text("aaa bbb ccc ddd", len, 7) == ["aaa bbb", "ccc ddd"]
    assert split_text("abcdefgh ij", len, 3) == ["abc", "def", "gh", "ij"]


def squeezed(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abIA .,;:!?'\"()-—\n0é and", max_size=200), st.integers(1, 60))
def test_nothing_is_lost_or_moved(text: str, limit: int) -> None:
    sentences = split_sentences(text)
    assert " ".join(sentences) == " ".join(text.split())
    pieces = split_text(text, len, limit)
    assert squeezed("".join(pieces)) == squeezed(text)
    assert all(0 < len(piece) <= limit for piece in pieces)


def test_twenty_thousand_characters_without_a_full_stop() -> None:
    r = random.Random(1)
    words = ["".join(r.choice("abcdefgh") for _ in range(r.randint(1, 9))) for _ in range(3_500)]
    pieces = split_text(" ".join(words), lambda piece: len(piece.split()), 40)
    assert " ".join(pieces).split() == words
    assert max(len(piece.split()) for piece in pieces) == 40


def test_empty_and_endless_texts_are_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        check_length(" \n")
    with pytest.raises(InputError, match="100,000 characters and the limit is 20,000"):
        check_length("a" * 100_000)
    check_length("a" * 20_000)

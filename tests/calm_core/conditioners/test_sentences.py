from pathlib import Path

import pytest

from calm_core.conditioners.sentences import split_sentences, tidy
from calm_core.conditioners.tokenizer import Tokenizer, load_tokenizer
from calm_core.config import PrefixTextConfig
from calm_core.errors import InputError
from tests.calm_core.tiny import write_tokenizer


def config(**changes: object) -> PrefixTextConfig:
    values = {"kind": "prefix", "n_bins": 100, "dim": 16, "tokenizer_path": "tokenizer.json", **changes}
    return PrefixTextConfig.model_validate(values)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    write_tokenizer(path, 100)
    return load_tokenizer(path, "tokenizers", 100)


@pytest.mark.parametrize(
    ("text", "expected", "frames"),
    [
        ("hello there", "Hello there.", 5),
        ("so it was, after all,", "So it was, after all.", 3),
        ('he said "no"', 'He said "no".', 5),
        ("Is it? Yes, it is!", "Is it? Yes, it is!", 3),
        ("two\nlines of text here", "Two lines of text here.", 3),
    ],
)
def test_tidy(text: str, expected: str, frames: int) -> None:
    assert tidy(text, config()) == (expected, frames)


def test_tidy_follows_the_configuration() -> None:
    assert tidy("a; b", config(remove_semicolons=True))[0] == "A, b."
    assert tidy("salam", config(capitalize_first_letter=False))[0] == "salam."
    assert tidy("no stop", config(append_terminal_punctuation=False))[0] == "No stop"
    assert tidy("hi", config(pad_with_spaces_for_short_inputs=True))[0] == " " * 8 + "Hi."
    quotes = config(replace_characters={'"': "", "’": "'"})
    assert tidy('"Hi?", she said, it’s late', quotes)[0] == "Hi? she said, it's late."


def test_nothing_to_say_is_an_input_error() -> None:
    for text in ("", "   ", "\n\t"):
        with pytest.raises(InputError, match="empty"):
            tidy(text, config())
    with pytest.raises(InputError, match="empty"):
        tidy('""', config(replace_characters={'"': ""}))


def test_sentences_are_kept_whole_and_regrouped(tokenizer: Tokenizer) -> None:
    text = "One two three. Four five six! Seven eight nine ten? It is 3.14 now."
    assert split_sentences(text, tokenizer, config(), 40) == [
        "One two three. Four five six!",
        "Seven eight nine ten? It is 3.14 now.",
    ]
    assert split_sentences(text, tokenizer, config(), 1000) == [text]


def test_no_piece_is_over_the_limit_and_no_word_is_lost(tokenizer: Tokenizer) -> None:
    words = [f"word{i}" for i in range(60)]
    for text in (" ".join(words), ", ".join(words), ". ".join(words)):
        pieces = split_sentences(text, tokenizer, config(), 30)
        assert all(len(tokenizer.encode(piece)) <= 30 for piece in pieces)
        said = " ".join(pieces).replace(",", " ").replace(".", " ").lower().split()
        assert said == words


def test_a_word_without_end_is_cut(tokenizer: Tokenizer) -> None:
    pieces = split_sentences("a" * 95, tokenizer, config(), 30)
    assert all(len(tokenizer.encode(piece)) <= 30 for piece in pieces)
    assert "".join(pieces).lower().count("a") == 95


def test_tokenizer_faults_are_input_errors(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    write_tokenizer(path, 100)
    with pytest.raises(InputError, match="n_bins: 99"):
        load_tokenizer(path, "tokenizers", 99)
    path.write_text(path.read_text()[:200])
    with pytest.raises(InputError, match="half-downloaded"):
        load_tokenizer(path, "tokenizers", 100)
    (tmp_path / "broken.model").write_bytes(b"not a model")
    with pytest.raises(InputError, match="half-downloaded"):
        load_tokenizer(tmp_path / "broken.model", "sentencepiece", 100)

import json
import math
from pathlib import Path

import numpy as np
import pytest

from evaluation.clips import make_clip
from evaluation.errors import InputError
from evaluation.metrics.perplexity import NGram, TranscriptPerplexity, find_language_model

SMALL = ("a b a", "a b")
# By hand. Bigrams: <s>a 2, ab 2, ba 1, a</s> 1, b</s> 1, so D = 3 / (3 + 2 * 2). Words by what comes before:
# a 2 (<s>, b), b 1, </s> 2, so D = 1 / (1 + 2 * 2), and a quarter each of 0.2 * 3 / 5 for a, b, </s>, <unk>.
UNIGRAM = {"a": 1.8 / 5 + 0.03, "b": 0.8 / 5 + 0.03, None: 1.8 / 5 + 0.03, "zebra": 0.03}
D = 3 / 7


@pytest.fixture(scope="module")
def bigram() -> NGram:
    return NGram.train(SMALL, order=2, min_count=1)


def test_kneser_ney_by_hand(bigram: NGram) -> None:
    assert bigram.probability("a") == pytest.approx((2 - D) / 2 + D / 2 * UNIGRAM["a"])
    assert bigram.probability("b", ["a"]) == pytest.approx((2 - D) / 3 + 2 * D / 3 * UNIGRAM["b"])
    assert bigram.probability("zebra", ["a"]) == pytest.approx(2 * D / 3 * UNIGRAM["zebra"])
    for word, chance in UNIGRAM.items():  # nothing is known about what follows an unknown word
        assert bigram.probability(word, ["zebra"]) == pytest.approx(chance)


def test_perplexity_by_hand_is_weighted_by_tokens(bigram: NGram) -> None:
    start, ab = (2 - D) / 2 + D / 2 * UNIGRAM["a"], (2 - D) / 3 + 2 * D / 3 * UNIGRAM["b"]
    b_end, a_end = (1 - D) / 2 + D * UNIGRAM[None], (1 - D) / 3 + 2 * D / 3 * UNIGRAM[None]
    assert bigram.perplexity(["A, b!"]) == pytest.approx((start * ab * b_end) ** (-1 / 3))
    assert bigram.perplexity(["a b", "", "a"]) == pytest.approx((start * ab * b_end * start * a_end) ** (-1 / 5))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("min_count", [1, 2])
def test_chances_sum_to_one_after_any_context(order: int, min_count: int) -> None:
    rng = np.random.default_rng(0)
    words = [chr(97 + letter) * 2 for letter in range(8)]
    sentences = [" ".join(rng.choice(words, rng.integers(1, 9), p=np.arange(1, 9) / 36)) for _ in range(40)]
    model = NGram.train([*sentences, "rare"], order, min_count)
    outcomes: list[str | None] = [*model.vocabulary, None, "never seen"]
    for context in ([], ["aa"], ["hh", "gg"], ["never seen", "hh"], ["hh", "hh", "hh", "aa"]):
        chances = [model.probability(word, context) for word in outcomes]
        assert min(chances) > 0
        assert math.fsum(chances) == pytest.approx(1, abs=1e-12)


def test_an_order_of_words_that_was_seen_is_less_surprising() -> None:
    text = Path("assets/evaluation/sentences.txt").read_text(encoding="utf-8").splitlines()
    model = NGram.train(text)
    shuffled = [" ".join(np.random.default_rng(0).permutation(line.split())) for line in text]
    assert model.perplexity(text) < 0.7 * model.perplexity(shuffled)


def test_rare_words_are_unknown_and_their_share_is_told() -> None:
    model = NGram.train(["the cat sat", "the cat ran"])
    assert set(model.vocabulary) == {"the", "cat"}
    found = model.surprise("The cat jumps!")
    assert found is not None and (found.tokens, found.unknown) == (4, 1)
    assert model.probability("jumps", ["the", "cat"]) > model.probability("the", ["the", "cat"])


def test_a_saved_model_gives_the_same_numbers(tmp_path: Path) -> None:
    model = NGram.train(["the cat sat on the mat", "the dog sat on the cat"], min_count=1)
    model.save(tmp_path / "model.json")
    again = find_language_model(str(tmp_path / "model.json"))
    text = "the cat sat on a dog"
    assert again.surprise(text) == model.surprise(text)


def test_what_is_no_language_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    for content in ({}, {"kind": "kneser-ney", "order": 2, "words": ["a"], "ngrams": [[0, 3, 0, 1]]}, [1]):
        path.write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(InputError, match=r"model\.json is not a language model"):
            NGram.load(path)
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "empty.txt").write_text("\n...\n", encoding="utf-8")
    for name, says in (
        (None, "--language-model"),
        (str(tmp_path / "none.txt"), "There is no text"),
        (str(tmp_path / "none.json"), "There is no language model"),
        (str(tmp_path / "bytes.txt"), "not text in UTF-8"),
        (str(tmp_path / "empty.txt"), "holds no words"),
    ):
        with pytest.raises(InputError, match=says):
            find_language_model(name)
    with pytest.raises(InputError, match="between 1 and 5"):
        NGram.train(SMALL, order=0)
    with pytest.raises(InputError, match="No text holds a word"):
        NGram.train(SMALL).perplexity(["...", ""])


def test_a_set_of_clips_has_the_perplexity_of_all_its_words(bigram: NGram, capsys: pytest.CaptureFixture[str]) -> None:
    heard = {"one.wav": "a b", "two.wav": "a", "mute.wav": ""}
    ppx = TranscriptPerplexity(bigram, lambda clip: heard[clip.item])
    for item in heard:
        ppx.add(make_clip(item, np.ones(10), 16_000))
    assert ppx.rows() == [
        ("one.wav", "ppx", pytest.approx(bigram.perplexity(["a b"]))),
        ("two.wav", "ppx", pytest.approx(bigram.perplexity(["a"]))),
        ("mean", "ppx", pytest.approx(bigram.perplexity(["a b", "a"]))),
        ("mean", "unknown_words", 0.0),
    ]
    said = capsys.readouterr().err
    assert "leaves out 1 clips" in said and "flattered" not in said
    heard["one.wav"] = "zebra zebra"
    ppx.add(make_clip("one.wav", np.ones(10), 16_000))
    assert ppx.rows()[-1] == ("mean", "unknown_words", 2 / 5)
    assert "40% of the words are outside" in capsys.readouterr().err

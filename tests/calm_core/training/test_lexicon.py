"""Letters aligned with phones, trees that say them back, and the builder against flite itself."""

import random
from pathlib import Path

import pytest

from calm_core.text.letter_to_sound import LetterToSound
from calm_core.text.lexicon import Lexicon
from calm_core.training import lexicon as builder
from calm_core.training.letter_trees import align, edit_distance, error_rates, grow

# A small language: c is s before e and i, else k; e at the end is silent; x is two phones; sh is one.
RULES = {"b": "b", "a": "ae", "i": "ih", "t": "t", "o": "aa", "x": "k s", "s": "s"}


def say(word: str) -> tuple[str, ...]:
    phones: list[str] = []
    for i, letter in enumerate(word):
        following = word[i + 1 : i + 2]
        if letter == "c":
            phones.append("s" if following in ("e", "i") else "k")
        elif letter == "s" and following == "h":
            phones.append("sh")
        elif letter == "e":
            phones += [] if not following else ["eh"]
        elif letter != "h":
            phones += RULES[letter].split()
    return tuple(phones)


def words(count: int, seed: int) -> list[str]:
    r = random.Random(seed)
    made = (
        "".join(r.choice(["c", "b", "t", "x", "sh", "s"]) + r.choice("aeio") for _ in range(r.randint(1, 4)))
        for _ in range(count)
    )
    return [word + r.choice(["", "t", "b"]) for word in made]


def test_edit_distance() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3
    assert edit_distance(["a", "b"], ["a", "b"]) == 0


def test_alignment_gives_each_letter_its_sound() -> None:
    aligned = dict(align([(word, say(word)) for word in words(400, 1)]))
    assert all(" ".join(" ".join(units).split()) == " ".join(say(word)) for word, units in aligned.items())
    assert aligned[next(w for w in aligned if w.startswith("x"))][0] == "k s"
    ending = next(w for w in aligned if w.endswith("e") and len(w) > 2)
    assert aligned[ending][-1] == ""


def test_trees_learn_a_rule_and_read_new_words() -> None:
    arrays, units = grow(align([(word, say(word)) for word in words(600, 1)]))
    reader = LetterToSound(arrays, units)
    new = [(word, say(word)) for word in set(words(300, 2)) - set(words(600, 1))]
    assert len(new) > 50
    assert error_rates(reader, new)[0] < 0.01
    again, _ = grow(align([(word, say(word)) for word in words(600, 1)]))
    assert all((again[name] == arrays[name]).all() for name in arrays)


def test_made_up_words_are_new_and_seeded() -> None:
    known = words(300, 3)
    made = builder.made_up_words(known, 50, seed=5)
    assert len(set(made)) == 50 and not set(made) & set(known)
    assert made == builder.made_up_words(known, 50, seed=5) != builder.made_up_words(known, 50, seed=6)


@pytest.mark.flite
def test_flite_fills_a_lexicon_without_what_rules_derive(tmp_path: Path) -> None:
    vocabulary = ["cat", "cat's", "cats", "record", "the", "walk", "walked", "walking"]
    entries = builder.listed(vocabulary)
    assert entries == {
        "cat": "k ae t",
        "record": "r eh k er d",
        "record/v": "r ax k ao r d",
        "the": "dh ax",
        "walk": "w ao k",
    }
    builder.write_lexicon(entries, tmp_path / "a.xz")
    builder.write_lexicon(dict(reversed(entries.items())), tmp_path / "b.xz")
    assert (tmp_path / "a.xz").read_bytes() == (tmp_path / "b.xz").read_bytes()
    lexicon = Lexicon.load(tmp_path / "a.xz", None)
    assert lexicon.find("walking") == "w ao k ih ng".split() and lexicon.find("dog") is None


@pytest.mark.flite
def test_bundled_figures_hold() -> None:
    from calm_core.training.corpus_text import fortune_sentences

    lexicon, reader = Lexicon.load(additions=None), LetterToSound.load()
    unseen = builder.readable((w, tuple(p.split())) for w, p in lexicon.entries.items() if builder.is_held_out(w))
    assert error_rates(reader, unseen[::5])[0] < 0.055
    fortunes = Path("/usr/share/games/fortunes")
    if not fortunes.is_dir():
        pytest.skip("needs Debian's fortunes")
    sentences = [s for s in fortune_sentences(fortunes) if not any(c.isdigit() for c in s)]
    assert builder.sentence_error(random.Random(9).sample(sentences, 40)) < 0.01

"""Phones of words, of words in context, and of whole sentences against flite itself."""

import hashlib
import random
import subprocess

import pytest

from calm_core.errors import InputError
from calm_core.text.lexicon import FOLDER, PHONES, Lexicon, past, plural, spell
from calm_core.text.pronunciation import PAUSE, phonemize, pronouncer


def said(text: str) -> str:
    return " ".join(token.phone for token in phonemize(text))


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("Hello world.", "pau hh ax l ow w er l d pau"),
        ("To be, or not to be?", "pau t ax b iy pau ao r n aa t t ax b iy pau"),
        ("the apple, the pear", "pau dh iy ae p ax l pau dh ax p eh r pau"),
        ("The hour and the university", "pau dh iy aw er ae n d dh ax y uw n ax v er s ax t iy pau"),
        ("I have a cat", "pau ay hh ae v ax k ae t pau"),
        ("vitamin A, it", "pau v ay t ax m ax n ey pau ih t pau"),
        ("to use the record", "pau t ax y uw z dh ax r eh k er d pau"),
        ("you should record it", "pau y uw sh uh d r ax k ao r d ih t pau"),
        ("the fox's den", "pau dh ax f aa k s ax z d eh n pau"),
        ("the IBM plan, NATO", "pau dh iy ay b iy eh m p l ae n pau n ey t ow pau"),
        ("in the US", "pau ih n dh ax y uw eh s pau"),
        ("let us go", "pau l eh t ah s g ow pau"),
        ("re-read", "pau r ey r eh d pau"),
        ("well (maybe) so", "pau w eh l m ey b iy pau s ow pau"),
        ("one - two -- three", "pau w ah n t uw pau th r iy pau"),
        ("wait... what?! no", "pau w ey t pau w ah t pau n ow pau"),
    ],
)
def test_known_readings(text: str, phones: str) -> None:
    assert said(text) == phones


def test_accents_are_dropped() -> None:
    assert said("naïve café’s") == said("naive cafe's")


def test_word_bounds_and_marks() -> None:
    tokens = phonemize("Yes, you can! Is it so?")
    assert [t.word for t in tokens if t.starts_word] == ["Yes", "you", "can", "Is", "it", "so"]
    assert [t.mark for t in tokens if t.phone == PAUSE] == [",", ",", "!", "?"]
    assert {t.word: t.mark for t in tokens if t.word} == {
        "Yes": ",", "you": "!", "can": "!", "Is": "?", "it": "?", "so": "?",
    }  # fmt: skip


def test_endings_follow_the_sound_before() -> None:
    assert plural(["k", "ae", "t"])[-1] == "s"
    assert plural(["d", "ao", "g"])[-1] == "z"
    assert plural(["b", "ax", "s"])[-2:] == ["ax", "z"]
    assert past(["w", "aa", "k"])[-1] == "t"
    assert past(["n", "iy", "d"])[-2:] == ["ax", "d"]
    assert spell("tv") == ["t", "iy", "v", "iy"]


def test_unlisted_words_are_read_from_their_parts_or_letters() -> None:
    say = pronouncer()
    assert say.lexicon.find("lampfinder") is None
    assert say.word("lampfinder") == say.word("lamp") + say.word("finder")
    assert say.word("blorping") == ["b", "l", "ao", "r", "p", "ih", "ng"]
    assert say.word("xkcd") == spell("xkcd")
    assert say.word("Trumbly's")[-1] == "z"


def test_every_made_up_word_has_phones_of_the_set() -> None:
    r = random.Random(7)
    for _ in range(500):
        word = "".join(r.choice("abcdefghijklmnopqrstuvwxyz'") for _ in range(r.randint(1, 15)))
        if word.strip("'"):
            phones = [t.phone for t in phonemize(word) if t.phone != PAUSE]
            assert phones and set(phones) <= set(PHONES), word


@pytest.mark.parametrize("text", ["", "...", "😀", "Привет", "12"])
def test_nothing_to_say_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError, match="nothing that English can read"):
        phonemize(text)


def test_lexicon_is_the_one_that_the_figures_belong_to() -> None:
    entries = Lexicon.load(additions=None).entries
    assert len(entries) == 98_446
    joined = "".join(f"{word} {phones}\n" for word, phones in sorted(entries.items()))
    assert hashlib.sha256(joined.encode()).hexdigest()[:12] == "ebfb96f28f1c"


def test_additions_are_sorted_and_use_the_phone_set() -> None:
    lines = (FOLDER / "additions.txt").read_text().splitlines()
    assert lines == sorted(set(lines))
    assert {phone for line in lines for phone in line.split()[1:]} <= set(PHONES)
    assert said("NVIDIA's Wi-Fi") == "pau eh n v ih d iy ax z w ay f ay pau"


def test_names_in_one_word_are_taken_apart() -> None:
    assert said("ChatGPT") == said("Chat GPT")
    assert said("OpenAI's GitHub") == said("Open AI's Git Hub")
    assert said("McDonald") == "pau m ax k d aa n ax l d pau"


@pytest.mark.flite
def test_sentences_sound_as_flite_reads_them() -> None:
    sentences = [
        "The quick brown fox, it seems, jumps over the lazy dog.",
        "Nobody knows why the old engineer never answered; perhaps he was asleep.",
        "Is there an easier way to record all of these songs?",
        "She sells a box of oranges, three apples and the only umbrella in the shop!",
        "We shouldn't have believed the captain's story about the island.",
    ]
    for sentence in sentences:
        command = ["flite", "-voice", "kal16", "-ps", "-t", sentence, "none"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert said(sentence).split() == told.split()

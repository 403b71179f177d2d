"""Sentences to be read for the training corpus: found, generated, and split into training and held-out texts.

Three sources, all at hand on a Debian machine and all free of any recorded speech:

* the `fortunes` package: free prose, cut into sentences;
* the `wamerican` word list: rare words, read in short lists, so that no phone sequence is missing;
* sentences generated here: everyday statements, questions, numbers, dates, times and prices.
"""

import hashlib
import random
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
_ALLOWED = re.compile(r"[A-Za-z0-9 ,;:.!?'\-]+")
_SHOUTED = re.compile(r"\b[A-Z]{2,}\b")

_PEOPLE = (
    "the teacher|my sister|our neighbour|the old captain|a young doctor|the baker|her brother|the children|"
    "his mother|the farmer|a quiet student|the driver|the whole family|my best friend|the new manager|a tall man|"
    "the two girls|their uncle|the painter|an engineer|the nurse|the boy next door|a stranger|the musicians"
).split("|")
_VERBS = (
    "found|carried|painted|forgot|opened|bought|sold|watched|cleaned|lost|repaired|borrowed|described|wanted|"
    "noticed|dropped|followed|measured|brought|hid|returned|needed|kept|pulled|chose|broke|built|washed"
).split("|")
_THINGS = (
    "a wooden box|the red bicycle|three green apples|the morning paper|a cup of tea|an old map|the kitchen window|"
    "a warm coat|the garden gate|a heavy suitcase|the last ticket|some fresh bread|a small boat|the broken clock|"
    "two yellow lamps|the blue notebook|a bag of rice|the long letter|a silver spoon|the front door key|a pair of "
    "boots|the sleeping dog|a glass of water|the picture frame|an empty bottle|the stone wall|a piece of rope"
).split("|")
_PLACES = (
    "near the river|behind the school|in the market|at the station|under the bridge|by the old church|on the hill|"
    "in the garden|across the street|at the end of the road|in the next village|beside the fire|on the kitchen table|"
    "outside the library|along the beach|in the middle of the square|above the shop|next to the hospital"
).split("|")
_TIMES = (
    "yesterday|this morning|before lunch|every summer|last week|after the rain|in the evening|late at night|on "
    "Monday|during the holidays|a long time ago|just before dark|at the weekend|all day|once a year|in early spring"
).split("|")
_QUALITIES = (
    "cold|bright|empty|quiet|heavy|ready|dangerous|useful|beautiful|strange|cheap|perfect|dry|narrow|famous|slow|"
    "broken|simple|crowded|delicious|expensive|loud|soft|wide|wrong|early|thick|gentle|polite|fresh|sharp"
).split("|")
_MONTHS = "January February March April May June July August September October November December".split()
_UNITS = "metres|kilometres|pounds|minutes|hours|degrees|pages|people|years|miles|litres|steps|seconds".split("|")


def _cap(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _statement(r: random.Random) -> str:
    forms = (
        lambda: f"{r.choice(_PEOPLE)} {r.choice(_VERBS)} {r.choice(_THINGS)} {r.choice(_PLACES)}.",
        lambda: f"{r.choice(_TIMES)}, {r.choice(_PEOPLE)} {r.choice(_VERBS)} {r.choice(_THINGS)}.",
        lambda: f"{r.choice(_THINGS)} {r.choice(_PLACES)} was {r.choice(_QUALITIES)} and {r.choice(_QUALITIES)}.",
        lambda: f"{r.choice(_PEOPLE)} said that {r.choice(_THINGS)} looked {r.choice(_QUALITIES)}.",
        lambda: f"{r.choice(_PEOPLE)} and {r.choice(_PEOPLE)} walked home {r.choice(_TIMES)}.",
        lambda: f"it is too {r.choice(_QUALITIES)} {r.choice(_PLACES)} {r.choice(_TIMES)}.",
    )
    return _cap(r.choice(forms)())


def _question(r: random.Random) -> str:
    forms = (
        lambda: f"did {r.choice(_PEOPLE)} see {r.choice(_THINGS)} {r.choice(_PLACES)}?",
        lambda: f"why was {r.choice(_THINGS)} so {r.choice(_QUALITIES)}?",
        lambda: f"where is {r.choice(_THINGS)} that {r.choice(_PEOPLE)} {r.choice(_VERBS)}?",
        lambda: f"can you meet me {r.choice(_PLACES)} {r.choice(_TIMES)}?",
        lambda: f"is {r.choice(_THINGS)} still {r.choice(_PLACES)}, or not?",
        lambda: f"how many {r.choice(_UNITS)} do we need for {r.choice(_THINGS)}?",
    )
    return _cap(r.choice(forms)())


def _number(r: random.Random) -> str:
    forms = (
        lambda: f"it costs {r.randint(2, 999)} dollars and {r.randint(1, 99)} cents.",
        lambda: f"the meeting is on {r.choice(_MONTHS)} {r.randint(1, 28)}, {r.randint(1700, 2030)}.",
        lambda: f"{r.choice(_PEOPLE)} counted {r.randint(3, 9999)} {r.choice(_UNITS)} {r.choice(_PLACES)}.",
        lambda: f"the train leaves at {r.randint(1, 12)} {r.randint(10, 59)} from platform {r.randint(1, 30)}.",
        lambda: f"call {' '.join(str(r.randint(0, 9)) for _ in range(7))} {r.choice(_TIMES)}.",
        lambda: f"about {r.randint(2, 98)} percent of the {r.choice(_UNITS)} were {r.choice(_QUALITIES)}.",
        lambda: f"page {r.randint(1, 400)} says {r.randint(2, 90)} point {r.randint(1, 9)} {r.choice(_UNITS)}.",
    )
    return _cap(r.choice(forms)())


def _word_list(r: random.Random, words: list[str]) -> str:
    picked = r.sample(words, r.randint(2, 4))
    forms = (
        lambda: f"{', '.join(picked[:-1])} and {picked[-1]}.",
        lambda: f"{' '.join(picked)}.",
        lambda: f"the word {picked[0]} is not {picked[1]}.",
        lambda: f"{r.choice(_PEOPLE)} spelled {picked[0]}, then {picked[1]}.",
    )
    return _cap(r.choice(forms)())


def fortune_sentences(folder: Path) -> list[str]:
    """Sentences of 3 to 16 plain words from the `fortunes` files in `folder`, in file order, each once."""
    found: dict[str, None] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix or path.name in {"ascii-art", "debian-hints"} or not path.is_file():
            continue
        for cookie in path.read_text(encoding="utf-8", errors="ignore").split("\n%\n"):
            body = re.split(r"\n\s*--", cookie)[0]
            for sentence in _SENTENCE.split(" ".join(body.split())):
                sentence = sentence.strip(" \"'")
                plain = _ALLOWED.fullmatch(sentence) and not _SHOUTED.search(sentence)
                if plain and 3 <= len(sentence.split()) <= 16 and sentence[-1:] in ".!?":
                    found.setdefault(sentence)
    return list(found)


def plain_words(path: Path) -> list[str]:
    """Lower-case words of 3 to 12 letters from a word list such as wamerican's."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [word for word in lines if re.fullmatch(r"[a-z]{3,12}", word)]


def match_key(sentence: str) -> str:
    """The words of a sentence alone: two texts with the same key count as the same text."""
    return " ".join(re.findall(r"[a-z0-9']+", sentence.lower()))


def is_held_out(sentence: str, per_mille: int) -> bool:
    """Whether a text belongs to the held-out split: decided by a hash, so adding texts never moves others."""
    digest = hashlib.sha256(match_key(sentence).encode()).digest()
    return int.from_bytes(digest[:4], "big") % 1000 < per_mille


def generated_sentences(seed: int, words: list[str]) -> Iterator[str]:
    """An endless, seeded mixture of statements, questions, numbers and word lists."""
    r = random.Random(seed)
    while True:
        kind = r.random()
        if kind < 0.35:
            yield _statement(r)
        elif kind < 0.5:
            yield _question(r)
        elif kind < 0.65:
            yield _number(r)
        else:
            yield _word_list(r, words)


def corpus_sentences(
    count: int, seed: int, fortunes: Path, word_list: Path, excluded: Iterable[str], held_out_per_mille: int
) -> tuple[list[str], list[str]]:
    """Training and held-out texts.

    Args:
        count: Number of training texts wanted; half of them (as far as they reach) are fortunes.
        seed: Seed of the generator and of the order.
        fortunes: Folder of fortune files.
        word_list: A word list, one word a line.
        excluded: Texts that must not be trained on (the evaluation sentences).
        held_out_per_mille: Share of all texts kept apart.

    Returns:
        `(training, held_out)`: two lists without a text in common.
    """
    found = fortune_sentences(fortunes)
    random.Random(seed).shuffle(found)
    generated = generated_sentences(seed + 1, plain_words(word_list))
    training, held_out = split_texts(chain(found[: count // 2], generated), count, excluded, held_out_per_mille)
    random.Random(seed + 2).shuffle(training)
    return training, held_out


def split_texts(
    source: Iterable[str], count: int, excluded: Iterable[str], held_out_per_mille: int
) -> tuple[list[str], list[str]]:
    """Take texts from `source`, each once, until `count` are for training; see `corpus_sentences`."""
    taken = {match_key(text) for text in excluded}
    training: list[str] = []
    held_out: list[str] = []
    for text in source:
        if len(training) >= count:
            break
        key = match_key(text)
        if key not in taken:
            taken.add(key)
            (held_out if is_held_out(text, held_out_per_mille) else training).append(text)
    return training, held_out

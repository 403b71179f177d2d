"""Short stories for models that continue speech: a few hundred words, told in endlessly many ways.

A model of a few million parameters can learn to speak and to go on sensibly only in a small world. Here somebody sets
out, meets somebody, something happens to a thing, and they part; who, where, what and when are drawn once and kept, so
that a continuation can be right or wrong about them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

# name or role, and the pronouns that go with it
_HEROES = tuple(
    tuple(entry.split("/"))
    for entry in (
        "Anna/she/her/her|Peter/he/him/his|Clara/she/her/her|Thomas/he/him/his|Martha/she/her/her|Daniel/he/him/his|"
        "the old farmer/he/him/his|the young teacher/she/her/her|the baker/he/him/his|the doctor/she/her/her|"
        "the little girl/she/her/her|the boy/he/him/his|the captain/he/him/his|the painter/she/her/her|"
        "the shepherd/he/him/his|the queen/she/her/her|the fisherman/he/him/his|the gardener/she/her/her"
    ).split("|")
)
_PLACES = (
    "the market|the harbour|the village|the forest|the river|the castle|the school|the station|the garden|the island|"
    "the mountain|the church|the mill|the library|the beach|the bridge"
).split("|")
_THINGS = (
    "key|letter|lamp|clock|coat|map|basket|book|ring|boat|box|violin|bicycle|blanket|picture|knife|bell|mirror|hat|cup"
).split("|")
_KINDS = "old|small|red|silver|heavy|broken|beautiful|wooden|golden|strange|blue|simple".split("|")
_FEELINGS = "happy|tired|afraid|hungry|proud|curious|lonely|angry|calm|surprised".split("|")
_TIMES = (
    "One morning|One evening|On Monday|On Sunday|Long ago|Last winter|In the spring|Before the sun came up|"
    "After the rain|Late in the autumn|At the end of the summer|When the snow had gone"
).split("|")
_WEATHERS = (
    "The wind was cold|The sun was warm|It was raining|Snow was falling|The sky was grey|The air was clear|"
    "The night was dark|There was fog on the road"
).split("|")
_WAYS = (
    "The road was long|Nobody was on the road|The trees were tall|The birds were singing|Everything was quiet|"
    "The fields were green|A dog was barking far away|The houses were dark"
).split("|")
_WANTS = (
    "to find work|to sell some apples|to visit a friend|to see the sea|to buy bread|to look for water|"
    "to learn to read|to hear some music|to ask for help|to forget the past|to build a house|to catch a fish"
).split("|")
_ANIMALS = "a dog|a white horse|a black cat|a bird|a fox|a goat".split("|")
_MEALS = "some soup|bread and cheese|a cup of tea|an apple|warm milk|some fish".split("|")
_LESSONS = (
    "A friend is worth more than gold|Nothing is lost for ever|The best things are simple|"
    "Every road leads home in the end|A kind word costs nothing|It is never too late to begin|"
    "Those who wait are not always late|You must open a door before you know the room"
).split("|")


@dataclass
class _World:
    """What one story keeps to."""

    hero: tuple[str, ...]
    other: tuple[str, ...]
    place: str
    second_place: str
    thing: str
    kind: str
    want: str
    feeling: str


def _cap(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _with_article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def _opening(r: random.Random, w: _World) -> list[str]:
    name, he = w.hero[0], w.hero[1]
    went = r.choice(("walked to", "went to", "set out for", "ran to", "drove to"))
    lines = [f"{r.choice(_TIMES)}, {name} {went} {w.place}.", f"{he} wanted {w.want}."]
    if r.random() < 0.4:
        lines = [f"{name} lived near {w.second_place}.", f"{r.choice(_TIMES)}, {he} {went} {w.place}."]
        if r.random() < 0.6:
            lines.append(f"{he} only wanted {w.want}.")
    return lines


def _journey(r: random.Random, w: _World) -> list[str]:
    name, he, his = w.hero[0], w.hero[1], w.hero[3]
    weather, way = r.choice(_WEATHERS), r.choice(_WAYS)
    options = [
        f"{weather}, and {way[0].lower() + way[1:]}.",
        f"{weather}, but {he} was not {r.choice(_FEELINGS)}.",
        f"{way}, and {he} began to sing.",
        f"on the way {he} saw {r.choice(_ANIMALS)}.",
        f"{name} was {w.feeling}, and {he} had no money.",
        f"{he} had only {_with_article(w.kind + ' ' + w.thing)} in {his} bag.",
        f"after an hour {he} sat down under a tree and ate {r.choice(_MEALS)}.",
        f"{he} thought of {his} {r.choice(('mother', 'father', 'brother', 'sister'))} and walked on.",
    ]
    return r.sample(options, r.randint(2, 3))


def _meeting(r: random.Random, w: _World) -> list[str]:
    name, he, him = w.hero[0], w.hero[1], w.hero[2]
    other, they = w.other[0], w.other[1]
    first = r.choice(
        (
            f"at {w.place} {he} met {other}.",
            f"near {w.place} {other} was waiting.",
            f"then {other} came along and greeted {him}.",
        )
    )
    asked = r.choice(
        (
            "where are you going?",
            "can you help me?",
            "have you seen my " + w.thing + "?",
            "why are you so " + w.feeling + "?",
            "who are you?",
        )
    )
    answer = r.choice(
        (
            f"I am looking for {w.second_place}, said {name}.",
            f"I want {w.want}, said {name}.",
            f"I do not know, said {name}.",
            f"{name} said nothing and looked at the ground.",
            f"I have come a long way, said {name}.",
        )
    )
    return [first, f"{they} asked, {asked}", answer]


def _event(r: random.Random, w: _World) -> list[str]:
    name, he, his = w.hero[0], w.hero[1], w.hero[3]
    other, they = w.other[0], w.other[1]
    thing = f"{w.kind} {w.thing}"
    options = [
        [
            f"{other} gave {name} {_with_article(thing)}.",
            f"it had belonged to {w.other[3]} family for a hundred years.",
        ],
        [f"{name} showed {other} the {thing}.", f"{they} had never seen a {w.thing} like that."],
        [f"suddenly the {w.thing} fell into the water.", f"{he} jumped after it without a word."],
        [f"they found {_with_article(thing)} behind a stone.", f"nobody knew who had lost the {w.thing}."],
        [f"{other} took the {w.thing} and ran away.", f"{name} followed {w.other[2]} to {w.second_place}."],
        [f"they opened the door, and inside was {_with_article(thing)}.", f"{name} held it in {his} hands."],
        [f"{name} sold the {thing} for two pieces of silver.", f"with the money {he} bought {r.choice(_MEALS)}."],
    ]
    return r.choice(options)


def _aside(r: random.Random, w: _World) -> list[str]:
    name, he = w.hero[0], w.hero[1]
    weather = r.choice(_WEATHERS)
    options = [
        [f"{weather} again."],
        [f"they shared {r.choice(_MEALS)} and talked until it was late."],
        [f"{name} was {r.choice(_FEELINGS)}, but {he} did not say so."],
        [f"{w.other[0]} laughed, and then both were silent."],
        ["the bell rang three times."],
        [f"in the morning they went to {w.second_place} together."],
        [f"{r.choice(_ANIMALS)} sat by the fire and watched them."],
    ]
    return r.choice(options)


def _ending(r: random.Random, w: _World) -> list[str]:
    name, he, his = w.hero[0], w.hero[1], w.hero[3]
    options = [
        [f"in the evening {name} went home.", f"{he} was {r.choice(_FEELINGS)} now."],
        [f"{name} never saw {w.other[0]} again.", f"but {he} kept the {w.thing} all {his} life."],
        [f"they became friends and stayed at {w.place}."],
        [f"since that day the {w.thing} has been in {w.second_place}."],
        [f"{he} put the {w.thing} on the table and slept well."],
    ]
    return [*r.choice(options), *([f"{r.choice(_LESSONS)}."] if r.random() < 0.6 else [])]


def _story(r: random.Random) -> list[str]:
    hero, other = r.sample(_HEROES, 2)
    place, second = r.sample(_PLACES, 2)
    world = _World(
        hero, other, place, second, r.choice(_THINGS), r.choice(_KINDS), r.choice(_WANTS), r.choice(_FEELINGS)
    )
    lines = [*_opening(r, world), *_journey(r, world), *_meeting(r, world)]
    for _ in range(r.randint(1, 2)):
        lines += _event(r, world)
        lines += _aside(r, world) if r.random() < 0.7 else []
    return [_cap(line) for line in [*lines, *_ending(r, world)]]


def stories(seed: int, least_words: int, most_words: int) -> Iterator[str]:
    """An endless, seeded stream of texts.

    Args:
        seed: Seed of every draw.
        least_words: Stories follow one another in a text until it has so many words,
        most_words: and it is cut before the sentence that would pass this many.
    """
    r = random.Random(seed)
    while True:
        text: list[str] = []
        count = 0
        while count < least_words:
            for line in _story(r):
                words = len(line.split())
                if count + words > most_words:
                    break
                text.append(line)
                count += words
        yield " ".join(text)

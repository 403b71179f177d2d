"""What is known of a piece of music that people tagged, as attributes and as captions."""

from collections.abc import Sequence
from typing import Any

# Tags whose words MTG-Jamendo joins.
_JOINED = (
    "acid jazz", "acoustic bass guitar", "acoustic guitar", "alternative rock", "blues rock", "bossa nova",
    "classic rock", "classical guitar", "dark ambient", "dark wave", "deep house", "double bass", "drum machine",
    "drum n bass", "easy listening", "electric guitar", "electric piano", "ethnic rock", "euro dance", "hard rock",
    "heavy metal", "hip hop", "instrumental pop", "instrumental rock", "jazz funk", "jazz fusion", "new age",
    "new wave", "pipe organ", "pop folk", "pop rock", "post rock", "punk rock", "rock n roll", "singer songwriter",
    "synth pop", "trip hop", "world fusion",
)  # fmt: skip
_APART = {words.replace(" ", ""): words for words in _JOINED}


def attributes(
    genres: Sequence[str] = (), moods: Sequence[str] = (), instruments: Sequence[str] = (), **others: Any
) -> dict[str, Any]:
    """The attributes of a row: lists of what is known, and the `others` that have a value.

    `genre` and `mood` are the first of theirs, as in corpora of ours.
    """
    lists = {name: _spelt(tags) for name, tags in (("genre", genres), ("mood", moods), ("instruments", instruments))}
    known: dict[str, Any] = {"genres": lists["genre"], "moods": lists["mood"], "instruments": lists["instruments"]}
    known |= {name: lists[name][0] for name in ("genre", "mood") if lists[name]}
    return {name: value for name, value in (known | others).items() if value not in (None, "", [])}


def captions(of: dict[str, Any]) -> list[str]:
    """Captions of a piece by its `attributes`, the first with most of them; none where no tag is known."""
    genres, moods, instruments = (of.get(name, []) for name in ("genres", "moods", "instruments"))
    if not (genres or moods or instruments):
        return []
    whole = f"{genres[0]} music" if genres else "music"
    if len(genres) > 1:
        whole += f" with elements of {_listed(genres[1:4])}"
    if moods:
        whole += f", {_listed(moods[:3])}"
    if instruments:
        whole += f", played on {_listed(instruments[:5])}"
    few = ", ".join([*moods[:2], *genres[:1], *instruments[:3]])
    made = [f"{whole[0].upper()}{whole[1:]}.", f"{few[0].upper()}{few[1:]}."]
    return list(dict.fromkeys(made))


def sentences(value: Any) -> list[str]:
    """A text, a list of texts or nothing, as texts that are not empty."""
    every = value if isinstance(value, list) else [value]
    return [" ".join(str(text).split()) for text in every if text is not None and str(text).strip()]


def _spelt(tags: Sequence[str]) -> list[str]:
    """Tags as words, each once."""
    words = (" ".join(str(tag).replace("_", " ").split()).lower() for tag in tags)
    return list(dict.fromkeys(_APART.get(tag, tag) for tag in words if tag))


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]

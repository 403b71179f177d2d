"""Texts as lists of plain words, so that two ways to write one sentence count as the same sentence."""

import re
import unicodedata

_SPELLINGS = {
    "okay": "ok",
    "gray": "grey",
    "neighbour": "neighbor",
    "neighbours": "neighbors",
    "favourite": "favorite",
    "colour": "color",
    "centre": "center",
    "theatre": "theater",
    "programme": "program",
}


def spoken_words(text: str) -> list[str]:
    """The lower-case words of a text as it is said; digits are spelled out by the engine's normaliser.

    Punctuation and hyphens are dropped, accents removed, apostrophes kept inside words.
    """
    if any(character.isdigit() or character in "$%&@#" for character in text):
        from calm_core.text import normalise

        text = normalise(text)
    plain = unicodedata.normalize("NFKD", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    words: list[str] = re.findall(r"[a-z0-9]+(?:'[a-z]+)*", plain)
    return [_SPELLINGS.get(word, word) for word in words]

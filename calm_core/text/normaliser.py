"""Any text to text that can be read aloud: `normalise` cleans it, then applies the rules of its language."""

from __future__ import annotations

import re
import unicodedata

from calm_core.errors import InputError
from calm_core.text import number_words
from calm_core.text.english import english
from calm_core.text.english_words import FRACTIONS, GREEK

LANGUAGES = {"en": "English", "fr": "French", "de": "German", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
             "nl": "Dutch"}  # fmt: skip
_PERCENT = {
    "fr": "pour cent",
    "de": "Prozent",
    "es": "por ciento",
    "it": "per cento",
    "pt": "por cento",
    "nl": "procent",
}
_AND = {"fr": "et", "de": "und", "es": "y", "it": "e", "pt": "e", "nl": "en"}
_SAME = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′ʼ＇", "'"), **dict.fromkeys("“”„‟«»″＂", '"'), **dict.fromkeys("‐‑‒﹣－", "-"),
        "–": "-", "—": " — ", "―": " — ", "…": "...", "⁄": "/", "∕": "/", "−": "-", "ø": "o", "Ø": "O", "ł": "l",
        "Ł": "L", "đ": "d", "Đ": "D", "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "þ": "th", "ð": "th",
        "ı": "i", "ŋ": "ng", "Ŋ": "Ng", "ə": "e", "ħ": "h", "ŧ": "t", "ſ": "s",
    }
)  # fmt: skip
_LONGEST_RUN = 100  # characters without a space; longer ones are cut, since nobody says them
_KEPT = set(FRACTIONS) | set(GREEK) | set("²³°µΩ№™")  # have words of their own; NFKC would take them apart


def clean(text: str, language: str = "en") -> str:
    """Text without what nobody says: control and zero-width characters, emoji, markup; spaces and quotes in one form.

    A blank line ends a sentence. Digits of other scripts become ASCII digits; full-width letters become plain ones.
    """
    text = "".join(c if c in _KEPT else unicodedata.normalize("NFKC", c) for c in unicodedata.normalize("NFC", text))
    fold = {k: v for k, v in _SAME.items() if language == "en" or not chr(k).isalpha()}
    text = text.translate(fold)
    out = []
    for character in text:
        category = unicodedata.category(character)
        if character in "\n\r\u2028\u2029\x0b\x0c":
            out.append("\n")
        elif category in ("Zs", "Cc") or category == "Co":
            out.append(" ")
        elif category in ("Cf", "Cs", "Cn", "Mn", "Me", "Sk") and character not in "^`":
            continue  # joiners, marks, modifiers (also the skin tones of emoji)
        elif category == "So" and character not in _KEPT and character not in "©®°№":
            out.append(" ")  # emoji and pictures are not read
        elif character.isdigit() and character not in _KEPT:
            out.append(str(unicodedata.digit(character)))
        else:
            out.append(character)
    text = "".join(out)
    text = re.sub(r"(?m)^[ \t]*(?:[-*•+]|#{1,6})[ \t]+", "", text)  # list and heading marks
    text = re.sub(r"([^\s.!?…:;,\"')])[\"')]*[ \t]*\n\s*\n\s*", r"\1. ", text)
    text = re.sub(r"(?<!\S)(?:[:;=]-?[()DPp|]|<3)(?!\w)", " ", text)  # emoticons
    text = re.sub(r"[-=]+>|<[-=]+|[=_*#~<>|+]{3,}|\.?-{3,}", " — ", text)  # arrows and rules
    text = text.replace("==", "=")
    text = re.sub(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    text = " ".join(text.split())
    return re.sub(rf"(\S{{{_LONGEST_RUN}}})(?=\S)", r"\1 ", text)


def _tidy(text: str) -> str:
    """Spaces and runs of punctuation as they are usually written."""
    text = re.sub(r"([!?])[!?]*", lambda m: "?" if "?" in m[0] else "!", text)
    text = re.sub(r"\.{2,}", "...", text)
    text = text.replace(" - ", " — ")
    text = re.sub(r",(?:\s*,)+", ",", text)
    text = re.sub(r"\s+([,.;:!?)\]])", r"\1", " ".join(text.split()))
    text = re.sub(r"([.!?])\s*,", r"\1", text)
    text = re.sub(r"(?<=[A-Za-z])([,;:])(?=[A-Za-z])|(?<=[a-z])([.!?])(?=[A-Z][a-z])", r"\1\2 ", text)
    return re.sub(r"([(\[])\s+", r"\1", text).strip(" ,;—")


def _is_latin(character: str) -> bool:
    """Whether a letter is one of a to z, perhaps with marks."""
    base = unicodedata.normalize("NFKD", character)[0]
    return base.isascii() and base.isalpha()


def check_script(text: str, language: str = "en") -> None:
    """Refuse a text that is mostly in another script than the language's.

    Args:
        text: As somebody typed it.
        language: ISO 639-1 code; nothing is refused for a language that has no rules here.

    Raises:
        InputError: More than half of its letters are not Latin.
    """
    letters = [c for c in text if c.isalpha() and c not in _KEPT]
    foreign = [c for c in letters if not _is_latin(c)]
    if language in LANGUAGES and len(foreign) > len(letters) / 2:
        script = unicodedata.name(foreign[0], "another").split()[0].title()
        raise InputError(
            f"The text {text.strip()[:30]!r} is in {script} script and this model reads {LANGUAGES[language]}; "
            f"write it in Latin letters."
        )


def _latin_only(text: str, original: str) -> str:
    """Drop letters that nothing could read.

    Raises:
        InputError: No other letter is there.
    """
    kept = "".join(c if not c.isalpha() or _is_latin(c) else " " for c in text)
    if not any(c.isalpha() for c in kept):
        shown = original.strip()[:30]
        raise InputError(f"The text {shown!r} has no word that can be spoken; write at least one word or number.")
    return kept


def _foreign(text: str, language: str) -> str:
    """Numbers, percent and & in other languages than English."""

    def number(match: re.Match[str]) -> str:
        plain = match[0]
        if re.fullmatch(r"\d{1,3}(?:[. ]\d{3})+(?:,\d+)?", plain):
            plain = plain.replace(".", "").replace(" ", "")
        return number_words.foreign(plain.replace(",", "."), language)

    text = re.sub(r"\d{1,3}(?:[.]\d{3})+(?:,\d+)?|\d+(?:[.,]\d+)?", number, text)
    text = text.replace("%", f" {_PERCENT[language]}").replace("&", f" {_AND[language]} ")
    return re.sub(r"[*_#~^`|\\{}<>=+@/]", " ", text)


def normalise(text: str, language: str = "en") -> str:
    """Write a text the way it is said.

    "Dr. Lee paid $3.50 at 9:05 am." -> "Doctor Lee paid three dollars and fifty cents at nine oh five A M."

    Emoji are not read. A text whose normal form it already is comes back unchanged.

    Args:
        text: As somebody typed it.
        language: ISO 639-1 code; English has all rules, the others numbers only.

    Returns:
        Letters, apostrophes and punctuation, on one line.

    Raises:
        InputError: Nothing in the text can be spoken in this language, or the language is unknown.
    """
    if language not in LANGUAGES:
        raise InputError(
            f"There are no reading rules for the language {language!r}; use one of {', '.join(LANGUAGES)}."
        )
    cleaned = clean(text, language)
    check_script(cleaned, language)
    spoken = english(cleaned) if language == "en" else _foreign(cleaned, language)
    return _tidy(_latin_only(spoken, text))

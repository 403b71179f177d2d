"""Preparing text for models that read sub-word tokens: tidy, cut into sentences, regroup.

The released models were trained on single sentences of at most some fifty tokens, and their quality
depends on these exact steps, so the results equal those of the pocket-tts package for every text
whose sentences fit. Where a sentence alone is over the limit, and has no comma to cut at, the
package feeds it whole and the model skips words; here it is cut between words instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from calm_core.conditioners.tokenizer import Tokenizer
from calm_core.config import PrefixTextConfig
from calm_core.errors import InputError

SENTENCE_ENDS = ".!?\u2026"
WEAK_ENDS = ",;:-\u2013\u2014"
CLOSING = "\"'\u201d\u2019)]\u00bb "
SHORT_TEXT_WORDS = 4


def tidy(text: str, config: PrefixTextConfig) -> tuple[str, int]:
    """A text as the model likes it: known characters, a capital first, a full stop last.

    Returns:
        The text, and how many frames to keep after the detected end of its speech: short texts are
        cut too early more often.

    Raises:
        InputError: nothing is left to say.
    """
    text = text.strip()
    if config.replace_characters:
        text = text.translate(str.maketrans(config.replace_characters))
        text = " ".join(text.split())
        # A removed quote leaves `Hi?, she said`; the mark that ends the sentence wins.
        text = re.sub(rf"([{SENTENCE_ENDS}])\s*[,;:]", r"\1", text)
    if not text:
        raise InputError("The text is empty; write at least one word.")
    text = text.replace("\n", " ").replace("\r", " ").replace("  ", " ")
    if config.remove_semicolons:
        text = text.replace(";", ",")
    words = len(text.split())
    if config.capitalize_first_letter and not text[0].isupper():
        text = text[0].upper() + text[1:]
    if config.append_terminal_punctuation:
        text = end_sentence(text)
    if config.pad_with_spaces_for_short_inputs and len(text.split()) <= SHORT_TEXT_WORDS:
        text = " " * 8 + text
    return text, (3 if words <= SHORT_TEXT_WORDS else 1) + 2


def end_sentence(text: str) -> str:
    """End the text with sentence punctuation; without it the last word suffers.

    "so it is,"  -> "so it is."        'he said "no"' -> 'he said "no".'
    """
    core = text.rstrip(CLOSING)
    if not core or core[-1] in SENTENCE_ENDS:
        return text
    if core[-1] in WEAK_ENDS:
        return core.rstrip(WEAK_ENDS + " ") + "." + text[len(core) :].strip()
    return text + "."


def split_sentences(text: str, tokenizer: Tokenizer, config: PrefixTextConfig, max_tokens: int) -> list[str]:
    """Cut a text into pieces of at most `max_tokens` tokens, at the ends of sentences if it can.

    Raises:
        InputError: the text is empty.
    """
    tokens = tokenizer.encode(tidy(text, config)[0].strip())
    # The first token of an encoded string is the word boundary, not a punctuation mark.
    ends = set(tokenizer.encode(".!...?")[1:])
    commas = set(tokenizer.encode(",;:")[1:])
    segments: list[tuple[int, str]] = []
    for count, sentence in _cut_after(tokens, ends, tokenizer, keep_decimals=True):
        if count <= max_tokens:
            segments.append((count, sentence))
            continue
        parts = _cut_after(tokenizer.encode(sentence.strip()), commas, tokenizer)
        for size, part in parts if len(parts) > 1 else [(count, sentence)]:
            segments += [(size, part)] if size <= max_tokens else _cut_words(part, tokenizer, max_tokens)
    return _regroup(segments, max_tokens)


def _cut_after(
    tokens: Sequence[int], marks: set[int], tokenizer: Tokenizer, keep_decimals: bool = False
) -> list[tuple[int, str]]:
    """Segments (length in tokens, text), each ending after a run of marks."""
    starts = [0]
    after_mark = False
    for index, token in enumerate(tokens):
        if token in marks:
            after_mark = True
            continue
        if after_mark and not (keep_decimals and _inside_number(tokens, index, tokenizer)):
            starts.append(index)
        after_mark = False
    bounds = [*starts, len(tokens)]
    return [(stop - start, tokenizer.decode(list(tokens[start:stop]))) for start, stop in pairwise(bounds)]


def _inside_number(tokens: Sequence[int], index: int, tokenizer: Tokenizer) -> bool:
    """Whether a cut before `index` would split a number such as 3.14 at its point."""
    left = tokenizer.decode(list(tokens[:index]))
    right = tokenizer.decode(list(tokens[index:]))
    return left[-1:] == "." and left[-2:-1].isdigit() and right[:1].isdigit()


def _cut_words(text: str, tokenizer: Tokenizer, max_tokens: int) -> list[tuple[int, str]]:
    """Segments of whole words (a word over the limit is halved until it fits)."""
    segments: list[tuple[int, str]] = []
    current = ""
    waiting = text.split()[::-1]
    while waiting:
        word = waiting.pop()
        longer = f"{current} {word}".strip()
        if len(tokenizer.encode(longer)) <= max_tokens:
            current = longer
        elif current:
            segments.append((len(tokenizer.encode(current)), current))
            current = ""
            waiting.append(word)
        elif len(word) > 1:
            half = len(word) // 2
            waiting += [word[half:], word[:half]]
        else:  # a single character can be several byte tokens; nothing smaller exists
            segments.append((len(tokenizer.encode(word)), word))
    if current:
        segments.append((len(tokenizer.encode(current)), current))
    return segments


def _regroup(segments: list[tuple[int, str]], max_tokens: int) -> list[str]:
    """Join neighbours while their token counts together stay within the limit."""
    pieces: list[str] = []
    current, size = "", 0
    for count, text in segments:
        if current and size + count > max_tokens:
            pieces.append(current.strip())
            current = ""
        if current:
            current += " " + text
            size += count
        else:
            current, size = text, count
    if current:
        pieces.append(current.strip())
    return pieces

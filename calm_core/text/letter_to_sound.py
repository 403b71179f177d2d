"""Phones for words that no list has: one decision tree for each letter, asking about the letters around it.

Every letter says no phone, one or two. A tree looks at the four letters on each side and is walked by yes/no questions
("is the next letter an e?"), the form that Black, Lenzo and Pagel, "Issues in building general letter to sound rules"
(1998), found best for English. `calm_core.training.lexicon` grows the trees.

Arrays of all trees, N nodes in all:
    question [N] uint8    position * 32 + symbol; positions 0..3 are to the left (nearest last), 4..7 to the right
    answer   [N] uint8    in a leaf: which of `units` is said
    no       [N] uint16   number of the no branch, counted from the tree's root; 0 in a leaf; yes is the next node
    root     [26] uint32  first node of each letter's tree
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import safe_open

from calm_core.text.lexicon import FOLDER

REACH = 4
EDGE = 0  # beyond the word
APOSTROPHE = 27


def symbols(word: str) -> list[int]:
    """A lower-case word as numbers: letters 1..26, apostrophe 27, with REACH edges on both sides."""
    inner = [APOSTROPHE if letter == "'" else ord(letter) - 96 for letter in word]
    return [EDGE] * REACH + inner + [EDGE] * REACH


class LetterToSound:
    """The trees and the phones that their leaves stand for.

    Args:
        arrays: `question`, `answer`, `no`, `root` as drawn above.
        units: Phones of each answer, joined by spaces; empty for a silent letter.
    """

    def __init__(self, arrays: dict[str, np.ndarray], units: list[str]):
        self.question: list[int] = arrays["question"].tolist()
        self.answer: list[int] = arrays["answer"].tolist()
        self.no: list[int] = arrays["no"].tolist()
        self.root: list[int] = arrays["root"].tolist()
        self.units = [unit.split() for unit in units]

    @staticmethod
    def load(path: Path = FOLDER / "letter_to_sound.safetensors") -> LetterToSound:
        """Read the trees of a safetensors file; its metadata holds the units."""
        with safe_open(str(path), framework="numpy") as file:
            units = file.metadata()["units"].split(",")
            return LetterToSound({name: file.get_tensor(name) for name in file.keys()}, units)  # noqa: SIM118

    def read(self, word: str) -> list[str]:
        """Phones of a lower-case word of letters and apostrophes; may be empty for a word of silent letters."""
        around = symbols(word)
        phones: list[str] = []
        for place in range(REACH, len(around) - REACH):
            if around[place] == APOSTROPHE:
                continue
            window = around[place - REACH : place] + around[place + 1 : place + 1 + REACH]
            root = node = self.root[around[place] - 1]
            while self.no[node]:
                position, symbol = divmod(self.question[node], 32)
                node = node + 1 if window[position] == symbol else root + self.no[node]
            phones += self.units[self.answer[node]]
        return phones

"""Make the bundled pronunciations from flite: `python -m calm_core.training.lexicon`.

    word lists -> flite -> phones -> en.txt.xz                     listed words, without those that rules derive
                                  -> letter_to_sound.safetensors   trees for all other words
    made-up words -> flite ->     /                                more examples of how flite reads unknown words

Prints the phone error rate of the trees on words they never saw (one in twenty, chosen by a hash of the word), and of
whole sentences against flite. Takes some five minutes on one core. Needs Debian's flite, fortunes and wamerican-large.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import random
import re
import subprocess
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from safetensors.numpy import save_file

from calm_core.text.letter_to_sound import LetterToSound
from calm_core.text.lexicon import FOLDER, Lexicon, spell
from calm_core.text.pronunciation import phonemize
from calm_core.training.corpus_text import fortune_sentences
from calm_core.training.letter_trees import Pair, align, edit_distance, error_rates, grow

_VOICE = "kal16"  # the quickest of the voices that share one phone set
_LONGEST_WORD = 22


def read_lines(lines: list[str]) -> list[list[str]]:
    """Phones that flite gives for each of many short texts, without the first and last pause."""
    told = subprocess.run(
        ["flite", "-voice", _VOICE, "-ps", "-f", "/dev/stdin", "none"],
        input="\n\n".join(lines) + "\n", capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    read = [line.split()[1:-1] for line in told if line.strip()]
    if len(read) != len(lines):
        raise RuntimeError(f"flite gave {len(read)} readings for {len(lines)} texts")
    return read


def read_sentence(sentence: str) -> list[str]:
    """Phones that flite gives for a sentence, with its pauses."""
    command = ["flite", "-voice", _VOICE, "-ps", "-t", sentence, "none"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return told.stdout.split()


def vocabulary(word_list: Path, fortunes: Path) -> list[str]:
    """Lower-case words of letters and apostrophes, sorted, accents removed."""

    def plain(text: str) -> str:
        decomposed = unicodedata.normalize("NFKD", text.replace("’", "'"))
        return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()

    words = {plain(line) for line in word_list.read_text(encoding="utf-8").splitlines()}
    for sentence in fortune_sentences(fortunes):
        words.update(re.findall(r"[a-z]+(?:'[a-z]+)*", plain(sentence)))
    usable = (w for w in words if re.fullmatch(r"[a-z][a-z']*", w) and len(w) <= _LONGEST_WORD)
    return sorted(w for w in usable if not re.search(r"(.)\1\1", w))


def is_held_out(word: str) -> bool:
    """Whether a word is kept from the trees: one in twenty, by its hash."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % 20 == 0


def made_up_words(words: Iterable[str], count: int, seed: int) -> list[str]:
    """Words that look English and are not in `words`: a letter chain of order three, seeded."""
    known = set(words)
    follows: dict[str, list[str]] = defaultdict(list)
    for word in sorted(known):
        padded = "^^^" + word + "$"
        for i in range(3, len(padded)):
            follows[padded[i - 3 : i]].append(padded[i])
    r, made = random.Random(seed), set()
    while len(made) < count:
        text = "^^^"
        while not text.endswith("$") and len(text) < 20:
            text += r.choice(follows[text[-3:]])
        word = text[3:].rstrip("$")
        if 3 < len(word) < 14 and word not in known and not re.search(r"(.)\1\1", word):
            made.add(word)
    return sorted(made)


def listed(words: list[str]) -> dict[str, str]:
    """The entries of the lexicon: short words first, a word that the rules derive from shorter ones is left out."""
    readings = dict(zip(words, read_lines(words), strict=True))
    entries: dict[str, str] = {}
    so_far = Lexicon(entries)
    for word in sorted(words, key=lambda w: (len(w), w)):
        phones = readings[word]
        if phones and "pau" not in phones and so_far.find(word) != phones:
            entries[word] = " ".join(phones)
    plain = [word for word in words if "'" not in word and len(word) > 2]
    for word, phones in zip(plain, read_lines([f"to {word}" for word in plain]), strict=True):
        if phones[:2] == ["t", "ax"] and "pau" not in phones and phones[2:] != readings[word]:
            entries[word + "/v"] = " ".join(phones[2:])
    return entries


def write_lexicon(entries: dict[str, str], path: Path) -> None:
    """Write entries in alphabetical order; the same entries give the same bytes."""
    text = "".join(f"{word} {phones}\n" for word, phones in sorted(entries.items()))
    path.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))


def readable(pairs: Iterable[Pair]) -> list[Pair]:
    """Words that are read as words: letter names and apostrophes teach the trees nothing."""
    return [(w, p) for w, p in pairs if w.isalpha() and len(w) > 1 and p and "pau" not in p and list(p) != spell(w)]


def sentence_error(sentences: list[str]) -> float:
    """Phone error rate of `phonemize` against flite, pauses included."""
    wrong = total = 0
    for sentence in sentences:
        theirs, ours = read_sentence(sentence), [token.phone for token in phonemize(sentence)]
        wrong, total = wrong + edit_distance(theirs, ours), total + len(theirs)
    return wrong / total


def main() -> None:
    """Build both files and print their figures."""
    parser = argparse.ArgumentParser(description="Make the bundled English pronunciations with flite.")
    parser.add_argument("--words", type=Path, default=Path("/usr/share/dict/american-english-large"))
    parser.add_argument("--fortunes", type=Path, default=Path("/usr/share/games/fortunes"))
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--made-up", type=int, default=60_000, help="made-up words to read")
    parser.add_argument("--check-only", action="store_true", help="only measure the files that are there")
    options = parser.parse_args()
    lexicon_path, trees_path = options.out / "en.txt.xz", options.out / "letter_to_sound.safetensors"
    if not options.check_only:
        options.out.mkdir(parents=True, exist_ok=True)
        words = vocabulary(options.words, options.fortunes)
        entries = listed(words)
        write_lexicon(entries, lexicon_path)
        pairs = readable((w, tuple(p.split())) for w, p in entries.items())
        made = made_up_words([w for w, _ in pairs], options.made_up, seed=5)
        examples = [pair for pair in pairs if not is_held_out(pair[0])]
        examples += readable(zip(made, map(tuple, read_lines(made)), strict=True))
        arrays, units = grow(align(examples))
        save_file(arrays, trees_path, metadata={"units": ",".join(units)})
        print(f"{len(words)} words read, {len(entries)} listed; {len(arrays['answer'])} nodes in the trees")
    lexicon, reader = Lexicon.load(lexicon_path, None), LetterToSound.load(trees_path)
    unseen = readable((w, tuple(p.split())) for w, p in lexicon.entries.items() if is_held_out(w))
    phone_error, word_error = error_rates(reader, unseen)
    print(f"letters to sounds, {len(unseen)} unseen words: phone error {phone_error:.2%}, not exact {word_error:.2%}")
    sentences = [s for s in fortune_sentences(options.fortunes) if not re.search(r"\d", s)]
    random.Random(3).shuffle(sentences)
    print(f"300 sentences against flite: phone error {sentence_error(sentences[:300]):.2%}")


if __name__ == "__main__":
    main()

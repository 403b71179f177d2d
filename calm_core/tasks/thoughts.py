"""The words of an inner monologue, put together from tokens as they come."""

from __future__ import annotations

from dataclasses import dataclass

from calm_core.text_stream import TextStream


@dataclass(frozen=True)
class Word:
    """A word and the second, from the beginning of the prompt, at which it is spoken."""

    text: str
    seconds: float


class Thoughts:
    """Collects tokens.

    Args:
        stream: of the model, or None for a model without text.
        start: second at which the first token's frame sounds.
        frame_seconds: length of a frame.
    """

    def __init__(self, stream: TextStream | None, start: float, frame_seconds: float):
        self._stream, self._start, self._frame_seconds = stream, start, frame_seconds
        self._done: list[Word] = []
        self._pieces: list[int] = []  # pieces without a pause between them
        self._begun: list[float] = []
        self._count = 0

    def add(self, token: int) -> None:
        """Take the next token."""
        assert self._stream is not None
        if self._stream.is_word(token):
            self._pieces.append(token)
            self._begun.append(self._start + self._count * self._frame_seconds)
        elif self._pieces:
            self._done += self._running()
            self._pieces, self._begun = [], []
        self._count += 1

    def words(self) -> list[Word]:
        """All words so far; the last one may still grow."""
        return self._done + self._running()

    def text(self) -> str:
        """All words so far as one line."""
        return " ".join(word.text for word in self.words())

    def _running(self) -> list[Word]:
        """The words of the pieces at hand: a word begins with the piece that adds one."""
        if not self._pieces:
            return []
        assert self._stream is not None and self._stream.tokenizer is not None
        decode = self._stream.tokenizer.decode
        begun: list[float] = []
        for index, seconds in enumerate(self._begun):
            if len(decode(self._pieces[: index + 1]).split()) > len(begun):
                begun.append(seconds)
        return [Word(text, round(at, 3)) for text, at in zip(decode(self._pieces).split(), begun, strict=False)]

"""Text to token ids: SentencePiece models and tokenizers.json files behind two methods."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from calm_core.errors import InputError


class Tokenizer(Protocol):
    """What the text side needs of a tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        ...

    def decode(self, tokens: list[int]) -> str:
        """The text of token ids."""
        ...


class SentencePieceTokenizer:
    """A SentencePiece `.model` file; `unknown` is the id of what it cannot write."""

    def __init__(self, path: Path):
        import sentencepiece

        self._processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        self.size = self._processor.vocab_size()
        self.unknown: int | None = self._processor.unk_id()

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        return self._processor.encode(text, out_type=int)

    def decode(self, tokens: list[int]) -> str:
        """The text of token ids."""
        return self._processor.decode(tokens)


class JsonTokenizer:
    """A `tokenizer.json` file of the Hugging Face tokenizers library; `unknown` as for SentencePiece, or None."""

    def __init__(self, path: Path):
        import tokenizers

        self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        self.size = self._tokenizer.get_vocab_size()
        self.unknown: int | None = next(
            (number for mark in ("<unk>", "[UNK]") if (number := self._tokenizer.token_to_id(mark)) is not None), None
        )

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        return self._tokenizer.encode(text).ids

    def decode(self, tokens: list[int]) -> str:
        """The text of token ids."""
        return self._tokenizer.decode(tokens)


LoadedTokenizer = SentencePieceTokenizer | JsonTokenizer


def load_tokenizer(path: Path, kind: str, size: int) -> LoadedTokenizer:
    """Open a tokenizer file.

    Args:
        path: local file.
        kind: "sentencepiece", or "tokenizers" for JSON; a `.json` file is always JSON.
        size: number of tokens that the embedding table was trained with.

    Raises:
        InputError: the file is damaged or holds another number of tokens.
    """
    is_json = kind in ("tokenizers", "json") or path.suffix == ".json"
    try:
        tokenizer = JsonTokenizer(path) if is_json else SentencePieceTokenizer(path)
    except Exception as error:  # both libraries raise bare RuntimeError, OSError or Exception
        raise InputError(
            f"The tokenizer {path.name} cannot be read; it may be half-downloaded: delete it and load the model again."
        ) from error
    if tokenizer.size != size:
        raise InputError(
            f"The tokenizer {path.name} holds {tokenizer.size} tokens but the configuration says "
            f"n_bins: {size}; use the tokenizer that the model was trained with."
        )
    return tokenizer

"""SentencePiece tokenizers, trained on a corpus's own words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from calm_core.errors import InputError


def train_tokenizer(texts: Iterable[str], path: Path, pieces: int, corpus: Path) -> None:
    """Write a byte-pair tokenizer of `pieces` pieces to `path`, whose folder is made if need be.

    Args:
        texts: What it learns from, words or sentences.
        path: The `.model` file.
        pieces: Of its vocabulary.
        corpus: Where the texts are from, for the message.

    Raises:
        InputError: The texts have too few different words for so many pieces.
    """
    import sentencepiece

    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts), model_writer=file, model_type="bpe", vocab_size=pieces,
                character_coverage=1.0, minloglevel=2,
            )  # fmt: skip
        except RuntimeError as error:
            path.unlink()
            reason = str(error).splitlines()[-1].strip()
            raise InputError(f"No tokenizer of {pieces} pieces can be made of {corpus}: {reason}") from None

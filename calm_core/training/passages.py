"""Passages for models that continue speech: frames of a codec, and the words laid out over them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from calm_core.conditioners.tokenizer import Tokenizer, load_tokenizer
from calm_core.config import TextStreamConfig
from calm_core.errors import InputError
from calm_core.text_stream import lay_out
from calm_core.training.data import Corpus
from calm_core.training.faults import OnCorrupt
from calm_core.training.latent_shards import open_latents
from calm_core.training.statistics import exact_statistics
from calm_core.training.tokenizers import train_tokenizer

# A share of the pieces begins where its passage begins, so that the model also learns to start from nothing.
_FROM_THE_START = 0.3
# Frames whose text is hidden at first, as that of a prompt which nobody has written down: 0.5 to 6 s.
_HIDDEN = (6, 75)


@dataclass(frozen=True)
class PassageBatch:
    """B pieces of passages, padded at the end.

    Attributes:
        frames: un-normalised latents [B, T, D], or codes [B, T, K].
        lengths: [B], frames of each row.
        text: tokens [B, T + delay], or None.
        known: [B], first step whose text is known.
        ids: of the passages.
    """

    frames: Tensor
    lengths: Tensor
    text: Tensor | None
    known: Tensor
    ids: list[str]

    def to(self, device: torch.device) -> PassageBatch:
        """The same batch on another device."""
        text = None if self.text is None else self.text.to(device)
        return PassageBatch(self.frames.to(device), self.lengths, text, self.known.to(device), self.ids)


class Passages:
    """Passages of one split.

    Args:
        path: A file written by `latents.encode_corpus`, with latents or codes, or the one that shards stand for.
        text: The text stream, or None for a model without one.
        tokenizer: Of the text.
        frame_rate: Frames a second.
        seconds: Length of a piece.
        text_dropout: Share of the pieces that begin with hidden text.
        on_corrupt: What a damaged shard of latents leads to.
    """

    def __init__(
        self,
        path: Path,
        text: TextStreamConfig | None,
        tokenizer: Tokenizer | None,
        frame_rate: float,
        seconds: float,
        text_dropout: float,
        on_corrupt: OnCorrupt = "stop",
    ):
        self.frames, self.rows = open_latents(path, on_corrupt)
        self.count = round(seconds * frame_rate)
        self.lengths = torch.tensor([min(self.count, self.frames[row["id"]].shape[0]) for row in self.rows])
        self.delay = 0 if text is None else text.delay
        self.text_dropout = text_dropout
        self.texts: list[Tensor] = []
        if text is None or tokenizer is None:
            return
        pieces: dict[str, list[int]] = {}
        for row in self.rows:
            if not row.get("words"):
                raise InputError(
                    f"The passage {row['id']} has no word times; make the corpus anew with calm synthesize."
                )
            words = [(pieces.setdefault(w, tokenizer.encode(w)), start) for w, start, _ in row["words"]]
            steps = self.frames[row["id"]].shape[0] + text.delay
            self.texts.append(lay_out(words, steps, frame_rate, text.n_bins, text.n_bins + 1))

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Exact mean and deviation [D] of every latent channel."""
        return exact_statistics([self.frames[row["id"]] for row in self.rows])

    def collate(self, indices: list[int], generator: torch.Generator) -> PassageBatch:
        """A random piece of each of these rows."""
        frames, texts, known = [], [], []
        for index in indices:
            whole = self.frames[self.rows[index]["id"]]
            first, place, hide, hidden = torch.rand(4, generator=generator).tolist()
            start = 0 if first < _FROM_THE_START else int(place * (max(0, whole.shape[0] - self.count) + 1))
            frames.append(whole[start : start + self.count])
            if self.texts:
                texts.append(self.texts[index][start : start + frames[-1].shape[0] + self.delay])
            low, high = _HIDDEN
            known.append(low + int(hidden * (high - low)) if hide < self.text_dropout else 0)
        stacked = pad_sequence(frames, batch_first=True)
        return PassageBatch(
            frames=stacked.long() if stacked.dtype == torch.int16 else stacked.float(),
            lengths=torch.tensor([f.shape[0] for f in frames]),
            text=pad_sequence(texts, batch_first=True) if texts else None,
            known=torch.tensor(known),
            ids=[self.rows[i]["id"] for i in indices],
        )


def prepare_tokenizer(corpus: Path, config: TextStreamConfig) -> Tokenizer:
    """The tokenizer of the recipe; trained on the words of the corpus when its file is not there yet.

    Raises:
        InputError: the corpus is missing, or has too few words for `n_bins` pieces.
    """
    path = Path(config.tokenizer_path)
    if not path.exists():
        words = (word for row in Corpus(corpus, "train").rows for word, _, _ in row.words)
        train_tokenizer(words, path, config.n_bins, corpus)
    return load_tokenizer(path, config.tokenizer, config.n_bins)

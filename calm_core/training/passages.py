"""Passages for models that continue sound: frames of a codec, with the words laid out over them or CLAP embeddings.

clap-train.safetensors    row id -> [W, E] float16: window w covers seconds [5 w, 5 w + 10) of the row
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from calm_core.conditioners.tokenizer import Tokenizer, load_tokenizer
from calm_core.config import TextStreamConfig
from calm_core.errors import InputError
from calm_core.text_stream import lay_out
from calm_core.training.data import Corpus
from calm_core.training.faults import OnCorrupt
from calm_core.training.latent_shards import open_latents
from calm_core.training.tokenizers import train_tokenizer
from calm_core.weights import read_tensors

# A share of the pieces begins where its passage begins, so that the model also learns to start from nothing.
_FROM_THE_START = 0.3
# Frames whose text is hidden at first, as that of a prompt which nobody has written down: 0.5 to 6 s.
_HIDDEN = (6, 75)
# Of the windows of CLAP embeddings, in seconds.
_WINDOW, _HOP = 10.0, 5.0


@dataclass(frozen=True)
class PassageBatch:
    """B pieces of passages, padded at the end.

    Attributes:
        frames: un-normalised latents [B, T, D], or codes [B, T, K].
        lengths: [B], frames of each row.
        text: tokens [B, T + delay], or None.
        known: [B], first step whose text is known.
        ids: of the passages.
        clap: embeddings [B, E] of length 1, or None.
        clap_known: [B], false where the embedding is dropped, or None.
    """

    frames: Tensor
    lengths: Tensor
    text: Tensor | None
    known: Tensor
    ids: list[str]
    clap: Tensor | None = None
    clap_known: Tensor | None = None

    def to(self, device: torch.device) -> PassageBatch:
        """The same batch on another device; lengths stay."""
        moved = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor) and name != "lengths"
        }
        return replace(self, **moved)


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
        clap: File with the CLAP embeddings of the rows; None for a model without CLAP.
        clap_dropout: Share of the pieces whose embedding is dropped.
        without_end: Seconds at the end of each passage that no piece holds; at most half of a passage.
        levels: Of codes, how many of the first are used; all when None.

    Raises:
        InputError: A passage lacks its words or its embeddings.
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
        clap: Path | None = None,
        clap_dropout: float = 0.0,
        without_end: float = 0.0,
        levels: int | None = None,
    ):
        self.frames, self.rows = open_latents(path, on_corrupt)
        self.count, self.levels = round(seconds * frame_rate), levels
        self.without_end = round(without_end * frame_rate)
        self.lengths = torch.tensor([min(self.count, len(self._usable(row["id"]))) for row in self.rows])
        self.delay = 0 if text is None else text.delay
        self.text_dropout, self.clap_dropout, self.frame_rate = text_dropout, clap_dropout, frame_rate
        self.embeddings = {} if clap is None else read_embeddings(clap, [row["id"] for row in self.rows])
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

    def latents(self) -> list[Tensor]:
        """The latents [T, D] of every row, whole."""
        return [self.frames[row["id"]] for row in self.rows]

    def _usable(self, name: str) -> Tensor:
        """Frames of a passage without its end."""
        frames = self.frames[name]
        return frames[: max(len(frames) - self.without_end, -(-len(frames) // 2)), : self.levels]

    def collate(self, indices: list[int], generator: torch.Generator) -> PassageBatch:
        """A random piece of each of these rows."""
        frames, texts, known, claps, kept = [], [], [], [], []
        for index in indices:
            name = self.rows[index]["id"]
            whole = self._usable(name)
            first, place, hide, hidden = torch.rand(4, generator=generator).tolist()
            start = 0 if first < _FROM_THE_START else int(place * (max(0, whole.shape[0] - self.count) + 1))
            frames.append(whole[start : start + self.count])
            if self.texts:
                texts.append(self.texts[index][start : start + frames[-1].shape[0] + self.delay])
            low, high = _HIDDEN
            known.append(low + int(hidden * (high - low)) if hide < self.text_dropout else 0)
            if self.embeddings:
                begin, end = start / self.frame_rate, (start + frames[-1].shape[0]) / self.frame_rate
                claps.append(embedding_of(self.embeddings[name], begin, end))
                kept.append(float(torch.rand(1, generator=generator)) >= self.clap_dropout)
        stacked = pad_sequence(frames, batch_first=True)
        return PassageBatch(
            frames=stacked.long() if stacked.dtype == torch.int16 else stacked.float(),
            lengths=torch.tensor([f.shape[0] for f in frames]),
            text=pad_sequence(texts, batch_first=True) if texts else None,
            known=torch.tensor(known),
            ids=[self.rows[i]["id"] for i in indices],
            clap=torch.stack(claps) if claps else None,
            clap_known=torch.tensor(kept) if claps else None,
        )


def read_embeddings(path: Path, ids: list[str]) -> dict[str, Tensor]:
    """Embeddings [W, E] of the windows of each row.

    Raises:
        InputError: There are none, or not of every row.
    """
    found = read_tensors(path)
    missing = [name for name in ids if name not in found]
    if missing:
        raise InputError(
            f"The CLAP embeddings {path} lack {len(missing)} of {len(ids)} rows, the first is {missing[0]}; "
            "embed the corpus anew."
        )
    return found


def embedding_of(windows: Tensor, start: float, end: float) -> Tensor:
    """The embedding [E] of a piece: the mean of the windows [W, E] that overlap its seconds, brought back to length 1.

    Where none does, as behind the last whole window of a row, it is the last one.
    """
    first = max(0, math.floor((start - _WINDOW) / _HOP) + 1)
    stop = max(1, math.ceil(end / _HOP))
    chosen = windows[first:stop] if first < windows.shape[0] else windows[-1:]
    return F.normalize(chosen.float().mean(0), dim=-1)


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

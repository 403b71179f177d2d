"""Text as a prefix of token embeddings (full or low-rank table)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from calm_core.conditioners.base import TextConditioner
from calm_core.conditioners.sentences import split_sentences, tidy
from calm_core.conditioners.tokenizer import Tokenizer
from calm_core.config import PrefixTextConfig
from calm_core.types import Condition


class PrefixText(TextConditioner):
    """SentencePiece or tokenizers.json ids through an embedding table.

    Args:
        config: table and text preparation.
        d_model: width M of the backbone, which must be the width of the table.
        frame_rate: of the codec, frames/s.
        tokenizer: opened file; None for a model that is only fed token ids.
    """

    kind: ClassVar[str] = "prefix"

    def __init__(
        self,
        config: PrefixTextConfig,
        d_model: int,
        frame_rate: float,
        tokenizer: Tokenizer | None = None,
    ):
        super().__init__()
        assert config.dim == d_model, "the text table must be as wide as the backbone"
        self.config = config
        self.normalises = "needed" if config.normalise else "none"
        self.frame_rate = frame_rate
        self.tokenizer = tokenizer
        # One entry more than there are tokens, for padding.
        self.embed = nn.Embedding(config.n_bins + 1, config.rank or config.dim)
        self.proj = None if config.rank is None else nn.Linear(config.rank, config.dim, bias=False)

    def tokens(self, text: str) -> Tensor:
        """Token ids [P] of a text as it is."""
        assert self.tokenizer is not None, "this model was built without a tokenizer"
        ids = self.tokenizer.encode(text)
        return torch.tensor(ids, dtype=torch.long, device=self.embed.weight.device)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings [..., M] of token ids [...]."""
        x = self.embed(tokens)
        return x if self.proj is None else self.proj(x)

    def split(self, text: str, max_tokens: int | None = None) -> list[str]:
        """Pieces of at most `max_tokens` tokens (the model's own limit when None)."""
        assert self.tokenizer is not None, "this model was built without a tokenizer"
        return split_sentences(text, self.tokenizer, self.config, max_tokens or self.config.max_tokens)

    def condition(self, piece: str, voice: Tensor | None = None, speed: float = 1.0) -> Condition:
        """Prefix, longest length and frames after the end of one piece."""
        config = self.config
        text, after_end = tidy(piece, config)
        tokens = self.tokens(text)
        seconds = len(tokens) / config.tokens_per_second + config.seconds_padding
        fixed = config.frames_after_eos
        return Condition(
            prefix=self(tokens),
            max_frames=math.ceil(seconds * self.frame_rate),
            frames_after_eos=after_end if fixed is None else fixed,
        )

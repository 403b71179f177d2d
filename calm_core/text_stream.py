"""The inner monologue: words written beside the sound, at the frames where they are spoken (CALM section 5.1).

    frame     0    1    2    3    4    5    6    7    8
    spoken         [ the  ] [   shepherd    ]      [ lived
    text      EPAD the  EPAD shep herd PAD  EPAD liv ed

A word of several pieces goes on in the next frames; PAD fills, EPAD announces a word where there is room. The sound of
a frame comes `delay` steps after its text, so that a word is known before it is spoken.

Shapes: B rows, S steps, M backbone width, V pieces of the tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from calm_core.conditioners.tokenizer import Tokenizer
from calm_core.config import TextStreamConfig
from calm_core.heads.discrete import choose


class TextStream(nn.Module):
    """Embeds the text heard and predicts the text to come.

    Args:
        config: size of the tokenizer and the delay.
        d_model: M.
        z_dim: width of what the text is predicted from.

    Attributes:
        pad: token that fills.
        epad: token before a word.
        unknown: token of steps whose text nobody knows; heard, never predicted.
        tokenizer: set by whoever loads the model.
    """

    tokenizer: Tokenizer | None = None

    def __init__(self, config: TextStreamConfig, d_model: int, z_dim: int):
        super().__init__()
        self.delay = config.delay
        self.pad, self.epad, self.unknown = config.n_bins, config.n_bins + 1, config.n_bins + 2
        self.embed = nn.Embedding(config.n_bins + 3, d_model)
        self.out = nn.Linear(z_dim, config.n_bins + 2, bias=False)

    def sample(self, z: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
        """Tokens [B] for conditions z [B, Z].

        Args:
            z: what the text is predicted from.
            uniforms: [B] in [0, 1), one number for each draw, so that a row draws the same in any company.
            temperature: divides the logits; 0 takes the likeliest token.
        """
        return choose(self.out(z), uniforms, temperature)

    def is_word(self, token: int) -> bool:
        """Whether a token is a piece of a word."""
        return token < self.pad


def lay_out(
    words: Sequence[tuple[list[int], float]], steps: int, frame_rate: float, pad: int, epad: int
) -> Tensor:  # fmt: skip
    """The text of `steps` frames.

    Args:
        words: Pieces and start in seconds of each word, in order.
        steps: S.
        frame_rate: Frames a second.
        pad: Token that fills.
        epad: Token before a word.

    Returns:
        Tokens [S]. A piece whose frame is taken moves to the next free one; what does not fit is left out.
    """
    text = torch.full((steps,), pad)
    free = 0
    for pieces, start in words:
        at = max(int(start * frame_rate), free)
        if 0 < at <= steps and at - 1 >= free:
            text[at - 1] = epad
        for piece in pieces:
            if at < steps:
                text[at] = piece
            at += 1
        free = at
    return text

"""What the text side offers to the generation loop.

A text conditioner cuts a text into pieces that the model can speak in one go, and turns each piece
into a `Condition`: either only a prefix (the model ends by itself), or one vector for each audio
frame (the text is aligned and the frames end the utterance).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

from calm_core.types import Condition


class TextConditioner(nn.Module):
    """Base class of text conditioners."""

    kind: ClassVar[str]
    # Whether `speed` other than 1 can be honoured.
    native_speed: ClassVar[bool] = False
    # Which texts are to be written the way they are said before `split`: all of them; only those whose letters or
    # digits would change (numbers, signs, abbreviations), so that the rest arrives as typed; or none.
    normalises: Literal["all", "needed", "none"] = "all"

    def split(self, text: str, max_tokens: int | None = None) -> list[str]:
        """Pieces of `text`, in order, each fit for `condition`.

        Raises:
            InputError: the text is empty or cannot be spoken.
        """
        raise NotImplementedError

    def absorb_voice(self, prefix: Tensor) -> tuple[Tensor, Tensor | None]:
        """Decide what becomes of a voice prompt.

        Args:
            prefix: [1, P, M], the projected prompt.

        Returns:
            The part [1, P', M] that goes in front of the row, and the part that `condition` wants
            as its `voice`, or None.
        """
        return prefix, None

    def condition(self, piece: str, voice: Tensor | None = None, speed: float = 1.0) -> Condition:
        """The condition of one piece.

        Args:
            piece: a piece from `split`.
            voice: what `absorb_voice` kept of the speaker's prompt, or None.
            speed: above 1 is faster; conditioners without `native_speed` get 1.
        """
        raise NotImplementedError

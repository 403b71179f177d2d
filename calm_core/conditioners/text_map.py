"""From where a CLAP puts captions to where it puts their sounds.

Contrastive training leaves texts and sounds in two regions of the space (Liang et al. 2022, "Mind the gap"), and a
model that was told by sounds in training is asked far from all it has heard when it is told by a text. An affine map,
fitted on the captions of the corpus, brings them there; unCLIP's prior (Ramesh et al. 2022) does the same with a
diffusion model.

Shapes: B texts, E width of the space.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from calm_core.errors import InputError


class TextMap:
    """An affine map of the space.

    Args:
        weight: [E, E], from texts (columns) to sounds (rows).
        bias: [E].

    Attributes:
        width: E.
    """

    def __init__(self, weight: Tensor, bias: Tensor):
        self.weight, self.bias = weight.float(), bias.float()
        self.width = len(bias)

    def __call__(self, texts: Tensor) -> Tensor:
        """Embeddings [B, E] of length 1 where sounds of these texts are, from those of the texts."""
        return F.normalize(F.linear(texts.float(), self.weight, self.bias), dim=-1)

    @classmethod
    def of(cls, tensors: dict[str, Tensor], file: str) -> TextMap:
        """The map in a file with the tensors `weight` and `bias`.

        Args:
            tensors: what is in it.
            file: its name, for errors.

        Raises:
            InputError: it holds something else.
        """
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        width = shapes.get("bias", (0,))[0]
        if shapes != {"weight": (width, width), "bias": (width,)}:
            raise InputError(
                f"The file {file} holds no map of texts: it needs a weight [E, E] and a bias [E]; make it with "
                "'calm encode', kind fit_text_map."
            )
        return cls(tensors["weight"], tensors["bias"])

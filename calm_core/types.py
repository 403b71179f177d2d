"""Records that travel between the parts: conditions, losses, sampling parameters.

Shapes: B rows, T frames, P prefix positions, D latent width, M backbone width.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Losses:
    """A weighted sum for `backward` and its named, unweighted parts for curves."""

    total: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """What a conditioner tells the backbone about one utterance.

    Attributes:
        prefix: [P, M], embeddings that come before the first audio frame.
        frames: [T, M] added to the backbone input frame by frame, or None. When given, the
            utterance ends with these frames and the end-of-speech head is not asked.
        null_frames: [T, M] of a row that knows neither text nor voice, for guidance, or None.
        textless_frames: [T, M] of a row that knows the voice alone, or None.
        max_frames: most frames that the utterance may have.
        frames_after_eos: frames still produced after the frame where the end was detected.
    """

    prefix: Tensor
    frames: Tensor | None = None
    null_frames: Tensor | None = None
    textless_frames: Tensor | None = None
    max_frames: int = 0
    frames_after_eos: int = 0


@dataclass(frozen=True)
class SamplingParams:
    """How latents are drawn.

    Attributes:
        temperature: variance of the starting noise; its standard deviation is sqrt(temperature).
        steps: number of evaluations of the sampler head for each frame.
        cfg: weight a of the latent guidance Z0 + a (Zc - Z0); 1 turns guidance off.
        noise_clamp: starting noise is drawn inside [-noise_clamp, noise_clamp]; None for no limit.
        speed: speaking rate against the model's own; 1 leaves it alone.
    """

    temperature: float = 0.3
    steps: int = 1
    cfg: float = 1.0
    noise_clamp: float | None = None
    speed: float = 1.0


@dataclass(frozen=True)
class ContinuationParams:
    """How frames and text are drawn when sound is continued.

    Attributes:
        temperature: of the sound: variance of the starting noise, or what divides the logits of codes.
        steps: evaluations of the sampler head for each frame; codes need one.
        text_temperature: divides the logits of the text; 0 takes the likeliest token.
        top_k: codes to choose from; None for all.
        cfg: weight a of the guidance Z0 + a (Zc - Z0) by CLAP; 1 turns it off, as does a row without CLAP.
    """

    temperature: float = 0.8
    steps: int = 1
    text_temperature: float = 0.8
    top_k: int | None = None
    cfg: float = 1.0

"""An audio language model: frames heard so far to the frame that comes, with or without a text that it thinks of.

    step s hears   text s - 1, frame s - 1 - delay      (noised for the backbone, clean for the short context)
    step s gives   text s,     frame s - delay          from z_long(s) and Z(s) = z_long(s) + z_short(s)

A model with CLAP hears one more step before all others, an embedding of what its music is to be; the short context does
not, since it hears frames alone.

Frames are latents [D] of a VAE under a continuous head, or K codes of an RVQ codec under a discrete one: backbone, text
and training are the same, which makes the two comparable (CALM section 5.1).

Shapes: B rows, T frames, S = T + delay steps, D latent width, K codebooks, E width of a CLAP embedding, M backbone
width, Z condition width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.backbone import Backbone, guide
from calm_core.codecs import RVQCodec, build_codec
from calm_core.conditioners import ClapPrefix
from calm_core.config import ContinuationModelConfig
from calm_core.heads import build_head, delay_codes
from calm_core.heads.discrete import DiscreteHead
from calm_core.nn.draws import normal, uniform
from calm_core.nn.linear_prediction import LinearPrediction
from calm_core.nn.packed import pack
from calm_core.short_context import ShortContext
from calm_core.state import State
from calm_core.text_stream import TextStream
from calm_core.types import Losses


@dataclass(frozen=True)
class Weights:
    """What the parts of the loss count.

    Attributes:
        head_multiplier: how often each frame meets the head with fresh noise and times (CALM section 4.4).
        context_noise: largest share k of noise in what the backbone hears; 1 in the paper's music, 0 for none.
        short_noise: largest variance of noise on top of what the short context hears, 0 in the paper. A small model
            whose short context was always clean has never met frames as it makes them, and loses the piece.
        drift: largest share of the innovations' variance in an error that builds up over the frames of a row, as it
            does over frames that a model makes itself (`LinearPrediction.drift`); 0 in the paper.
        text: weight of the cross-entropy of the text.
        pad: weight of PAD among the tokens.
        head_share: share of the frames, drawn anew each time, whose codes are asked for in training. An RQ-Transformer
            has as many positions a frame as levels, and most of a step's time, where the backbone has one.
    """

    head_multiplier: int = 8
    context_noise: float = 0.0
    short_noise: float = 0.0
    drift: float = 0.0
    text: float = 1.0
    pad: float = 0.5
    head_share: float = 1.0


def with_noise(frames: Tensor, most: float, generator: torch.Generator | None) -> Tensor:
    """Normalised latents [B, T, D] of which a share is noise, drawn for each frame from 0 to `most` (CALM section 4.2).

    The variance stays what it was; where `most` is 0, nothing is drawn.
    """
    if most <= 0:
        return frames
    share = most * uniform((*frames.shape[:2], 1), frames, generator)
    return (1 - share).sqrt() * frames + share.sqrt() * normal(tuple(frames.shape), frames, generator)


def with_added_noise(frames: Tensor, most: float, generator: torch.Generator | None) -> Tensor:
    """Normalised latents [B, T, D] with noise on top, whose variance is drawn for each frame from 0 to `most`.

    Nothing is scaled down, unlike `with_noise`, since at inference nothing is: what follows from noisy frames lies
    nearer the mean than they do, and a model can learn that.
    """
    if most <= 0:
        return frames
    variance = most * uniform((*frames.shape[:2], 1), frames, generator)
    return frames + variance.sqrt() * normal(tuple(frames.shape), frames, generator)


class Embedding(nn.Module):
    """Frames to Transformer inputs: a linear map of latents, or the sum of K tables of codes."""

    def __init__(
        self, d_model: int, latent_dim: int | None = None, levels: int = 0, codebook_size: int = 0, start: bool = True
    ):
        super().__init__()
        self.codebook_size = codebook_size
        if latent_dim is not None:
            if start:  # a latent that stands for a frame that is not there
                self.start = nn.Parameter(torch.randn(latent_dim))
            self.linear = nn.Linear(latent_dim, d_model, bias=False)
        else:  # the last row of each table stands for a frame that is not there
            self.tables = nn.ModuleList(nn.Embedding(codebook_size + 1, d_model) for _ in range(levels))

    def before(self, rows: int, steps: int) -> Tensor:
        """What stands before the first frame, [rows, steps, D] or [rows, steps, K]."""
        if self.codebook_size:
            device = self.tables[0].weight.device  # type: ignore[union-attr]
            return torch.full((rows, steps, len(self.tables)), self.codebook_size, device=device)  # type: ignore[arg-type]
        return self.start.expand(rows, steps, -1)

    def forward(self, frames: Tensor) -> Tensor:
        """[..., M] of normalised latents [..., D] or codes [..., K]."""
        if not self.codebook_size:
            return self.linear(frames)
        parts = [table(codes) for table, codes in zip(self.tables, frames.unbind(-1), strict=True)]
        return torch.stack(parts).sum(0)


class AudioLM(nn.Module):
    """Backbone, short context, head, codec, text stream and CLAP prefix as one module.

    Args:
        config: all sizes.
    """

    latent_mean: Tensor
    latent_std: Tensor
    latent_basis: Tensor | None
    latent_weight: Tensor | None

    def __init__(self, config: ContinuationModelConfig):
        super().__init__()
        self.config = config
        self.codec = build_codec(config.codec)
        width, dim = config.backbone.d_model, self.codec.latent_dim
        self.backbone = Backbone(config.backbone, None, ends=False)
        z_dim = self.backbone.z_dim
        sizes: dict[str, Any] = {"latent_dim": dim}
        if isinstance(self.codec, RVQCodec):
            sizes = {"levels": self.codec.levels, "codebook_size": self.codec.codebook_size}
        self.embed = Embedding(width, **sizes)
        self.head = build_head(config.head, z_dim, **sizes)
        short = config.short_context
        self.short = None if short is None else ShortContext(short, width, z_dim)
        self.short_embed = None if short is None else Embedding(width, **sizes, start=False)
        predicts = short is not None and short.linear_prediction
        self.linear_prediction = LinearPrediction(dim) if predicts else None
        self.text = None if config.text is None else TextStream(config.text, width, z_dim)
        self.clap = None if config.clap is None else ClapPrefix(config.clap, width)
        # Statistics of the codec's latents (`training.scale`).
        self.register_buffer("latent_mean", torch.zeros(dim))
        self.register_buffer("latent_std", torch.ones(dim))
        audible = config.scale == "audible"
        self.register_buffer("latent_basis", torch.eye(dim) if audible else None)
        self.register_buffer("latent_weight", torch.ones(dim) if audible else None)

    @property
    def discrete(self) -> bool:
        """Whether frames are codes."""
        return isinstance(self.head, DiscreteHead)

    @property
    def delay(self) -> int:
        """Steps by which sound comes after its text."""
        return 0 if self.text is None else self.text.delay

    def normalise(self, latents: Tensor) -> Tensor:
        """Codec latents [..., D] to zero mean and unit deviation, in the channels of `training.scale`."""
        centred = latents - self.latent_mean
        return (centred if self.latent_basis is None else centred @ self.latent_basis.T) / self.latent_std

    def decoded(self, frames: Tensor) -> Tensor:
        """Codec latents [B, T, D] of frames as the head gives them: normalised latents, or codes [B, T, K]."""
        if isinstance(self.codec, RVQCodec):
            return self.codec.dequantize(frames)
        scaled = frames * self.latent_std
        return (scaled if self.latent_basis is None else scaled @ self.latent_basis) + self.latent_mean

    def heard(self, wave: Tensor) -> Tensor:
        """Frames of wave [B, 1, N] as the model hears them: normalised latents [B, T, D], or codes [B, T, K]."""
        if isinstance(self.codec, RVQCodec):
            return self.codec.codes(wave)
        return self.normalise(self.codec.encode(wave))

    def drawn(self, sample: Tensor, last: Tensor) -> Tensor:
        """Frames [B, D] or [B, K] that a sample of the head stands for, after the frames `last` of the same shape."""
        if self.latent_weight is not None:
            sample = sample / self.latent_weight
        return sample if self.linear_prediction is None else self.linear_prediction.frames(sample, last)

    def asked(self, frames: Tensor, last: Tensor) -> Tensor:
        """What the head shall draw [B, T, D] for normalised latents [B, T, D] after `last`; the inverse of `drawn`."""
        target = frames if self.linear_prediction is None else self.linear_prediction.innovation(frames, last)
        return target if self.latent_weight is None else target * self.latent_weight

    # ------------------------------------------------------------------------------- training

    def loss(
        self,
        frames: Tensor,
        lengths: Tensor,
        text: Tensor | None = None,
        known: Tensor | None = None,
        *,
        clap: Tensor | None = None,
        clap_known: Tensor | None = None,
        generator: torch.Generator | None = None,
        weights: Weights = Weights(),
    ) -> Losses:
        """Teacher-forced loss of whole rows (equation 3, and the text's cross-entropy).

        Args:
            frames: un-normalised latents [B, T, D], or codes [B, T, K]; padded at the end.
            lengths: [B] frames of each row, at least 1.
            text: tokens [B, T + delay], or None for a model without text.
            known: [B] first step whose text is known; before it the model hears `unknown` and is not asked.
            clap: embeddings [B, E] of length 1; None for rows that have none, or a model without CLAP.
            clap_known: booleans [B], false where a row's embedding is dropped for guidance.
            generator: source of every random draw.
            weights: of the parts.

        Returns:
            The weighted sum; parts of the head, and `text`.
        """
        rows, count = frames.shape[:2]
        clean = frames if self.discrete else self.normalise(frames.float())
        target = clean
        if isinstance(self.head, DiscreteHead) and any(self.head.delays):
            # Codes that would come after the last step are not asked for.
            target = delay_codes(clean, self.head.delays, -1)[:, :count]
            clean = torch.where(target < 0, self.embed.codebook_size, target)
        past = torch.cat([self.embed.before(rows, 1 + self.delay), clean[:, :-1]], dim=1)
        noisy, recent = past, past
        if not self.discrete:
            if self.linear_prediction is not None and weights.drift > 0:
                error = self.linear_prediction.drift(past[:, 1 + self.delay :], weights.drift, generator)
                past = torch.cat([past[:, : 1 + self.delay], past[:, 1 + self.delay :] + error], dim=1)
            noisy = with_noise(past, weights.context_noise, generator)
            recent = with_added_noise(past, weights.short_noise, generator)
            target = self.asked(clean, recent[:, self.delay :].detach())
        x = self.embed(noisy)
        if text is not None:
            x = x + self._embedded_text(text, known)
        if self.clap is not None:
            x = torch.cat([self.clap(clap, clap_known, rows)[:, None].to(x.dtype), x], dim=1)
        z_long = self.backbone.features(x)[:, -past.shape[1] :]
        z_short = None if self.short is None or self.short_embed is None else self.short(self.short_embed(recent))
        with torch.autocast(frames.device.type, enabled=False):
            z_long = self.backbone.condition(z_long.float())
            z = z_long if z_short is None else z_long + z_short.float()
        valid = torch.arange(count, device=frames.device) < lengths[:, None].to(frames.device)
        chosen_z, chosen = z[:, self.delay :][valid], target[valid]
        if self.training and self.discrete and weights.head_share < 1:
            some = uniform((len(chosen),), z, generator).argsort()[: math.ceil(weights.head_share * len(chosen))]
            chosen_z, chosen = chosen_z[some], chosen[some]
        repeat = 1 if self.discrete else weights.head_multiplier
        losses = self.head.loss(chosen_z.repeat(repeat, 1), chosen.repeat(repeat, 1), generator)
        if text is None:
            return losses
        words = self._text_loss(z_long, text, known, lengths + self.delay, weights.pad)
        return Losses(losses.total + weights.text * words, {**losses.parts, "text": words.detach()})

    def _embedded_text(self, text: Tensor, known: Tensor | None) -> Tensor:
        assert self.text is not None
        before = F.pad(text[:, :-1], (1, 0), value=self.text.unknown)
        if known is not None:
            steps = torch.arange(text.shape[1], device=text.device)
            before = torch.where(steps <= known[:, None], self.text.unknown, before)
        return self.text.embed(before)

    def _text_loss(
        self, z: Tensor, text: Tensor, known: Tensor | None, lengths: Tensor, pad_weight: float
    ) -> Tensor:  # fmt: skip
        """Cross-entropy of the tokens, PAD counting less, so that words are not drowned by pauses."""
        assert self.text is not None
        steps = torch.arange(text.shape[1], device=text.device)
        judged = steps < lengths[:, None].to(text.device)
        if known is not None:
            judged = judged & (steps >= known[:, None])
        logits, tokens = self.text.out(z[:, : text.shape[1]][judged]).float(), text[judged]
        weight = torch.where(tokens == self.text.pad, pad_weight, 1.0)
        each = F.cross_entropy(logits, tokens, reduction="none")
        return (each * weight).sum() / weight.sum().clamp(min=1e-6)

    # ------------------------------------------------------------------------------ inference

    def init_state(self, batch_size: int = 1, capacity: int = 512) -> State:
        """The state of rows before their first step."""
        device = self.latent_mean.device
        state: State = {"backbone": self.backbone.transformer.init_state(batch_size, capacity, device)}
        if self.short is not None:
            state["short"] = self.short.init_state(batch_size, device)
        return state

    def begin(self, capacity: int, clap: Tensor | None = None, guided: bool = False) -> State:
        """The state of one row behind its CLAP prefix, if the model has one; the first step comes next.

        Args:
            capacity: steps to come.
            clap: the row's embedding [1, E], or None.
            guided: whether the backbone also runs a row that knows nothing, behind the row itself, for `conditions`
                with `cfg`.
        """
        assert self.clap is not None or (clap is None and not guided)
        state = self.init_state(1, capacity + (self.clap is not None))
        if self.clap is None:
            return state
        prefix = self.clap(clap)
        if guided:
            transformer = self.backbone.transformer
            state["backbone"] = transformer.repeat(state["backbone"], 2)
            prefix = torch.cat([prefix, self.clap(None)])
        self.backbone.prompt(prefix[:, None], state["backbone"])
        return state

    def repeat(self, state: State, rows: int) -> State:
        """The state of `rows` rows that all begin as the one row of `state` (and its guide, behind all of them)."""
        repeated: State = {"backbone": self.backbone.transformer.repeat(state["backbone"], rows)}
        if self.short is not None:
            repeated["short"] = self.short.repeat(state["short"], rows)
        return repeated

    def conditions(
        self, past: Tensor, text: Tensor | None, state: State, cfg: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """z_long and Z, each [B, S, Z], of the next S steps.

        Args:
            past: what each step hears: normalised latents [B, S, D] or codes [B, S, K], `embed.before` at first.
            text: tokens [B, S] that each step hears, `text.unknown` at first; None for a model without text.
            state: of the rows; updated in place.
            cfg: weight a of the guidance Z0 + a (Zc - Z0), of rows whose backbone states stand before those of as many
                rows that know nothing (`begin`); None for rows alone. z_short knows nothing of CLAP, so that guidance
                of z_long guides Z.
        """
        x = self.embed(past)
        if self.text is not None and text is not None:
            x = x + self.text.embed(text)
        if cfg is not None:
            x = torch.cat([x, x])
        z_long = self.backbone.condition(self.backbone.features(x, state["backbone"]))
        if cfg is not None:
            z_long = guide(z_long[: len(past)], z_long[len(past) :], cfg)
        if self.short is None or self.short_embed is None:
            return z_long, z_long
        return z_long, z_long + self.short(self.short_embed(past), state["short"]).float()

    def optimise(self, rounded: bool = False) -> None:
        """Rearrange the weights for inference on the CPU (see `nn.packed`); afterwards the model cannot be saved."""
        self.codec.optimise(rounded)
        pack(self, rounded)

    def drop_training_parts(self) -> None:
        """Forget what only training needs; released weights do not have it."""
        self.head.drop_training_parts()

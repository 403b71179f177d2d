"""CALM: backbone, sampler head, codec and conditioners as one module, with `loss` and `step`.

Shapes: B rows, T frames, P prefix positions, D latent width, M backbone width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.backbone import Backbone, guide
from calm_core.codecs import build_codec
from calm_core.conditioners import TEXT_CONDITIONERS, VoiceConditioner
from calm_core.config import TTSModelConfig
from calm_core.heads import build_head
from calm_core.nn.draws import normal, uniform
from calm_core.nn.packed import pack
from calm_core.state import State
from calm_core.types import Losses


class CALM(nn.Module):
    """A continuous audio language model for speech.

    Args:
        config: all sizes.
    """

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: TTSModelConfig):
        super().__init__()
        self.config = config
        self.codec = build_codec(config.codec)
        dim = self.codec.latent_dim
        width = config.backbone.d_model
        self.backbone = Backbone(config.backbone, dim)
        self.head = build_head(config.head, self.backbone.z_dim, latent_dim=dim)
        self.text = TEXT_CONDITIONERS[config.text.kind](config.text, width, self.codec.frame_rate)  # type: ignore[call-arg]
        self.voice = VoiceConditioner(self.codec.encoder_dim, width, config.voice.bos)
        # Statistics of the codec's latents, measured on the training set.
        self.register_buffer("latent_mean", torch.zeros(dim))
        self.register_buffer("latent_std", torch.ones(dim))

    def normalise(self, latents: Tensor) -> Tensor:
        """Codec latents [..., D] to zero mean and unit deviation for each channel."""
        return (latents - self.latent_mean) / self.latent_std

    def decoded(self, frames: Tensor) -> Tensor:
        """Codec latents [..., D] of frames as the head gives them, the inverse of `normalise`."""
        return frames * self.latent_std + self.latent_mean

    # ------------------------------------------------------------------------------- training

    def loss(
        self,
        latents: Tensor,
        lengths: Tensor,
        prefixes: Sequence[Tensor] | None = None,
        frames: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
        head_multiplier: int = 4,
        eos_weight: float = 0.1,
        input_noise: float = 0.0,
    ) -> Losses:
        """Teacher-forced loss of rows [prefix | start, x_0, ... x_{T-1}].

        Args:
            latents: [B, T, D] codec means, un-normalised, padded at the end.
            lengths: [B] frames of each row, at least 1.
            prefixes: for each row [P, M], voice and text prefix from `prefix`; None for no prefix.
            frames: [B, T, M] condition of each frame for aligned text, or None.
            generator: source of every random draw.
            head_multiplier: how often each frame meets the head with fresh noise and times.
            eos_weight: weight of the end-of-speech loss; the end is the first frame after a row.
            input_noise: largest share k of noise in the heard frames, sqrt(1 - k) x + sqrt(k) e
                with k uniform for each frame (CALM section 3.3); 0 for clean frames.

        Returns:
            The weighted sum; parts of the head, `eos` when it is asked for.
        """
        target = self.normalise(latents.float())
        count = target.shape[1]
        z = self.conditions(self.noised(target, input_noise, generator), prefixes, frames)
        valid = torch.arange(count, device=target.device) < lengths[:, None].to(target.device)
        with torch.autocast(target.device.type, enabled=False):
            logits = self.backbone.end_logits(z)
        chosen_z, chosen = z[:, :-1][valid], target[valid]
        losses = self.head.loss(chosen_z.repeat(head_multiplier, 1), chosen.repeat(head_multiplier, 1), generator)
        total, parts = losses.total, dict(losses.parts)
        if eos_weight > 0:
            steps = torch.arange(count + 1, device=target.device)
            ends = lengths[:, None].to(target.device)
            judged = steps <= ends
            eos = F.binary_cross_entropy_with_logits(logits[judged], (steps == ends).float()[judged])
            total = total + eos_weight * eos
            parts["eos"] = eos.detach()
        return Losses(total, parts)

    def noised(self, target: Tensor, input_noise: float, generator: torch.Generator | None = None) -> Tensor:
        """Normalised latents [B, T, D] as training hears them; `input_noise` as for `loss`."""
        if input_noise == 0:
            return target
        share = input_noise * uniform((*target.shape[:2], 1), target, generator)
        return (1 - share).sqrt() * target + share.sqrt() * normal(tuple(target.shape), target, generator)

    def conditions(
        self, heard: Tensor, prefixes: Sequence[Tensor] | None = None, frames: Tensor | None = None
    ) -> Tensor:
        """Conditions z [B, T + 1, Z] of whole rows, in float32.

        Args:
            heard: [B, T, D], normalised. Position t has heard the frames before t; the last one predicts the end.
            prefixes: as for `loss`.
            frames: as for `loss`.
        """
        heard = torch.cat([self.backbone.start(heard.shape[0])[:, None], heard], dim=1)
        if frames is not None:
            frames = F.pad(frames, (0, 0, 0, 1))
        features = self._features(self.backbone.embed(heard, frames), prefixes)
        with torch.autocast(heard.device.type, enabled=False):
            return self.backbone.condition(features.float())

    def _features(self, audio: Tensor, prefixes: Sequence[Tensor] | None) -> Tensor:
        """Backbone features [B, S, M] of audio inputs [B, S, M] behind prefixes of any lengths."""
        if prefixes is None:
            return self.backbone.features(audio)
        steps = audio.shape[1]
        starts = [p.shape[0] for p in prefixes]
        width = max(starts) + steps
        # Padding goes to the end of each row, where causality keeps it unseen.
        packed = [
            F.pad(torch.cat([p, a]), (0, 0, 0, width - p.shape[0] - steps))
            for p, a in zip(prefixes, audio, strict=True)
        ]
        features = self.backbone.features(torch.stack(packed))
        return torch.stack([f[s : s + steps] for f, s in zip(features, starts, strict=True)])

    def prefix(self, voice: Tensor | None, text: Tensor | None) -> Tensor:
        """One row's prefix [P, M] from voice latents [T, E] and text embeddings [P', M].

        Leaving one out is how a condition is dropped: its segment disappears from the row.
        """
        parts = [self.backbone.input_linear.weight.new_zeros(0, self.backbone.d_model)]
        if voice is not None:
            parts.append(self.voice(voice[None])[0])
        if text is not None:
            parts.append(text)
        return torch.cat(parts)

    def draw_dropout(self, rows: int, probability: float, generator: torch.Generator | None = None) -> Tensor:
        """Booleans [rows], true where a condition is to be left out."""
        where = generator.device if generator is not None else None
        return torch.rand(rows, generator=generator, device=where) < probability

    # ------------------------------------------------------------------------------ inference

    def step(
        self,
        previous: Tensor,
        noise: Tensor,
        state: State | Sequence[State],
        frames: Tensor | None = None,
        *,
        steps: int = 1,
        cfg: Sequence[float] | None = None,
        null_state: Sequence[State] | None = None,
        null_frames: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The next latent of each row.

        Args:
            previous: [B, D] normalised latents heard last, `backbone.start` at the beginning.
            noise: [B, `head.noise_width(steps)`], already scaled by the temperature.
            state: state of the rows; updated in place.
            frames: [B, M] condition of the frame to come, or None.
            steps: evaluations of the head.
            cfg: for each row of `null_state`, the guidance a in Z0 + a (Zc - Z0);
                those rows are the first ones of the batch.
            null_state: states of the same rows without conditions, in the order of the rows.
            null_frames: [len(null_state), M], frame conditions of rows that know nothing, or None.

        Returns:
            Normalised latents [B, D] and end-of-speech logits [B].
        """
        x = self.backbone.embed(previous[:, None], None if frames is None else frames[:, None])
        if not null_state:
            z = self.backbone.condition(self.backbone.features(x, state)[:, 0])
            return self.head.sample_from(z, noise, steps), self.backbone.end_logits(z)
        assert cfg is not None and not isinstance(state, dict)
        rows, guided = x.shape[0], len(null_state)
        null = self.backbone.embed(previous[:guided, None], None if null_frames is None else null_frames[:, None])
        features = self.backbone.features(torch.cat([x, null]), [*state, *null_state])[:, 0]
        z = self.backbone.condition(features)
        logits = self.backbone.end_logits(z[:rows])
        scale = torch.tensor(list(cfg), device=z.device)[:, None]
        mixed = guide(z[:guided], z[rows:], scale)
        return self.head.sample_from(torch.cat([mixed, z[guided:rows]]), noise, steps), logits

    def optimise(self, rounded: bool = False) -> None:
        """Rearrange the weights for inference on the CPU (see `nn.packed`); afterwards the model cannot be saved."""
        self.codec.optimise(rounded)
        pack(self, rounded)

    def drop_training_parts(self) -> None:
        """Forget what only training needs; released weights do not have it."""
        self.head.drop_training_parts()

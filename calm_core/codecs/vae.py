"""Causal VAE over waves: SEANet and a Transformer on each side (Mimi without its quantiser).

    wave -> SEANet -> Transformer -> strided conv -> latents -> 1x1 conv -> upsampling conv
         -> Transformer -> SEANet -> wave

The CALM paper (section 3.1, table 13) describes it; the released Pocket TTS codecs fix the details.
Releases carry only the mean of the latents; a codec that is to be trained also has log-variances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from calm_core.codecs.base import Codec
from calm_core.config import CodecTransformerConfig, VAEConfig
from calm_core.nn.conv import CausalConv1d, CausalConvTranspose1d
from calm_core.nn.packed import linear, pack
from calm_core.nn.seanet import SEANetDecoder, SEANetEncoder
from calm_core.nn.seanet_rows import RowDecoder, RowUpsample
from calm_core.nn.transformer import Transformer
from calm_core.state import State, child


class ProjectedTransformer(nn.Module):
    """A Transformer over channels-first features, with projections where widths differ."""

    def __init__(self, config: CodecTransformerConfig):
        super().__init__()
        self.transformer = Transformer(
            config.d_model,
            config.num_heads,
            config.num_layers,
            config.dim_feedforward,
            context=config.context,
            max_period=config.max_period,
            layer_scale=config.layer_scale,
        )
        same_in = config.d_model == config.input_dimension
        self.input_proj = None if same_in else nn.Linear(config.input_dimension, config.d_model, bias=False)
        (output,) = config.output_dimensions
        self.output_projs = nn.ModuleList(
            [nn.Identity() if output == config.d_model else nn.Linear(config.d_model, output, bias=False)]
        )

    def forward(self, x: Tensor, state: State | Sequence[State] | None = None) -> Tensor:
        """Map x [B, C, T] to [B, output, T]."""
        return self.rows(x.transpose(1, 2), state).transpose(1, 2)

    def rows(self, x: Tensor, state: State | Sequence[State] | None = None) -> Tensor:
        """Map x [B, T, C] to [B, T, output]."""
        if self.input_proj is not None:
            x = self.input_proj(x)
        return self.output_projs[0](self.transformer(x, state))


class Downsample(nn.Module):
    """Holder that gives a convolution the name it has in released checkpoints."""

    def __init__(self, conv: CausalConv1d):
        super().__init__()
        self.conv = conv


class Upsample(nn.Module):
    """Holder that gives a transposed convolution the name it has in released checkpoints."""

    def __init__(self, convtr: CausalConvTranspose1d):
        super().__init__()
        self.convtr = convtr


class LatentProjection(nn.Module):
    """The 1x1 convolution from latents to decoder features, and log-variances when trained."""

    def __init__(self, dimension: int, output_dimension: int, encoder_width: int | None):
        super().__init__()
        self.output_proj = nn.Conv1d(dimension, output_dimension, 1, bias=False)
        if encoder_width is not None:
            self.logvar_proj = nn.Conv1d(encoder_width, dimension, 1)
            nn.init.zeros_(self.logvar_proj.weight)
            # A wide posterior at the start drowns the signal: begin with a deviation of exp(-2).
            assert self.logvar_proj.bias is not None
            nn.init.constant_(self.logvar_proj.bias, -4.0)


class VAECodec(Codec):
    """The SEANet + Transformer codec.

    Args:
        config: sizes of all parts.
    """

    kind: ClassVar[str] = "vae"

    def __init__(self, config: VAEConfig):
        width = config.seanet.dimension
        super().__init__(
            config.sample_rate,
            config.frame_rate,
            config.quantizer.dimension,
            config.inner_dim or width,
        )
        decoder_seanet = config.decoder_seanet or config.seanet
        self.encoder = SEANetEncoder(**config.seanet.model_dump())
        # Given up for `rows` by `optimise`.
        self.decoder: SEANetDecoder | None = SEANetDecoder(**decoder_seanet.model_dump())
        self.encoder_transformer = ProjectedTransformer(config.transformer)
        self.decoder_transformer = ProjectedTransformer(config.decoder_transformer or config.transformer)
        self.stride = round(self.frame_size / math.prod(config.seanet.ratios))
        self.variational = config.variational
        self.quantizer = LatentProjection(
            self.latent_dim,
            config.quantizer.output_dimension,
            self.encoder_dim if config.variational else None,
        )
        self.rows: Rows | None = None
        self.downsample: Downsample | None = None
        self.upsample: Upsample | None = None
        if self.stride > 1:
            down = CausalConv1d(width, self.encoder_dim, 2 * self.stride, self.stride, bias=False, replicate=True)
            up = CausalConvTranspose1d(
                config.outer_dim or decoder_seanet.dimension,
                decoder_seanet.dimension,
                2 * self.stride,
                self.stride,
                groups=decoder_seanet.dimension,
                bias=False,
            )
            self.downsample = Downsample(down)
            self.upsample = Upsample(up)

    def encode(self, wave: Tensor) -> Tensor:
        """Mean latents [B, ceil(N / frame_size), encoder_dim] of wave [B, 1, N]."""
        x = self.encoder_transformer(self.encoder(self.pad(wave)))
        if self.downsample is not None:
            x = self.downsample.conv(x)
        return x.transpose(1, 2)

    def posterior(self, wave: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each [B, T, D], of wave [B, 1, N]."""
        assert self.variational, "this codec was released without its log-variances"
        mean = self.encode(wave)
        return mean, self.quantizer.logvar_proj(mean.transpose(1, 2)).transpose(1, 2)

    def init_state(self, batch_size: int = 1, device: torch.device | None = None) -> State:
        """The state of `batch_size` decoder streams before their first frame."""
        transformer = self.decoder_transformer.transformer
        # Room for the context and some pieces more: kept steps then move to the front rarely.
        capacity = 2 * (transformer.context or 128) + 4 * self.stride
        decoder, upsample = (self.rows.decoder, self.rows.upsample) if self.rows else (self.decoder, self.upsample)
        assert decoder is not None
        state = {
            "transformer": transformer.init_state(batch_size, capacity, device),
            "decoder": decoder.init_state(batch_size, device),
        }
        if upsample is not None:
            layer = upsample.convtr if isinstance(upsample, Upsample) else upsample
            state["upsample"] = layer.init_state(batch_size, device)
        return state

    def decode(self, latents: Tensor, state: State | Sequence[State] | None = None) -> Tensor:
        """Waves [B, 1, T * frame_size] of latents [B, T, D]."""
        if self.rows is not None:
            x = self.rows.start(latents, child(state, "upsample") if self.rows.upsample else None)
            x = self.decoder_transformer.rows(x, child(state, "transformer"))
            return self.rows.decoder(x, child(state, "decoder")).transpose(1, 2)
        x = self.quantizer.output_proj(latents.transpose(1, 2))
        if self.upsample is not None:
            x = self.upsample.convtr(x, child(state, "upsample"))
        x = self.decoder_transformer(x, child(state, "transformer"))
        assert self.decoder is not None
        return self.decoder(x, child(state, "decoder"))

    def optimise(self, rounded: bool = False) -> None:
        """Rearrange the weights for inference on the CPU (see `nn.packed`); afterwards the codec cannot be saved."""
        up = self.upsample
        assert self.decoder is not None
        if RowDecoder.fits(self.decoder) and (up is None or RowUpsample.fits(up.convtr)):
            self.rows = Rows(self.quantizer.output_proj.weight[:, :, 0], up, self.decoder, rounded)
            self.decoder = self.upsample = None
        pack(self, rounded)


class Rows(nn.Module):
    """The convolutions of the decoder over rows of time (see `nn.seanet_rows`)."""

    def __init__(self, projection: Tensor, upsample: Upsample | None, decoder: SEANetDecoder, rounded: bool):
        super().__init__()
        self.projection = linear(projection, None, rounded)
        self.upsample = None if upsample is None else RowUpsample(upsample.convtr)
        self.decoder = RowDecoder(decoder, rounded)

    def start(self, latents: Tensor, state: State | Sequence[State] | None) -> Tensor:
        """Transformer inputs [B, T * stride, C] of latents [B, T, D]."""
        x = self.projection(latents)
        return x if self.upsample is None else self.upsample(x, state)

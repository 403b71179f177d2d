"""The RQ-Transformer head (Lee et al. 2022; CALM section 3.1): a small Transformer over the levels of one frame.

    input of level k = map_k(z) + table_k(code k - 1)       logits of level k = out_k(norm(Transformer(inputs 0 .. k)))

As in Moshi's depth Transformer there are no positions: maps, tables and outputs of their own tell the levels apart.

Shapes: N frames, C condition width, K levels, V codes of a codebook, M width of the Transformer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from calm_core.config import RQTransformerConfig
from calm_core.heads.discrete import DiscreteHead, choose
from calm_core.nn.attention import attend
from calm_core.nn.transformer import Transformer, TransformerLayer


class RQTransformerHead(DiscreteHead):
    """Draws the levels of a frame one after the other.

    Args:
        config: sizes, and which levels share weights.
        cond_dim: C.
        levels: K.
        codebook_size: V.
    """

    kind: ClassVar[str] = "rq_transformer"

    def __init__(self, config: RQTransformerConfig, cond_dim: int, levels: int, codebook_size: int):
        super().__init__(cond_dim, levels, codebook_size)
        width = config.d_model
        last = levels if config.shared_from is None else config.shared_from
        sets = min(levels, last + 1) if config.weights_per_level else 1
        # Levels of each set of weights: one, but for the last set.
        self.shares = [1] * (sets - 1) + [levels - sets + 1]
        self.sets = nn.ModuleList(
            Transformer(width, config.num_heads, config.num_layers, config.dim_feedforward, max_period=None)
            for _ in range(sets)
        )
        self.maps = nn.Linear(cond_dim, levels * width, bias=False)  # the maps of all levels, one below the other
        self.tables = nn.ModuleList(nn.Embedding(codebook_size, width) for _ in range(levels - 1))
        self.out_norm = nn.LayerNorm(width, eps=1e-5)
        self.outs = nn.ModuleList(nn.Linear(width, codebook_size, bias=False) for _ in range(levels))

    def logits(self, z: Tensor, codes: Tensor) -> Tensor:
        """See the base; a code of -1 is heard as code 0."""
        x = self.maps(z).unflatten(-1, (self.levels, -1))
        heard = [table(code) for table, code in zip(self.tables, codes.clamp(min=0).unbind(-1), strict=False)]
        x = torch.cat([x[:, :1], x[:, 1:] + torch.stack(heard, 1)], 1) if heard else x
        x = self.out_norm(self._whole(x))
        return torch.stack([out(level) for out, level in zip(self.outs, x.unbind(1), strict=True)], 1)

    def sample_from(self, z: Tensor, uniforms: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
        """See the base."""
        maps = self.maps(z).unflatten(-1, (self.levels, -1))
        # Keys and values of all sets have one shape, so that they meet in one state.
        transformers = [
            cast(Transformer, t) for t, share in zip(self.sets, self.shares, strict=True) for _ in range(share)
        ]
        state = transformers[0].init_state(z.shape[0], self.levels, z.device)
        codes: list[Tensor] = []
        for level, transformer in enumerate(transformers):
            x = maps[:, level]
            if level > 0:
                x = x + self.tables[level - 1](codes[-1])
            x = self.out_norm(transformer(x[:, None], state)[:, 0])
            codes.append(choose(self.outs[level](x), uniforms[:, level], temperature, top_k))
        return torch.stack(codes, -1)

    def _whole(self, x: Tensor) -> Tensor:
        """All levels x [N, K, M] at once, each behind those before it."""
        for layers in self._layers():
            parts = list(zip(layers, x.split(self.shares, 1), strict=True))
            heads = [layer.self_attn.project(layer.norm1(part), None) for layer, part in parts]
            q, k, v = (torch.cat(each, 1).transpose(1, 2) for each in zip(*heads, strict=True))
            seen = attend(q, k, v, None, causal=True).transpose(1, 2).flatten(-2).split(self.shares, 1)
            x = torch.cat(
                [
                    layer.feed_forward(part + layer.layer_scale_1(layer.self_attn.out_proj(s)))
                    for (layer, part), s in zip(parts, seen, strict=True)
                ],
                1,
            )
        return x

    def _layers(self) -> Iterator[tuple[TransformerLayer, ...]]:
        """The layers of all sets, those of one depth together."""
        stacks = [cast(list[TransformerLayer], list(cast(Transformer, t).layers)) for t in self.sets]
        yield from zip(*stacks, strict=True)

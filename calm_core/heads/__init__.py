"""Sampler heads: `HEADS` of latents by their kind, and `build_head` for those and for the heads of codes."""

from typing import overload

from calm_core.config import AnyHeadConfig, DelayConfig, HeadConfig, RQTransformerConfig
from calm_core.errors import InputError
from calm_core.heads.base import Head, draw_noise, draw_uniforms
from calm_core.heads.consistency import ConsistencyHead
from calm_core.heads.delay import DelayHead, delay_codes, undelay_codes
from calm_core.heads.diffusion import DiffusionHead
from calm_core.heads.discrete import DiscreteHead
from calm_core.heads.drifting import DriftingHead
from calm_core.heads.flow_matching import FlowMatchingHead
from calm_core.heads.lsd import LSDHead
from calm_core.heads.pointwise import PointwiseHead
from calm_core.heads.rq_transformer import RQTransformerHead
from calm_core.heads.trigflow import TrigFlowHead

HEADS: dict[str, type[Head]] = {
    head.kind: head
    for head in (
        LSDHead, ConsistencyHead, TrigFlowHead, FlowMatchingHead, DiffusionHead, DriftingHead, PointwiseHead,
    )
}  # fmt: skip


@overload
def build_head(config: HeadConfig, cond_dim: int, *, latent_dim: int | None = None) -> Head: ...
@overload
def build_head(
    config: AnyHeadConfig,
    cond_dim: int,
    *,
    latent_dim: int | None = None,
    levels: int | None = None,
    codebook_size: int | None = None,
) -> Head | DiscreteHead: ...
def build_head(
    config: AnyHeadConfig,
    cond_dim: int,
    *,
    latent_dim: int | None = None,
    levels: int | None = None,
    codebook_size: int | None = None,
) -> Head | DiscreteHead:
    """The head that a configuration describes.

    Args:
        config: kind and sizes.
        cond_dim: width of the conditions.
        latent_dim: width of the codec's latents; None for a codec of codes.
        levels: codebooks of the codec; None for a codec of latents.
        codebook_size: codes in each.

    Raises:
        InputError: the head draws latents and the codec has codes, or the other way round.
    """
    if isinstance(config, HeadConfig):
        if latent_dim is None:
            raise InputError(
                f"The head '{config.kind}' draws latents, but the codec has codes;"
                " choose rq_transformer or delay, or a codec of kind vae or spectral."
            )
        return HEADS[config.kind](latent_dim, cond_dim, config.channels, config.depth)
    if levels is None or codebook_size is None:
        raise InputError(
            f"The head '{config.kind}' draws codes, but the codec has latents;"
            f" choose one of {', '.join(HEADS)}, or a codec of kind rvq."
        )
    if isinstance(config, RQTransformerConfig):
        return RQTransformerHead(config, cond_dim, levels, codebook_size)
    assert isinstance(config, DelayConfig)
    return DelayHead(cond_dim, levels, codebook_size)


__all__ = [
    "HEADS",
    "DelayHead",
    "DiscreteHead",
    "Head",
    "RQTransformerHead",
    "build_head",
    "delay_codes",
    "draw_noise",
    "draw_uniforms",
    "undelay_codes",
]

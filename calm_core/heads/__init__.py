"""Sampler heads behind one registry: `HEADS[kind](latent_dim, cond_dim, channels, depth)`."""

from calm_core.heads.base import Head, draw_noise
from calm_core.heads.consistency import ConsistencyHead
from calm_core.heads.diffusion import DiffusionHead
from calm_core.heads.drifting import DriftingHead
from calm_core.heads.flow_matching import FlowMatchingHead
from calm_core.heads.lsd import LSDHead
from calm_core.heads.pointwise import PointwiseHead
from calm_core.heads.trigflow import TrigFlowHead

HEADS: dict[str, type[Head]] = {
    head.kind: head
    for head in (
        LSDHead, ConsistencyHead, TrigFlowHead, FlowMatchingHead, DiffusionHead, DriftingHead, PointwiseHead,
    )
}  # fmt: skip

__all__ = ["HEADS", "Head", "draw_noise"]

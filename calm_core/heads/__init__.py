"""Sampler heads behind one registry: `HEADS[kind](latent_dim, cond_dim, channels, depth)`."""

from calm_core.heads.base import Head, draw_noise
from calm_core.heads.drifting import DriftingHead
from calm_core.heads.flow_matching import FlowMatchingHead
from calm_core.heads.lsd import LSDHead
from calm_core.heads.pointwise import PointwiseHead

HEADS: dict[str, type[Head]] = {head.kind: head for head in (LSDHead, FlowMatchingHead, DriftingHead, PointwiseHead)}

__all__ = ["HEADS", "Head", "draw_noise"]

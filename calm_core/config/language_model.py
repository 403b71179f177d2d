"""Backbone, sampler head and how they are sampled."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from calm_core.config.base import StrictModel


class BackboneConfig(StrictModel):
    """The Transformer over frames and what surrounds it."""

    d_model: int
    num_heads: int
    num_layers: int
    dim_feedforward: int
    max_period: float = 10_000.0
    attn_dim: int | None = None
    num_kv_heads: int | None = None
    # Width of the condition given to the head; d_model itself when None.
    z_dim: int | None = None
    # "layer": LayerNorm and a tanh-GELU feed-forward; "rms": RMSNorm, as in the Llama family.
    norm: Literal["layer", "rms"] = "layer"
    # "silu" gates the feed-forward: dim_feedforward is then the width of each of its two branches.
    gating: Literal["none", "silu"] = "none"
    # What the norms add to the variance or the mean square; text LMs differ in it (1e-8 in Helium).
    norm_eps: float = Field(default=1e-5, gt=0)


class ShortContextConfig(StrictModel):
    """The Transformer over the few last frames, without noise (CALM section 4.2)."""

    num_heads: int
    num_layers: int
    dim_feedforward: int
    # Frames that it hears: K in the paper.
    frames: int = Field(10, ge=1)
    # Whether the head draws only what a linear map of the last frame leaves open (`calm_core.nn.linear_prediction`).
    linear_prediction: bool = False


class TextStreamConfig(StrictModel):
    """The inner monologue: words written at the frames where they are spoken."""

    tokenizer: str = "sentencepiece"
    tokenizer_path: str
    # Pieces of the tokenizer; the marks PAD and EPAD come on top.
    n_bins: int
    # Frames by which the sound comes after its text (160 ms in the paper).
    delay: int = Field(2, ge=0)


class HeadConfig(StrictModel):
    """A sampler head for latents: its kind in `heads.HEADS` and the size of its network."""

    kind: Literal["lsd", "consistency", "trigflow", "flow_matching", "diffusion", "drifting", "pointwise"] = "lsd"
    channels: int
    depth: int


class RQTransformerConfig(StrictModel):
    """The head of the discrete baseline: a Transformer over the codebooks of one frame (Lee et al. 2022)."""

    kind: Literal["rq_transformer"]
    d_model: int
    num_heads: int
    num_layers: int
    dim_feedforward: int
    # Each level has Transformer weights of its own, as in Moshi. Only that explains the 701 M of the paper's head
    # (Table 14: d 1024, feed-forward 4096, 6 layers): one set is 6 x 12 x 1024^2 = 75.5 M, the eight of speech are
    # 604 M; maps of z (8 x 2560 x 1024), tables (7 x 2048 x 1024) and outputs (8 x 2048 x 1024) make it 656 M, and the
    # table of 48k text pieces (49 M) that Moshi's depth Transformer reads, and ours does not, 706 M.
    weights_per_level: bool = True
    # The levels from this one on share one set; None: none do. The 32 levels of music would otherwise have 2.4 B
    # weights in their sets, where the paper prints 701 M as for speech.
    shared_from: int | None = Field(None, ge=0)


class DelayConfig(StrictModel):
    """One linear layer a codebook; codebook k comes k frames late (MusicGen, Copet et al. 2023)."""

    kind: Literal["delay"]


AnyHeadConfig = Annotated[HeadConfig | RQTransformerConfig | DelayConfig, Field(discriminator="kind")]


class SamplingConfig(StrictModel):
    """Defaults of a model; see `types.SamplingParams`."""

    temperature: float = 0.3
    steps: int = 1
    cfg: float = 1.0
    # What guided rows are guided away from: rows that know the voice but no text ("text"), or neither. In the paper's
    # ablation of TTS (section E.5) guidance by the text alone has the lowest word error rate and the best sound,
    # guidance by both (at 1.25) the more similar voice.
    cfg_on: Literal["text", "text_and_voice"] = "text"
    noise_clamp: float | None = None
    # The end of speech is where its logit exceeds this.
    eos_threshold: float = -4.0
    # The end is ignored on the first frames: before speech begins, some voices trigger it.
    min_frames: int = 6


class ContinuationSamplingConfig(StrictModel):
    """Defaults of a model that continues sound; see `types.ContinuationParams`."""

    temperature: float = 0.8
    steps: int = 1
    text_temperature: float = 0.8
    # Of discrete heads: codes to choose from; None for all.
    top_k: int | None = None
    # Of models with CLAP: 2 for CALM's consistency head and 3 for its RQ-Transformer in the paper (Table 6).
    cfg: float = 1.0
    # By a description, where that needs another: CLAP puts descriptions only near to where their sounds are.
    text_cfg: float | None = None

    @property
    def described_cfg(self) -> float:
        """Guidance by a description."""
        return self.cfg if self.text_cfg is None else self.text_cfg

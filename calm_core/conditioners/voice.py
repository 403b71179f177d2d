"""The voice prompt: a few seconds of the speaker as encoder latents in front of the row."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class VoiceConditioner(nn.Module):
    """Projects un-normalised encoder latents to the backbone's width, after a learned start.

    Args:
        encoder_dim: width E of the codec's encoder latents.
        d_model: width M of the backbone.
        bos: whether a learned vector comes first.
    """

    def __init__(self, encoder_dim: int, d_model: int, bos: bool):
        super().__init__()
        self.proj = nn.Linear(encoder_dim, d_model, bias=False)
        self.bos = nn.Parameter(torch.randn(1, 1, d_model)) if bos else None

    def forward(self, latents: Tensor) -> Tensor:
        """Prefix [B, T (+ 1), M] of encoder latents [B, T, E]."""
        prefix = self.proj(latents.float())
        if self.bos is None:
            return prefix
        return torch.cat([self.bos.expand(prefix.shape[0], -1, -1), prefix], dim=1)


def end_in_pause(
    wave: Tensor,
    sample_rate: int,
    *,
    pause_sec: float = 0.08,
    fade_sec: float = 0.02,
    floor_db: float = 35.0,
) -> Tensor:
    """Make a voice prompt stop in a short pause.

    A prompt cut inside a word makes the model finish that word first (heard as a burst before the
    text), and one with a long silent end delays the first word. So the silence at the end, counted
    in 20 ms blocks, is removed, the last `fade_sec` fade out and `pause_sec` of zeros follow.

    Args:
        wave: [..., N].
        sample_rate: Hz.
        pause_sec: length of the pause, seconds.
        fade_sec: length of the fade before it, seconds.
        floor_db: a block this far below the loudest one is silence.

    Returns:
        [..., N'] with all dimensions but the last unchanged; shorter than a block: as it was.
    """
    block = max(1, int(0.02 * sample_rate))
    count = wave.shape[-1] // block
    if count == 0:
        return wave
    blocks = wave[..., : count * block].reshape(-1, count, block)
    level = 20 * torch.log10(blocks.square().mean(dim=(0, 2)).sqrt() + 1e-12)
    last = int(torch.nonzero(level > level.max() - floor_db)[-1]) + 1
    spoken = wave[..., : last * block].clone()
    fade = min(int(fade_sec * sample_rate), spoken.shape[-1])
    ramp = torch.linspace(1, 0, fade, device=wave.device, dtype=wave.dtype)
    spoken[..., spoken.shape[-1] - fade :] *= ramp
    silence = wave.new_zeros(*wave.shape[:-1], int(pause_sec * sample_rate))
    return torch.cat([spoken, silence], dim=-1)

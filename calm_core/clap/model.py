"""A small CLAP: an audio tower, a text tower, and the contrastive loss that puts them into one space.

    mel [B, T, F]  -> convolutions [B, T / 8, 8, C] -> Transformer [B, T / 8, M] -> pooled [B, M] -> [B, E]
    tokens [B, P]  -> table                         -> Transformer [B, P, M]     -> pooled [B, M] -> [B, E]

Shapes: B rows, T frames, F bands, P tokens, C channels, M width of a tower, E width of the shared space. What lies
beyond a row's length changes nothing: it is zero before every convolution and unseen by attention and pooling.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.clap.windows import window_count
from calm_core.config import ClapAudioConfig, ClapModelConfig, ClapTextConfig
from calm_core.nn.mel import LogMel
from calm_core.nn.rope import rotation
from calm_core.nn.transformer import TransformerLayer, build_norm

# Radford et al. 2021, section 2.5: the temperature starts at 0.07, and logits are scaled by 100 at most.
_FIRST_SCALE, _LARGEST_SCALE = 1 / 0.07, 100.0
_PERIOD = 10_000.0


def within(lengths: Tensor, steps: int) -> Tensor:
    """Boolean [B, steps], true before each row's length [B]."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


class AttentionPool(nn.Module):
    """A weighted mean over time; a learned score of each step gives its weight by softmax."""

    def __init__(self, d_model: int):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)
        nn.init.zeros_(self.score.weight)  # begins as the plain mean

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """Pool x [B, T, M] over the steps that keep [B, T] leaves, to [B, M]."""
        weights = self.score(x).squeeze(-1).float().masked_fill(~keep, float("-inf")).softmax(-1)
        return (weights.to(x.dtype)[..., None] * x).sum(1)


class Encoder(nn.Module):
    """Transformer layers that look both ways, pooling, and a linear map to a vector of length 1."""

    def __init__(self, config: ClapAudioConfig | ClapTextConfig, width: int):
        super().__init__()
        size, heads = config.d_model, config.num_heads
        assert size % heads == 0 and size // heads % 2 == 0, "d_model must divide into heads of even width"
        self.layers = nn.ModuleList(
            TransformerLayer(size, heads, config.dim_feedforward, norm="rms") for _ in range(config.num_layers)
        )
        self.norm = build_norm("rms", size)
        self.pool = AttentionPool(size)
        self.project = nn.Linear(size, width, bias=False)
        self.head_dim = size // heads

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """Embeddings [B, E] of x [B, T, M], of which keep [B, T] is true where there is something."""
        turn = rotation(0, x.shape[1], self.head_dim, _PERIOD, x.device)
        for layer in self.layers:
            x = layer(x, turn, keep[:, None, None], causal=False)
        return F.normalize(self.project(self.pool(self.norm(x), keep)).float(), dim=-1)


def build_log_mel(config: ClapAudioConfig) -> LogMel:
    """What makes the bands that an audio tower hears."""
    return LogMel(config.sample_rate, config.n_fft, config.hop, config.mels)


class AudioTower(nn.Module):
    """Log-mel bands (see `build_log_mel`) to embeddings."""

    mel_mean: Tensor
    mel_std: Tensor

    def __init__(self, config: ClapAudioConfig, width: int):
        super().__init__()
        self.config = config
        self.frame_rate = config.sample_rate / config.hop
        sizes = (1, *config.channels)
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1) for before, after in pairwise(sizes)
        )
        self.norms = nn.ModuleList(build_norm("rms", channels) for channels in config.channels)
        bands = config.mels
        for _ in config.channels:
            bands = -(-bands // 2)
        self.to_steps = nn.Linear(bands * config.channels[-1], config.d_model)
        self.encoder = Encoder(config, width)
        # Statistics of the bands, measured on the training set.
        self.register_buffer("mel_mean", torch.zeros(config.mels))
        self.register_buffer("mel_std", torch.ones(config.mels))

    @property
    def window_frames(self) -> int:
        """Frames that the tower hears at once."""
        return round(self.config.seconds * self.frame_rate)

    def forward(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings [B, E] of mel [B, T, F], of which the first lengths [B] frames count."""
        x = ((mel - self.mel_mean) / self.mel_std)[:, None]
        keep = within(lengths, x.shape[2])
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.gelu(conv(x * keep[:, None, :, None]))
            x = norm(x.movedim(1, -1)).movedim(-1, 1)
            lengths = (lengths + 1) // 2
            keep = within(lengths, x.shape[2])
        return self.encoder(self.to_steps(x.transpose(1, 2).flatten(2)), keep)

    def embed_windows(self, mel: Tensor) -> Tensor:
        """Embeddings [W, E] of the windows of one sound's bands [T, F]."""
        hop = self.window_frames // 2
        count = window_count(len(mel) / self.frame_rate, self.config.seconds)
        pieces = [mel[at * hop : at * hop + self.window_frames] for at in range(count)]
        lengths = torch.tensor([len(piece) for piece in pieces], device=mel.device)
        return self(nn.utils.rnn.pad_sequence(pieces, batch_first=True), lengths)


class TextTower(nn.Module):
    """Token ids to embeddings."""

    def __init__(self, config: ClapTextConfig, width: int):
        super().__init__()
        self.config = config
        self.padding = config.n_bins
        self.embed = nn.Embedding(config.n_bins + 1, config.d_model)  # one entry more, for padding
        nn.init.normal_(self.embed.weight, std=0.02)
        self.encoder = Encoder(config, width)

    def collate(self, rows: list[list[int]]) -> Tensor:
        """Token ids [B, P] of rows of ids, cut at `max_tokens` and padded."""
        cut = [torch.tensor(row[: self.config.max_tokens], dtype=torch.long) for row in rows]
        return nn.utils.rnn.pad_sequence(cut, batch_first=True, padding_value=self.padding)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings [B, E] of token ids [B, P]; the id `n_bins` pads."""
        return self.encoder(self.embed(tokens), tokens != self.padding)


def contrastive_loss(sounds: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Symmetric InfoNCE (Radford et al. 2021, figure 3).

    Args:
        sounds: embeddings [B, E].
        texts: embeddings [B, E]; row i describes sound i.
        scale: what multiplies the cosines, the inverse of the temperature.
        same: boolean [B, B], true where text j also describes sound i. Such pairs share the target evenly: a caption
            that two sounds of the batch have must not push either away.

    Returns:
        The mean of both directions' cross-entropies, in nats.
    """
    with torch.autocast(sounds.device.type, enabled=False):  # 16 bits cannot tell cosines times 100 apart
        logits = scale * sounds.float() @ texts.float().T
    target = same.to(logits.dtype)
    to_text = -(target / target.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    to_sound = -(target / target.sum(0, keepdim=True) * logits.log_softmax(0)).sum(0).mean()
    return (to_text + to_sound) / 2


class ClapModel(nn.Module):
    """Both towers and the learned temperature.

    Args:
        config: all sizes.
    """

    def __init__(self, config: ClapModelConfig):
        super().__init__()
        self.config = config
        self.audio = AudioTower(config.audio, config.width)
        self.text = TextTower(config.text, config.width)
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE)))

    @property
    def scale(self) -> Tensor:
        """What multiplies the cosines."""
        return self.log_scale.clamp(max=math.log(_LARGEST_SCALE)).exp()

    def loss(self, mel: Tensor, lengths: Tensor, tokens: Tensor, same: Tensor) -> Tensor:
        """See `contrastive_loss`; mel [B, T, F], lengths [B], tokens [B, P], same [B, B]."""
        return contrastive_loss(self.audio(mel, lengths), self.text(tokens), self.scale, same)

"""Aligned text: phones with predicted durations become one condition for each audio frame.

    phones  ->  encoder  ->  durations  ->  which phone sounds in each 20 ms slot  ->  one vector a frame (80 ms)

A small model that must find the alignment of text and audio by attention alone needs very many steps before it reads;
here the alignment is an input, as word times are in delayed-streams TTS (Zeghidour et al. 2025), only finer. The audio
itself is still generated frame by frame by the backbone and its head. Because the time axis is explicit, nothing is
skipped or repeated, the utterance ends exactly when its text does, and the speaking rate can be chosen.

Shapes: B rows, N phones, P voice frames, T audio frames, C encoder channels, M backbone width. Times in seconds.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from calm_core.conditioners.base import TextConditioner
from calm_core.config import AlignedTextConfig
from calm_core.errors import InputError
from calm_core.text.chunking import split_text
from calm_core.text.pronunciation import phonemize
from calm_core.types import Condition

# The phones of flite (CMU's US English set); index 0 is padding.
PHONES = (
    "_ pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
).split()
PHONE_INDEX = {phone: index for index, phone in enumerate(PHONES)}
# How the sentence ends: the intonation of the whole phrase hangs on it.
ENDINGS = (".", "?", "!")
SLOTS = 4  # time slots in a frame
# Predicted durations are kept inside what the training voices do.
MIN_PHONE_SECONDS, MAX_PHONE_SECONDS = 0.012, 0.6


class PhoneBlock(nn.Module):
    """Convolution over neighbouring phones (both directions), LayerNorm, GELU MLP, residual."""

    def __init__(self, channels: int, kernel: int, expansion: int = 2):
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, expansion * channels)
        self.contract = nn.Linear(expansion * channels, channels)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """`x [B, N, C]`, `mask [B, N, 1]` one on real positions: padding never reaches its neighbours."""
        mixed = self.depthwise((x * mask).transpose(1, 2)).transpose(1, 2)
        return x + self.contract(F.gelu(self.expand(self.norm(mixed)), approximate="tanh"))


class VoiceSummary(nn.Module):
    """A voice prompt of any length as one vector: phone-sized context, then mean and deviation over time."""

    def __init__(self, width: int, channels: int):
        super().__init__()
        self.input = nn.Linear(width, channels)
        self.blocks = nn.ModuleList(PhoneBlock(channels, 5) for _ in range(2))
        self.output = nn.Linear(2 * channels, width)

    def forward(self, voice: Tensor, mask: Tensor) -> Tensor:
        """`voice [B, P, M]` and `mask [B, P, 1]` to `[B, M]`."""
        x = self.input(voice)
        for block in self.blocks:
            x = block(x, mask)
        count = mask.sum(1).clamp(min=1)
        mean = (x * mask).sum(1) / count
        spread = (((x - mean[:, None]).square() * mask).sum(1) / count + 1e-5).sqrt()
        return self.output(torch.cat([mean, spread], dim=-1))


class AlignedText(TextConditioner):
    """Phones and their times to frame conditions. See the module's drawing.

    Args:
        config: Sizes.
        d_model: M, the backbone's width.
        frame_rate: Of the codec, frames a second.
    """

    kind: ClassVar[str] = "aligned"
    native_speed: ClassVar[bool] = True

    def __init__(self, config: AlignedTextConfig, d_model: int, frame_rate: float):
        super().__init__()
        self.config = config
        self.frame_rate = frame_rate
        self.slot_seconds = 1 / frame_rate / SLOTS
        channels = config.channels
        self.phone_embedding = nn.Embedding(len(PHONES), channels, padding_idx=0)
        self.ending_embedding = nn.Embedding(len(ENDINGS), channels)
        self.voice_input = nn.Linear(d_model, channels)
        self.blocks = nn.ModuleList(PhoneBlock(channels, 5) for _ in range(config.depth))
        self.norm = nn.LayerNorm(channels)
        self.duration_blocks = nn.ModuleList(PhoneBlock(channels, 5) for _ in range(2))
        self.duration_output = nn.Linear(channels, 1)
        self.frame_output = nn.Linear(SLOTS * (channels + 2), d_model)
        self.voice_summary = VoiceSummary(d_model, channels)
        self.no_text = nn.Parameter(torch.zeros(d_model))
        self.no_voice = nn.Parameter(torch.zeros(d_model))

    def split(self, text: str, max_tokens: int | None = None) -> list[str]:
        """Sentences of a normalised text, long ones in parts; `max_tokens` counts characters here.

        Raises:
            InputError: There is no letter to read.
        """
        pieces = split_text(text, len, max_tokens or self.config.max_characters)
        spoken = [piece for piece in pieces if any(c.isalpha() for c in piece)]
        if not spoken:
            raise InputError(f"The text {text[:40]!r} has nothing that can be read aloud; write at least one word.")
        return spoken

    def condition(self, piece: str, voice: Tensor | None = None, speed: float = 1.0) -> Condition:
        """The condition of one piece of English, see `speak`.

        Raises:
            InputError: The piece has no word.
        """
        assert voice is not None, "aligned text needs the voice that absorb_voice kept"
        tokens = phonemize(piece)
        mark = tokens[-1].mark
        ending = ENDINGS.index(mark) if mark in ENDINGS else 0
        return self.speak([token.phone for token in tokens], ending, voice, speed)

    def absorb_voice(self, prefix: Tensor) -> tuple[Tensor, Tensor]:
        """The prompt `[1, P, M]` becomes one vector `[M]`; nothing goes in front of the row."""
        mask = prefix.new_ones(*prefix.shape[:2], 1)
        return prefix[:, :0], self.voice_summary(prefix, mask)[0]

    def encode(self, phones: Tensor, endings: Tensor, voice: Tensor) -> Tensor:
        """Encoded phones `[B, N, C]` of `phones [B, N]` (0 pads), `endings [B]`, `voice [B, M]`."""
        mask = (phones > 0).unsqueeze(-1).float()
        whole = self.ending_embedding(endings) + self.voice_input(voice)
        x = self.phone_embedding(phones) + whole[:, None]
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

    def log_durations(self, encoded: Tensor, phones: Tensor) -> Tensor:
        """Natural logarithm of each phone's duration in seconds, `[B, N]`; gradients stop at the encoder."""
        mask = (phones > 0).unsqueeze(-1).float()
        x = encoded.detach()
        for block in self.duration_blocks:
            x = block(x, mask)
        return self.duration_output(x).squeeze(-1).float() - 2.6  # about 75 ms before training

    def align(self, encoded: Tensor, ends: Tensor, frames: int) -> Tensor:
        """Conditions `[B, frames, M]` from `encoded [B, N, C]` and the phones' end times `ends [B, N]`.

        Slots after the last phone belong to the last phone. `ends` of padding must repeat the last end.
        """
        slots = frames * SLOTS
        time = (torch.arange(slots, device=ends.device) + 0.5) * self.slot_seconds
        time = time.expand(ends.shape[0], slots).contiguous()
        index = torch.searchsorted(ends.contiguous(), time, right=True).clamp(max=ends.shape[1] - 1)
        starts = F.pad(ends[:, :-1], (1, 0))
        begin, end = starts.gather(1, index), ends.gather(1, index)
        length = (end - begin).clamp(min=0.005)
        place = ((time - begin) / length).clamp(0, 1)
        taken = encoded.gather(1, index.unsqueeze(-1).expand(-1, -1, encoded.shape[-1]))
        features = torch.cat([taken, place.unsqueeze(-1), length.log().unsqueeze(-1) + 2.6], dim=-1)
        return self.frame_output(features.unflatten(1, (frames, SLOTS)).flatten(2))

    @torch.no_grad()
    def speak(self, phones: list[str], ending: int, voice: Tensor, speed: float = 1.0) -> Condition:
        """The condition of one piece whose phones are known.

        Args:
            phones: Names out of `PHONES`, beginning and ending with `pau`.
            ending: Index into `ENDINGS`.
            voice: `[M]`, what `absorb_voice` kept of the speaker.
            speed: Divides every duration.
        """
        ids = torch.tensor([[PHONE_INDEX[phone] for phone in phones]], device=voice.device)
        encoded = self.encode(ids, torch.tensor([ending], device=voice.device), voice[None])
        seconds = self.log_durations(encoded, ids).exp().clamp(MIN_PHONE_SECONDS, MAX_PHONE_SECONDS) / speed
        ends = seconds.cumsum(1)
        count = max(1, int(torch.ceil(ends[0, -1] * self.frame_rate)))
        frames = self.align(encoded, ends, count)[0] + voice
        nothing = (self.no_text + self.no_voice).expand(count, -1)
        textless = (self.no_text + voice).expand(count, -1)
        return Condition(voice.new_zeros(0, voice.shape[-1]), frames, nothing, textless, max_frames=count)

"""Conditioners: text behind the registry `TEXT_CONDITIONERS`, voice and CLAP beside it."""

from calm_core.conditioners.aligned import AlignedText
from calm_core.conditioners.base import TextConditioner
from calm_core.conditioners.clap import ClapEmbedder, ClapPrefix
from calm_core.conditioners.text import PrefixText
from calm_core.conditioners.voice import VoiceConditioner

# Built as `TEXT_CONDITIONERS[config.kind](config, d_model, frame_rate)`.
TEXT_CONDITIONERS: dict[str, type[TextConditioner]] = {c.kind: c for c in (PrefixText, AlignedText)}

__all__ = [
    "TEXT_CONDITIONERS",
    "AlignedText",
    "ClapEmbedder",
    "ClapPrefix",
    "PrefixText",
    "TextConditioner",
    "VoiceConditioner",
]

"""Sounds and captions in one space (CLAP): a model of our own, and others' through transformers.

`clap.embed_text(["slow piano"]) @ clap.embed_audio(audio).T` is the cosine of a caption and a sound.
"""

from calm_core.clap.base import Clap
from calm_core.clap.loading import load_clap

__all__ = ["Clap", "load_clap"]

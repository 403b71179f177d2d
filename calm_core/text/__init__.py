"""Text: normalised, cut into sentences, turned into phones."""

from calm_core.text.normaliser import normalise

__all__ = ["normalise"]

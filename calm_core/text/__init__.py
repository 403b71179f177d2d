"""Text: normalised, cut into sentences, turned into phones."""

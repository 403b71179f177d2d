"""Layers shared by codecs, heads and the backbone."""

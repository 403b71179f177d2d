"""Recordings that others made: where they lie, what is said of them, and how a corpus is made of them."""

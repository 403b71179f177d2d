"""Samples of the bundled models in tables: what is described, how it is made, what the page shows."""

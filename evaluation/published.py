"""Ratings that the CALM paper publishes (Rouard et al. 2025), Elo points with the half width of their 95 % interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedRating:
    """One row of one table."""

    system: str
    elo: float
    half_width: float


def _rows(*rows: tuple[str, float, float]) -> tuple[PublishedRating, ...]:
    return tuple(PublishedRating(*row) for row in rows)


PAPER: dict[str, tuple[PublishedRating, ...]] = {
    "table 2, meaningfulness of speech": _rows(
        ("Reference", 2180, 30),
        ("RQ-Transformer 8 RVQ, temperature 1.0", 1841, 25),
        ("RQ-Transformer 8 RVQ, temperature 0.8", 1870, 30),
        ("CALM consistency 1 step, temperature 1.0", 1947, 28),
        ("CALM consistency 1 step, temperature 0.8", 2023, 27),
    ),
    "table 3, speaker similarity": _rows(
        ("Reference", 1953, 24),
        ("F5-TTS", 2032, 18),
        ("DSM 16 RVQ", 2112, 20),
        ("CALM LSD 1 step", 1966, 23),
    ),
    "table 4, enjoyment of music": _rows(
        ("Reference", 2166, 33),
        ("RQ-Transformer 32 RVQ", 1824, 29),
        ("RQ-Transformer 16 RVQ", 1781, 29),
        ("CALM consistency 1 step", 1857, 28),
        ("CALM consistency 4 steps", 1847, 24),
        ("CALM TrigFlow 100 steps", 1921, 29),
        ("MusicGen medium", 1761, 33),
    ),
    "table 6, enjoyment of text-to-music": _rows(
        ("Reference", 2104, 24),
        ("RQ-Transformer 32 RVQ", 1998, 24),
        ("CALM consistency 4 steps", 1998, 24),
        ("MusicGen medium", 1946, 25),
    ),
    "table 12, audio quality": _rows(
        ("F5-TTS", 1949, 27),
        ("DSM", 1959, 25),
        ("Chatterbox Turbo", 2055, 23),
        ("Pocket TTS", 2016, 25),
    ),
    "table 12, speaker similarity": _rows(
        ("F5-TTS", 1946, 26),
        ("DSM", 2037, 21),
        ("Chatterbox Turbo", 2012, 22),
        ("Pocket TTS", 1898, 26),
    ),
}

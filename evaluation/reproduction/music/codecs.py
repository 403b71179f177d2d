"""Codecs of music: table 7 of CALM, dimensions of a VAE against levels of residual codebooks."""

from functools import cache
from typing import Any

from evaluation.reproduction import fingerprints
from evaluation.reproduction.music.continuation import real_of
from evaluation.reproduction.music.desk import Desk, comparable
from evaluation.reproduction.music.sets import chosen, orders, pairs, with_interval
from evaluation.reproduction.music.settings import System
from evaluation.reproduction.records import Figures, Record
from evaluation.reproduction.section import Section, show

KIND = "codec"
FIGURES = ("visqol_audio", "si_snr")


def record_of(desk: Desk, model: str) -> Record | None:
    """Held-out music after a codec, beside what it was."""
    asked = desk.settings
    weights = fingerprints.of_model(model)
    settings = {
        "corpus": desk.corpus, "judged": asked.judged, "sounds": asked.sounds, "seconds": asked.seconds,
        "prompt_seconds": asked.prompt_seconds,
    }  # fmt: skip

    def measure(seeds: list[int]) -> dict[int, Figures]:
        from evaluation.bundled.engine import Reconstruction
        from evaluation.metrics import find_metric

        scores = {name: find_metric(name).load() for name in FIGURES}
        codec = cache(lambda: Reconstruction(model, asked.device))

        def hear(number: int, piece: Any) -> list[Any]:
            original = real_of(desk, piece)
            decoded = codec()(original)
            return [{"item": piece.name} | {name: score(original, decoded) for name, score in scores.items()}]

        kept = {**settings, "weights": weights}
        rows = desk.parts(f"{KIND}-{System(model).label}", kept, desk.prompts[: asked.sounds], hear)
        figures = Figures(clips={name: {row["item"]: row[name] for row in rows} for name in FIGURES})
        figures.facts = {"clips": len(rows), "bits a second": codec().bitrate}
        return {0: figures}

    ready = desk.held_out is not None
    return desk.record(KIND, System(model).label, weights, settings, [0], measure, ready=ready)


def codecs(desk: Desk) -> Section:
    """Table 7: what codecs leave of music."""
    asked = desk.settings
    models = {
        asked.found("calm-codec-music-dims-128"): ("VAE, 128 dims", 4.01, 10.3),
        asked.found("calm-codec-music-dims-96"): ("VAE, 96 dims", 3.65, 9.76),
        asked.found("calm-codec-music-dims-32"): ("VAE, 32 dims", 2.23, 5.51),
        asked.found("rq-codec-music-levels-32"): ("32 RVQ", 3.63, 9.61),
        asked.found("rq-codec-music-levels-16"): None,
        asked.codec: ("VAE, 128 dims", 4.01, 10.3),
        asked.rq_codec: None,
        asked.found("calm-codec-music-wave"): ("VAE, 128 dims", 4.01, 10.3),
    }
    found = {System(model).label: record_of(desk, model) for model in models}
    kept, missing = comparable(found)
    rows, paper = [], {}
    for model, said in models.items():
        label = System(model).label
        if said:
            paper[label] = dict(zip(FIGURES, said[1:], strict=True))
        if label not in kept:
            continue
        figures = chosen(kept[label], [0])
        bits = figures[0].facts["bits a second"]
        row: dict[str, Any] = {"system": label, "paper": f"{said[0]}: {said[1]:g}, {said[2]:g} dB" if said else "-"}
        row |= {"kbit/s": "-" if bits is None else f"{bits / 1000:.1f}", "clips": figures[0].facts["clips"]}
        for name in FIGURES:
            row |= with_interval(name, pairs(figures, name))
        rows.append(row)
    vae, middle, small, codes, _, own, *_ = (System(model).label for model in models)
    claims = [(vae, middle), (middle, small), (vae, small), (own, codes)]
    text = (
        f"{asked.sounds} clips of {asked.seconds:g} s of held-out pieces. ViSQOL is in audio mode; SI-SNR counts a "
        "shift of phase as an error, and so says nothing of codecs that make phases of their own. All of this report's "
        "are such but the last, since small models do not foresee latents that carry the wave. Widths compare with "
        "each other, trained for as long as the VAE of this report's models, which has 64 dimensions; codes compare "
        "with that VAE, around which they were trained. The codec over codes that this report's models use has fewer "
        "levels than any of the paper's. The paper also has EnCodec with 4 RVQ at 50 Hz: 2.41, 5.62 dB."
    )
    parts = [text, show(rows) if rows else "", missing]
    return Section(
        "Codecs (table 7)",
        "\n\n".join(part for part in parts if part),
        orders(kept, claims, [0], "table 7", paper, FIGURES),
    )

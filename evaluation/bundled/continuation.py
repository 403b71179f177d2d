"""How models go on from a prompt that they never heard, beside how the story really went on (CALM, table 2).

    real             the held-out speaker going on
    codec            the same after encoding and decoding, one for each codec in use
    MODEL at T       a model's continuation at a temperature of sound and text

PPX: perplexity of what is heard, under an n-gram model of the training texts. VERT: how much the transcripts repeat
themselves and each other. Content: words heard that are not the words that were thought (or, of real speech, said).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.bundled.engine import Continuation, Reconstruction, progress
from evaluation.bundled.intelligibility import recognise, save_clips
from evaluation.bundled.passages import Passage, held_out_passages, training_texts
from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.intervals import bootstrap_ratio
from evaluation.metrics import find_metric


@dataclass(frozen=True)
class Settings:
    """What to compare, on what."""

    models: Sequence[str] = ("calm-continuation-en", "rq-continuation-en")
    codecs: Sequence[str] = ("calm-codec-speech", "rq-codec-speech")
    temperatures: Sequence[float] = (0.8, 1.0)
    prompts: int = 20
    prompt_seconds: float = 2.96  # whole frames
    seconds: float = 15.0
    seeds: Sequence[int] = (0, 1, 2)
    device: str = "cpu"
    processes: int = 2
    audio_dir: Path | None = None


@dataclass(frozen=True)
class Told:
    """One continuation, heard and compared.

    Attributes:
        system: What made it.
        seed: Of the draw.
        heard: Transcript of the recogniser.
        wrong: Words heard wrongly.
        words: Words thought or said.
        own: Cosine of the voice to the prompt's.
        nearest_other: To the most similar prompt of another speaker.
        loudness_change: Level of the last third against the first, dB.
    """

    system: str
    seed: int
    heard: str
    wrong: int
    words: int
    own: float
    nearest_other: float
    loudness_change: float


def loudness_change(clip: Clip) -> float:
    """Level of the last third of a clip against its first third, dB."""
    third = len(clip.samples) // 3
    first, last = (float(np.square(part).mean()) for part in (clip.samples[:third], clip.samples[-third:]))
    return 10 * float(np.log10(max(last, 1e-10) / max(first, 1e-10)))


Loaded = tuple[dict[str, Reconstruction], dict[str, Continuation]]


def _load(settings: Settings) -> Loaded:
    codecs = {Path(name).name: Reconstruction(name, settings.device) for name in settings.codecs}
    return codecs, {Path(name).name: Continuation(name, settings.device) for name in settings.models}


def _continue(settings: Settings, loaded: Loaded, passages: Sequence[Passage]) -> list[tuple[str, int, list[Clip]]]:
    sets: list[tuple[str, int, list[Clip]]] = [("real", 0, [passage.rest for passage in passages])]
    codecs, models = loaded
    for name, reconstruct in codecs.items():
        sets.append((name, 0, [reconstruct(passage.rest) for passage in progress(name, passages)]))
    for name, model in models.items():
        for temperature in settings.temperatures:
            system = f"{name} at {temperature:g}"
            for seed in settings.seeds:
                clips = [
                    model.go_on(f"{p.speaker}-{seed}", p.prompt, settings.seconds, seed * 1000 + number, temperature)
                    for number, p in enumerate(progress(f"{system}, seed {seed}", passages))
                ]
                sets.append((system, seed, clips))
    return sets


def measure(settings: Settings) -> list[Told]:
    """Continue every prompt with every system and listen; one row a continuation.

    Raises:
        InputError: Too few passages, a missing model, package or flite.
    """
    loaded = _load(settings)  # before any work is done for them
    passages = held_out_passages(settings.prompts, settings.prompt_seconds, settings.seconds)
    find_metric("speaker_similarity").load()
    from evaluation.metrics.recognition import word_errors
    from evaluation.metrics.speaker import embedding

    prompts = np.stack([embedding(passage.prompt) for passage in passages])
    rows = []
    for system, seed, clips in _continue(settings, loaded, passages):
        if settings.audio_dir:
            save_clips(clips, settings.audio_dir / system.replace(" ", "-"))
        heard = recognise(clips, f"{system}, recognised", settings.processes)
        for number, (clip, text) in enumerate(zip(clips, heard, strict=True)):
            cosines = prompts @ _voice(clip, embedding)
            wrong, words = word_errors(clip.transcript or "", text)
            others = float(np.delete(cosines, number).max())
            rows.append(Told(system, seed, text, wrong, words, float(cosines[number]), others, loudness_change(clip)))
    return rows


def _voice(clip: Clip, embedding) -> np.ndarray:
    try:
        return embedding(clip)
    except InputError:  # silence is nobody's voice
        return np.zeros(256)


def summarise(rows: Sequence[Told], draws_seed: int = 0) -> list[dict[str, object]]:
    """A row a system: figures over all clips and seeds with bootstrap intervals over clips; VERT over the seeds."""
    from evaluation.metrics.diversity import vert
    from evaluation.metrics.perplexity import NGram

    language = NGram.train(training_texts())
    table = []
    real_ppx = None
    for system in dict.fromkeys(row.system for row in rows):
        members = [row for row in rows if row.system == system]
        rng = np.random.default_rng(draws_seed)
        surprises = [s for s in (language.surprise(row.heard) for row in members) if s is not None]
        ppx = np.exp(bootstrap_ratio([(s.nats, s.tokens) for s in surprises], rng)) if surprises else [np.nan] * 3
        real_ppx = real_ppx or float(ppx[0])
        content = bootstrap_ratio([(100.0 * row.wrong, float(row.words)) for row in members], rng)
        own = bootstrap_ratio([(row.own, 1.0) for row in members], rng)
        rank1 = bootstrap_ratio([(100.0 * (row.own > row.nearest_other), 1.0) for row in members], rng)
        verts = [
            vert([row.heard for row in members if row.seed == seed]).vert
            for seed in sorted({row.seed for row in members})
        ]
        table.append(
            {
                "system": system,
                "clips": len(members),
                **_named("ppx", ppx),
                "ppx_ratio": float(ppx[0]) / real_ppx,
                "vert": 100 * float(np.mean(verts)),
                "vert_low": 100 * min(verts),
                "vert_high": 100 * max(verts),
                **_named("content_wer", content),
                **_named("similarity", own),
                **_named("rank1", rank1),
                "loudness_change": float(np.mean([row.loudness_change for row in members])),
            }
        )
    return table


def _named(name: str, figures: Sequence[float]) -> dict[str, float]:
    keys = (name, f"{name}_low", f"{name}_high")
    return {key: float(value) for key, value in zip(keys, figures, strict=True)}

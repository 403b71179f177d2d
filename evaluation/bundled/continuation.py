"""How models go on from a prompt that they never heard, beside how the story really went on (CALM, table 2).

    real             the speaker going on
    codec            the same after encoding and decoding, one for each codec in use
    MODEL at T       a model's continuation at a temperature of the sound; the text keeps the model's own

PPX: perplexity of what is heard, under an n-gram model of the training texts. VERT: how much the transcripts repeat
themselves and each other. Content: words heard that are not the words that were thought (or, of real speech, said).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.bundled.engine import Continuation, Reconstruction, progress
from evaluation.bundled.intelligibility import recognise, save_clips
from evaluation.bundled.passages import Passage, Speakers, held_out_passages, training_texts
from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.intervals import bootstrap_ratio
from evaluation.metrics import find_metric
from evaluation.metrics.signal import level_db


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
    speakers: Speakers = "held-out"
    device: str = "cpu"
    processes: int = 2
    audio_dir: Path | None = None
    real: bool = True  # whether the speaker going on is heard as well


@dataclass(frozen=True)
class Told:
    """One continuation, heard and compared.

    Attributes:
        system: What made it.
        prompt: Number of the prompt.
        seed: Of the draw.
        heard: Transcript of the recogniser.
        wrong: Words heard wrongly.
        words: Words thought or said.
        own: Cosine of the voice to the prompt's.
        nearest_other: To the most similar prompt of another speaker.
    """

    system: str
    prompt: int
    seed: int
    heard: str
    wrong: int
    words: int
    own: float
    nearest_other: float


@dataclass(frozen=True)
class End:
    """The first or the last seconds of a continuation.

    Attributes:
        system: What made it.
        prompt: Number of the prompt.
        end: `first` or `last`.
        level_db: Mean power.
        wrong: Words heard wrongly.
        words: Words thought or said in these seconds.
        own: Cosine of the voice to the prompt's.
    """

    system: str
    prompt: int
    end: str
    level_db: float
    wrong: int
    words: int
    own: float


Timed = tuple[Clip, list[tuple[str, float]]]
"""A clip and its words, each with the second at which it begins."""


Loaded = tuple[dict[str, Reconstruction], dict[str, Continuation]]


def _load(settings: Settings) -> Loaded:
    codecs = {Path(name).name: Reconstruction(name, settings.device) for name in settings.codecs}
    return codecs, {Path(name).name: Continuation(name, settings.device) for name in settings.models}


def _continue(settings: Settings, loaded: Loaded, passages: Sequence[Passage]) -> list[tuple[str, int, list[Timed]]]:
    sets: list[tuple[str, int, list[Timed]]] = []
    if settings.real:
        sets.append(("real", 0, [(p.rest, p.words) for p in passages]))
    codecs, models = loaded
    for name, reconstruct in codecs.items():
        sets.append((name, 0, [(reconstruct(p.rest), p.words) for p in progress(name, passages)]))
    for name, model in models.items():
        for temperature in settings.temperatures:
            system = f"{name} at {temperature:g}"
            for seed in settings.seeds:
                clips = [
                    model.go_on(
                        f"{p.prompt.item}-{seed}", p.prompt, settings.seconds, seed * 1000 + number, temperature
                    )
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
    passages = held_out_passages(settings.prompts, settings.prompt_seconds, settings.seconds, settings.speakers)
    find_metric("speaker_similarity").load()
    from evaluation.metrics.recognition import word_errors
    from evaluation.metrics.speaker import embedding

    prompts = np.stack([embedding(passage.prompt) for passage in passages])
    speakers = np.array([passage.speaker for passage in passages])
    rows = []
    for system, seed, made in _continue(settings, loaded, passages):
        clips = [clip for clip, _ in made]
        if settings.audio_dir:
            save_clips(clips, settings.audio_dir / system.replace(" ", "-"))
        heard = recognise(clips, f"{system}, recognised", settings.processes)
        for number, (clip, text) in enumerate(zip(clips, heard, strict=True)):
            cosines = prompts @ _voice(clip, embedding)
            wrong, words = word_errors(clip.transcript or "", text)
            others = float(cosines[speakers != speakers[number]].max())
            rows.append(Told(system, number, seed, text, wrong, words, float(cosines[number]), others))
    return rows


def ends(settings: Settings, part_seconds: float = 5.0) -> list[End]:
    """The first and last seconds of continuations, by the first of the seeds; two rows a continuation.

    Raises:
        InputError: As for `measure`.
    """
    loaded = _load(settings)
    passages = held_out_passages(settings.prompts, settings.prompt_seconds, settings.seconds, settings.speakers)
    find_metric("speaker_similarity").load()
    from evaluation.metrics.recognition import word_errors
    from evaluation.metrics.speaker import embedding

    prompts = [embedding(passage.prompt) for passage in passages]
    rows = []
    for system, seed, made in _continue(settings, loaded, passages):
        if seed != settings.seeds[0] and system != "real":
            continue
        for end, begin in (("first", 0.0), ("last", settings.seconds - part_seconds)):
            parts = [_part(clip, words, begin, part_seconds) for clip, words in made]
            heard = recognise(parts, f"{system}, {end} seconds, recognised", settings.processes)
            for number, (part, text) in enumerate(zip(parts, heard, strict=True)):
                wrong, words = word_errors(part.transcript or "", text)
                own = float(prompts[number] @ _voice(part, embedding))
                rows.append(End(system, number, end, level_db(part), wrong, words, own))
    return rows


def _part(clip: Clip, words: Sequence[tuple[str, float]], begin: float, seconds: float) -> Clip:
    first, last = round(begin * clip.sample_rate), round((begin + seconds) * clip.sample_rate)
    said = " ".join(word for word, start in words if begin <= start < begin + seconds)
    return Clip(clip.item, clip.samples[first:last], clip.sample_rate, said)


def vert_by_seed(rows: Sequence[Told]) -> list[float]:
    """VERT in percent of each seed's transcripts of one system; NaN where nothing was heard."""
    from evaluation.metrics.diversity import vert

    found = []
    for seed in sorted({row.seed for row in rows}):
        texts = [row.heard for row in rows if row.seed == seed]
        found.append(100 * vert(texts).vert if any(texts) else np.nan)
    return found


def _voice(clip: Clip, embedding) -> np.ndarray:
    try:
        return embedding(clip)
    except InputError:  # silence is nobody's voice
        return np.zeros(256)


def summarise(rows: Sequence[Told], draws_seed: int = 0) -> list[dict[str, object]]:
    """A row a system: figures over all clips and seeds with bootstrap intervals over clips; VERT over the seeds."""
    from evaluation.metrics.perplexity import NGram

    language = NGram.train(training_texts())
    table = []
    real_ppx = None
    for system in dict.fromkeys(row.system for row in rows):
        members = [row for row in rows if row.system == system]
        rng = np.random.default_rng(draws_seed)
        surprises = [s for s in (language.surprise(row.heard) for row in members) if s is not None]
        ppx = (
            np.exp(bootstrap_ratio([(s.nats, s.tokens) for s in surprises], rng)).tolist()
            if surprises
            else [np.nan] * 3
        )
        real_ppx = real_ppx or float(ppx[0])
        content = bootstrap_ratio([(100.0 * row.wrong, float(row.words)) for row in members], rng)
        own = bootstrap_ratio([(row.own, 1.0) for row in members], rng)
        rank1 = bootstrap_ratio([(100.0 * (row.own > row.nearest_other), 1.0) for row in members], rng)
        verts = vert_by_seed(members)
        table.append(
            {
                "system": system,
                "clips": len(members),
                **_named("ppx", ppx),
                "ppx_ratio": float(ppx[0]) / real_ppx,
                # Words that the stories do not have count as one word, which makes PPX look better than it is.
                "unknown_words": 100 * sum(s.unknown for s in surprises) / max(1, sum(s.tokens for s in surprises)),
                "vert": float(np.mean(verts)),
                "vert_low": min(verts),
                "vert_high": max(verts),
                **_named("content_wer", content),
                **_named("similarity", own),
                **_named("rank1", rank1),
            }
        )
    return table


def _named(name: str, figures: Sequence[float]) -> dict[str, float]:
    keys = (name, f"{name}_low", f"{name}_high")
    return {key: float(value) for key, value in zip(keys, figures, strict=True)}

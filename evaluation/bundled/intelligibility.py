"""How well a recogniser understands bundled models, beside their source voices and beside their codec alone.

Sentence i is read by voice i modulo the number of voices (or by all), the same pairs in every system:

    source   flite and the vocoder, as in the training corpus
    codec    the source after encoding and decoding: the best that the model could do
    model    the model under test, in its bundled voice of that name; several models, or one sampled in several ways,
             take turns sentence by sentence, so that whatever else the machine does falls on the speed of all
"""

import multiprocessing
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evaluation.bundled.engine import Reconstruction, Speech, Speed, Spoken, Variant, median_speed, progress
from evaluation.bundled.sentences import Sentence
from evaluation.bundled.sources import corpus_speakers, read_aloud
from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.intervals import bootstrap_ratio
from evaluation.metrics import find_metric

SYSTEMS = ("source", "codec", "model")


@dataclass(frozen=True)
class Settings:
    """What to compare, on what."""

    sentences: Sequence[Sentence]
    systems: Sequence[str] = SYSTEMS
    voices: Sequence[str] = ()
    every_voice: bool = False
    models: Sequence[Variant] = (Variant("model", "calm-tts-en"),)
    codec: str = "calm-codec-speech"
    device: str = "cpu"
    seed: int = 0
    processes: int = 2
    similarity: bool = False
    audio_dir: Path | None = None


@dataclass
class Heard:
    """One sentence of one system as the recogniser heard it.

    `similarity` is the cosine of the clip to the source voice reading the same sentence, where it was asked for.
    """

    system: str
    voice: str
    said: str
    text: str
    word_errors: tuple[int, int] = field(default=(0, 0))
    character_errors: tuple[int, int] = field(default=(0, 0))
    similarity: float | None = None
    speed: Speed | None = None


def choose_voices(wanted: Sequence[str], bundled: Sequence[str], sources: Sequence[str]) -> list[str]:
    """The wanted voices, or all bundled ones that the corpus knows, or flite's own four where no model is loaded.

    Raises:
        InputError: A wanted voice is unknown.
    """
    known = [name for name in bundled if name in sources] if bundled else list(sources)
    for name in wanted:
        if name not in known:
            raise InputError(f"There is no source for a voice {name!r}; choose from {', '.join(known)}.")
    chosen = list(wanted) or (known if bundled else [name for name in sources if "-" not in name])
    if not chosen:
        raise InputError("None of the model's voices is a speaker of the corpus; name some with --voices.")
    return chosen


def _listen(clip: Clip) -> str:
    from evaluation.metrics.recognition import transcribe

    return transcribe(clip)


def recognise(clips: Sequence[Clip], label: str, processes: int) -> list[str]:
    """What the recogniser hears in each clip; in several processes where that pays."""
    find_metric("wer").load()  # a missing package is said here and not by a worker
    if processes == 1 or len(clips) < 8:
        return [_listen(clip) for clip in progress(label, clips)]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        return [pending.result() for pending in progress(label, [pool.submit(_listen, clip) for clip in clips])]


def save_clips(clips: Sequence[Clip], folder: Path) -> None:
    """Write clips and their transcripts, `ITEM.wav` and `ITEM.txt`.

    Raises:
        InputError: The folder cannot be written to.
    """
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        path = folder / f"{clip.item}.wav"
        try:
            soundfile.write(path, clip.samples, clip.sample_rate)
        except soundfile.LibsndfileError as error:
            raise InputError(f"Cannot write {path}; choose another --audio-dir.") from error
        (folder / f"{clip.item}.txt").write_text(f"{clip.transcript}\n", encoding="utf-8")


def measure(settings: Settings) -> list[Heard]:
    """Speak, reconstruct, generate and recognise; one row a sentence, voice and system.

    Raises:
        InputError: An unknown system, model or voice, or a missing package or flite.
    """
    for system in settings.systems:
        if system not in SYSTEMS:
            raise InputError(f"There is no system {system!r}; choose from {', '.join(SYSTEMS)}.")
    training, _ = corpus_speakers()
    speeches = [Speech(v, settings.device) for v in settings.models] if "model" in settings.systems else []
    voices = choose_voices(settings.voices, speeches[0].bundled_voices() if speeches else (), list(training))
    pairs = [
        (number, sentence, voice)
        for number, sentence in enumerate(settings.sentences)
        for voice in (voices if settings.every_voice else [voices[number % len(voices)]])
    ]
    clips: dict[str, list[Clip]] = {}
    if settings.similarity:
        find_metric("speaker_similarity").load()
    if settings.similarity or {"source", "codec"} & set(settings.systems):
        clips["source"] = [
            read_aloud(f"{number:03d}-{voice}", sentence.written, training[voice], sentence.said)
            for number, sentence, voice in progress("source", pairs)
        ]
    if "codec" in settings.systems:
        reconstruct = Reconstruction(settings.codec, settings.device)
        clips["codec"] = [reconstruct(clip) for clip in progress("codec", clips["source"])]
    speeds: dict[str, list[Speed]] = {}
    for speech, spoken in zip(speeches, _speak(speeches, voices, pairs, settings.seed), strict=True):
        clips[speech.variant.label] = [made.clip for made in spoken]
        speeds[speech.variant.label] = [made.speed for made in spoken]
    labels = [
        label
        for system in settings.systems
        for label in ([v.label for v in settings.models] if system == "model" else [system])
    ]
    rows = {label: _score(label, clips[label], pairs, settings) for label in labels}
    for label, found in speeds.items():
        for row, value in zip(rows[label], found, strict=True):
            row.speed = value
    if settings.similarity:
        _compare_voices(rows, clips)
    return [row for label in labels for row in rows[label]]


Pairs = Sequence[tuple[int, Sentence, str]]


def _speak(speeches: Sequence[Speech], voices: Sequence[str], pairs: Pairs, seed: int) -> list[list[Spoken]]:
    """What each model says, in turns; a first sentence, which starts threads, is said once before and not counted."""
    ready = [{voice: speech.voice(voice) for voice in voices} for speech in speeches]
    spoken: list[list[Spoken]] = [[] for _ in speeches]
    for index, (number, sentence, voice) in enumerate(progress("model", pairs) if speeches else ()):
        for speech, known, made in zip(speeches, ready, spoken, strict=True):
            for _ in range(2 if index == 0 else 1):
                clip = speech.say(f"{number:03d}-{voice}", sentence.written, known[voice], seed + number, sentence.said)
            made.append(clip)
    return spoken


def _score(system: str, clips: Sequence[Clip], pairs: Pairs, settings: Settings) -> list[Heard]:
    from evaluation.metrics.recognition import character_errors, word_errors

    if settings.audio_dir:
        save_clips(clips, settings.audio_dir / folder_name(system))
    texts = recognise(clips, f"{system}, recognised", settings.processes)
    return [
        Heard(
            system, voice, sentence.said, text, word_errors(sentence.said, text), character_errors(sentence.said, text)
        )
        for text, (_, sentence, voice) in zip(texts, pairs, strict=True)
    ]


def folder_name(label: str) -> str:
    """A system's name as that of a folder: "calm-tts-en, cfg 1.5" is "calm-tts-en-cfg-1.5"."""
    return re.sub(r"[^\w.-]+", "-", label).strip("-")


def _compare_voices(rows: dict[str, list[Heard]], clips: dict[str, list[Clip]]) -> None:
    from evaluation.metrics.speaker import embedding

    sources = [embedding(clip) for clip in progress("voices of source", clips["source"])]
    for label in (name for name in rows if name != "source"):
        compared = zip(rows[label], sources, progress(f"voices of {label}", clips[label]), strict=True)
        for row, source, clip in compared:
            row.similarity = float(source @ embedding(clip))


def summarise(rows: Sequence[Heard], seed: int = 0) -> list[dict[str, object]]:
    """WER and CER in percent with bootstrap intervals over sentences, a row a system and a row a system and voice.

    Rows of models also have their speed, and all but the source's the mean similarity, where any was measured.
    """
    groups: dict[tuple[str, str], list[Heard]] = {}
    for row in rows:
        groups.setdefault((row.system, "all"), []).append(row)
    for row in rows:
        groups.setdefault((row.system, row.voice), []).append(row)
    table = []
    for (system, voice), members in groups.items():
        rng = np.random.default_rng(seed)
        wer = bootstrap_ratio([row.word_errors for row in members], rng)
        cer = bootstrap_ratio([row.character_errors for row in members], rng)
        figures = (100 * value for value in (*wer, *cer))
        names = ("wer", "wer_low", "wer_high", "cer", "cer_low", "cer_high")
        line: dict[str, object] = {"system": system, "voice": voice, "sentences": len(members)}
        line |= dict(zip(names, figures, strict=True))
        if any(row.similarity is not None for row in rows):
            known = [row.similarity for row in members if row.similarity is not None]
            line["similarity"] = float(np.mean(known)) if known else None
        if any(row.speed for row in rows):
            line |= median_speed([row.speed for row in members])
        table.append(line)
    return table

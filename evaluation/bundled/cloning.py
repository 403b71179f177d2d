"""Whether bundled models keep a voice that it never heard in training, from a prompt of a few seconds.

For each held-out speaker of the corpus: some real readings enrol the speaker, others make the prompt, and yet other
sentences are judged. A clip is recognised (rank 1) when its embedding is nearest to the right speaker among all.

    real    the speaker reading the judged sentences: the ceiling
    codec   the same after encoding and decoding
    model   a model reading them in the voice cloned from the prompt; several take turns
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.bundled.engine import Reconstruction, Speech, Speed, Variant, median_speed, progress
from evaluation.bundled.sentences import Sentence
from evaluation.bundled.sources import corpus_speakers, first_seconds, read_aloud
from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.intervals import bootstrap_ratio
from evaluation.metrics import find_metric

SYSTEMS = ("real", "codec", "model")
_ENROLMENT = 4  # real readings that a speaker's mean embedding is made of
_PROMPTS = 2  # sentences that are joined and cut to the prompt's length


@dataclass(frozen=True)
class Settings:
    """What to compare, on what."""

    sentences: Sequence[Sentence]
    systems: Sequence[str] = SYSTEMS
    speakers: int = 20
    per_speaker: int = 3
    prompt_seconds: float = 3.0
    models: Sequence[Variant] = (Variant("model", "calm-tts-en"),)
    codec: str = "calm-codec-speech"
    device: str = "cpu"
    seed: int = 0


@dataclass(frozen=True)
class Match:
    """One judged clip: cosine to its own speaker, to the nearest other one, and whether its own is nearest."""

    system: str
    speaker: str
    own: float
    nearest_other: float
    speed: Speed | None = None

    @property
    def recognised(self) -> bool:
        """Whether the right speaker is the nearest of all."""
        return self.own > self.nearest_other


def match(
    system: str,
    names: Sequence[str],
    enrolled: np.ndarray,
    speaker: int,
    embedding: np.ndarray,
    speed: Speed | None = None,
) -> Match:
    """Compare an embedding `[D]` with the enrolled speakers `[S, D]`, all of length 1."""
    cosines = enrolled @ embedding
    return Match(system, names[speaker], float(cosines[speaker]), float(np.delete(cosines, speaker).max()), speed)


def measure(settings: Settings) -> list[Match]:
    """Enrol, prompt, generate and compare; one row a judged clip.

    Raises:
        InputError: Too few sentences or speakers, an unknown system, or a missing model, package or flite.
    """
    for system in settings.systems:
        if system not in SYSTEMS:
            raise InputError(f"There is no system {system!r}; choose from {', '.join(SYSTEMS)}.")
    needed = _ENROLMENT + _PROMPTS + settings.per_speaker
    if len(settings.sentences) < needed:
        raise InputError(f"Cloning needs at least {needed} sentences; {len(settings.sentences)} were given.")
    _, held_out = corpus_speakers()
    if not 2 <= settings.speakers <= len(held_out):
        raise InputError(f"--speakers must lie between 2 and {len(held_out)}, the number of held-out speakers.")
    names = list(held_out)[: settings.speakers]
    speeches = [Speech(v, settings.device) for v in settings.models] if "model" in settings.systems else []
    reconstruct = Reconstruction(settings.codec, settings.device) if "codec" in settings.systems else None
    find_metric("speaker_similarity").load()
    from evaluation.metrics.speaker import embedding

    enrolled, judged = [], []
    for number, name in enumerate(progress("speakers", names)):
        rng = np.random.default_rng([settings.seed, number])
        order = [settings.sentences[index] for index in rng.permutation(len(settings.sentences))[:needed]]
        real = [read_aloud(f"{name}-{i}", text.written, held_out[name], text.said) for i, text in enumerate(order)]
        mean = np.mean([embedding(clip) for clip in real[:_ENROLMENT]], axis=0)
        enrolled.append(mean / np.linalg.norm(mean))
        targets = real[_ENROLMENT + _PROMPTS :]
        clips: list[tuple[str, Clip, Speed | None]] = []
        if "real" in settings.systems:
            clips += [("real", clip, None) for clip in targets]
        if reconstruct:
            clips += [("codec", reconstruct(clip), None) for clip in targets]
        prompts = real[_ENROLMENT : _ENROLMENT + _PROMPTS]
        voices = [speech.voice(first_seconds(prompts, settings.prompt_seconds)) for speech in speeches]
        for index, text in enumerate(order[_ENROLMENT + _PROMPTS :]):
            seed = settings.seed + 1000 * number + index
            for speech, voice in zip(speeches, voices, strict=True):
                spoken = speech.say(f"{name}-model-{index}", text.written, voice, seed)
                clips.append((speech.variant.label, spoken.clip, spoken.speed))
        judged += [(system, number, embedding(clip), speed) for system, clip, speed in clips]
    rows = [match(system, names, np.stack(enrolled), number, vector, speed) for system, number, vector, speed in judged]
    order_of = {label: place for place, label in enumerate(dict.fromkeys(row.system for row in rows))}
    return sorted(rows, key=lambda row: order_of[row.system])


def summarise(rows: Sequence[Match], seed: int = 0) -> list[dict[str, object]]:
    """Mean cosine to the right and to the nearest other speaker, and rank-1 accuracy in percent, with intervals.

    Rows of models also have their speed.
    """
    table = []
    for system in dict.fromkeys(row.system for row in rows):
        members = [row for row in rows if row.system == system]
        rng = np.random.default_rng(seed)
        own = bootstrap_ratio([(row.own, 1.0) for row in members], rng)
        accuracy = bootstrap_ratio([(100.0 * row.recognised, 1.0) for row in members], rng)
        table.append(
            {
                "system": system,
                "clips": len(members),
                **dict(zip(("cosine", "cosine_low", "cosine_high"), own, strict=True)),
                "nearest_other": float(np.mean([row.nearest_other for row in members])),
                **dict(zip(("rank1", "rank1_low", "rank1_high"), accuracy, strict=True)),
                **(median_speed([row.speed for row in members]) if any(row.speed for row in rows) else {}),
            }
        )
    return table

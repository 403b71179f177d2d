"""Recordings for the bundled preset voices: a few seconds of some of the corpus's training speakers.

`python -m calm_core.training.preset_voices` writes them to assets/voices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf
import yaml

from calm_core.training.speakers import Speaker, make_speakers
from calm_core.training.synthesize import CORPUS_RATE, load_recipe, speak

ROOT = Path(__file__).parents[2]
# flite's own voices, and variations that are far apart and still sound natural.
PRESETS = "slt rms awb kal16 slt-023 rms-011 slt-028 awb-013 slt-016 rms-005 awb-017 rms-001".split()

# Read by every preset; in no training text.
PROMPT = "I left my umbrella at the little station, so I walked home slowly through the warm summer rain."
LICENCE = "made with flite voices (BSD-style CMU licence)"
_KINDS = {
    "slt": "American woman",
    "rms": "American man",
    "awb": "Scottish man",
    "kal16": "American man, older synthesiser",
}


def describe(speaker: Speaker) -> str:
    """A few words about how a speaker sounds, from the numbers that made it."""
    words = [_KINDS[speaker.base]]
    for low, value, high in (
        ("lower", speaker.pitch, "higher"),
        ("larger", speaker.formants, "smaller"),
        ("slower", speaker.rate, "faster"),
    ):
        if value < 0.93:
            words.append(low)
        elif value > 1.07:
            words.append(high)
    if speaker.breath > 0.15:
        words.append("breathy")
    return ", ".join(words)


def write_presets(speakers: list[Speaker], folder: Path, seconds: float = 5.0) -> None:
    """Write one FLAC a speaker and `voices.yaml`, which lists them in the given order.

    Args:
        speakers: The preset voices.
        folder: Where the files go; made if absent.
        seconds: Longest recording; cut at a frame of 80 ms.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = {}
    for speaker in speakers:
        samples = speak(PROMPT, speaker)[: round(seconds * CORPUS_RATE)]
        name = f"{speaker.name}.flac"
        sf.write(folder / name, np.round(samples * 32767).astype(np.int16), CORPUS_RATE, subtype="PCM_16")
        index[speaker.name] = {
            "file": name,
            "language": "en",
            "licence": LICENCE,
            "description": describe(speaker),
            "source": f"flite {speaker.base}" + ("" if speaker.is_original else ", changed with WORLD"),
        }
    (folder / "voices.yaml").write_text(yaml.safe_dump(index, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    recipe = load_recipe(ROOT / "calm_core" / "configs" / "corpus_speech.yaml", [])
    by_name = {s.name: s for s in make_speakers(recipe.speakers_per_voice, recipe.held_out_speakers, recipe.seed)[0]}
    write_presets([by_name[name] for name in PRESETS], ROOT / "assets" / "voices")

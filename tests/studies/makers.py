"""Small studies for tests: YAML and sounds, made on the spot."""

from pathlib import Path

import numpy as np
import soundfile
import yaml

SYSTEMS = ("one", "two")


def study(kind: str = "mos", **changes: object) -> dict:
    """The values of a small study that is in order; None takes a key away."""
    values: dict = {
        "slug": f"small-{kind}",
        "title": {"en": "A small study", "fr": "Une petite étude"},
        "kind": kind,
        "question": {"en": "How good does it sound?", "fr": "Quelle est la qualité du son ?"},
        "systems": [{"name": "one"}, {"name": "two"}],
        "prompts": [{"name": f"p{number}"} for number in range(4)],
        "items_per_session": 3,
        "files": "audio/{system}/{prompt}.wav",
    }
    if kind == "mushra":
        values["systems"] = [{"name": "ref", "role": "reference"}, *values["systems"]]
        values["anchors"] = ["low", "mid"]
    values |= changes
    return {key: value for key, value in values.items() if value is not None}


def text(values: dict) -> str:
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False)


def speechlike(seed: int, seconds: float = 1.0, rate: int = 24_000, level: float = 0.1) -> np.ndarray:
    """Noise with a spectrum that falls towards high frequencies, and slow swells."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(round(seconds * rate)))
    frequency = np.fft.rfftfreq(round(seconds * rate), 1 / rate)
    wave = np.fft.irfft(spectrum / (1 + frequency / 500), round(seconds * rate))
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(len(wave)) / rate)
    return level * swell * wave / np.sqrt(np.mean(wave**2))


def write_folder(folder: Path, values: dict, rate: int = 24_000) -> Path:
    """A study's folder with a sound for every system and prompt; each one has its own level and length."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(text(values), encoding="utf-8")
    for number, system in enumerate(values["systems"]):
        for at, prompt in enumerate(values["prompts"]):
            path = folder / values["files"].format(system=system["name"], prompt=prompt["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            wave = speechlike(100 * number + at, 1.0 + 0.1 * number, rate, level=0.02 * (1 + number + at))
            soundfile.write(path, wave, rate, subtype="PCM_16")
    return folder

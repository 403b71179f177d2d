"""Speakers for the synthetic corpus: flite voices changed by the WORLD vocoder in pitch, formants, rate and breath.

A speaker is a handful of numbers, so a corpus is described completely by its recipe and a held-out speaker can be
made again anywhere. WORLD: Morise et al. 2016 (pyworld).
"""

import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

FLITE_VOICES = ("slt", "rms", "awb", "kal16")
FLITE_RATE = 16_000
_FRAME_MS = 5.0


@dataclass(frozen=True)
class Speaker:
    """One synthetic speaker.

    Attributes:
        name: Unique name.
        base: flite voice it starts from.
        pitch: Factor on the fundamental frequency.
        intonation: Exponent on the pitch contour around its mean: below 1 flatter, above 1 livelier.
        formants: Factor on the frequency axis of the spectral envelope (above 1: a shorter vocal tract).
        rate: Factor on the speaking rate; above 1 is faster.
        tilt_db: Spectral tilt in dB an octave around 1 kHz.
        breath: Added aperiodicity, 0 to 1.
    """

    name: str
    base: str
    pitch: float = 1.0
    intonation: float = 1.0
    formants: float = 1.0
    rate: float = 1.0
    tilt_db: float = 0.0
    breath: float = 0.0

    @property
    def is_original(self) -> bool:
        """Whether the voice is flite's own, so that the vocoder need not run."""
        return self == Speaker(self.name, self.base)

    def as_dict(self) -> dict[str, object]:
        """The speaker as plain JSON values."""
        return asdict(self)


def _draw(rng: np.random.Generator, name: str, base: str) -> Speaker:
    size = rng.normal()  # one latent "body size" ties pitch and formants together, as it does in people
    return Speaker(
        name=name,
        base=base,
        pitch=float(np.clip(np.exp(0.16 * size + 0.14 * rng.normal()), 0.68, 1.5)),
        intonation=float(rng.uniform(0.6, 1.5)),
        formants=float(np.clip(np.exp(0.055 * size + 0.06 * rng.normal()), 0.84, 1.2)),
        rate=float(rng.uniform(0.85, 1.18)),
        tilt_db=float(rng.uniform(-2.5, 2.5)),
        breath=float(max(0.0, rng.uniform(-0.25, 0.35))),
    )


def _features(speaker: Speaker) -> np.ndarray:
    """A speaker as a point in which distance roughly follows how different two voices sound."""
    base = [3.0 * (speaker.base == voice) for voice in FLITE_VOICES]
    return np.array(
        [
            *base,
            np.log(speaker.pitch) / 0.12,
            np.log(speaker.formants) / 0.045,
            speaker.tilt_db / 1.8,
            speaker.breath / 0.2,
        ]
    )


def make_speakers(per_voice: int, held_out: int, seed: int) -> tuple[list[Speaker], list[Speaker]]:
    """Training speakers (flite's own voices among them) and held-out speakers that differ from one another.

    Args:
        per_voice: Training variations of each flite voice.
        held_out: Number of held-out speakers, spread over the voices by farthest-point sampling.
        seed: Seed of every draw.
    """
    rng = np.random.default_rng(seed)
    training = [Speaker(voice, voice) for voice in FLITE_VOICES]
    for voice in FLITE_VOICES:
        training += [_draw(rng, f"{voice}-{index:03d}", voice) for index in range(per_voice)]
    candidates = [_draw(rng, "candidate", FLITE_VOICES[index % len(FLITE_VOICES)]) for index in range(60 * held_out)]
    points = np.stack([_features(candidate) for candidate in candidates])
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < held_out:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    picked = [candidates[index] for index in chosen]
    return training, [Speaker(**{**s.as_dict(), "name": f"heldout-{i:02d}"}) for i, s in enumerate(picked)]  # type: ignore[arg-type]


def read_with_flite(text: str, voice: str) -> tuple[np.ndarray, list[tuple[str, float]]]:
    """Let flite read a text.

    Args:
        text: Plain English.
        voice: One of `FLITE_VOICES`.

    Returns:
        Samples `[T]` at 16 kHz as float64, and the phones read with their end times in seconds.

    Raises:
        RuntimeError: flite is not installed or failed; the message says which.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(path)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        except FileNotFoundError:
            raise RuntimeError("flite is not installed; on Debian: apt-get install flite") from None
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"flite could not read {text[:60]!r}: {error.stderr.strip()[:200]}") from None
        samples, rate = sf.read(path, dtype="float64")
    assert rate == FLITE_RATE
    phones = [(name, float(end)) for name, end in re.findall(r"(\S+):(\d+\.\d+)", done.stdout)]
    return samples, phones


@dataclass(frozen=True)
class WorldAnalysis:
    """WORLD parameters of one utterance: `f0 [N]` Hz, `envelope [N, F]` power, `aperiodicity [N, F]` 0..1."""

    f0: np.ndarray
    envelope: np.ndarray
    aperiodicity: np.ndarray


def analyse(samples: np.ndarray) -> WorldAnalysis:
    """WORLD analysis of 16 kHz samples `[T]` with a 5 ms period."""
    pyworld: Any = import_module("pyworld")  # compiled, without types

    f0, times = pyworld.dio(samples, FLITE_RATE, frame_period=_FRAME_MS)
    f0 = pyworld.stonemask(samples, f0, times, FLITE_RATE)
    envelope = pyworld.cheaptrick(samples, f0, times, FLITE_RATE)
    return WorldAnalysis(f0, envelope, pyworld.d4c(samples, f0, times, FLITE_RATE))


def _warp(bins: np.ndarray, factor: float) -> np.ndarray:
    """`bins [N, F]` with the frequency axis stretched by `factor`, linearly interpolated."""
    last = bins.shape[1] - 1
    position = np.minimum(np.arange(last + 1) / factor, last)
    low = np.minimum(position.astype(int), last - 1)
    weight = position - low
    return bins[:, low] * (1 - weight) + bins[:, low + 1] * weight


def revoice(world: WorldAnalysis, speaker: Speaker) -> np.ndarray:
    """Samples `[T']` at 16 kHz of the analysed utterance in the speaker's voice; `T'` is about `T / rate`."""
    pyworld: Any = import_module("pyworld")  # compiled, without types

    voiced = world.f0 > 0
    centre = np.exp(np.log(world.f0[voiced]).mean()) if voiced.any() else 1.0
    f0 = np.where(voiced, centre * speaker.pitch * (np.maximum(world.f0, 1.0) / centre) ** speaker.intonation, 0.0)
    log_envelope = _warp(np.log(world.envelope + 1e-12), speaker.formants)
    octaves = np.log2(np.maximum(np.linspace(0, FLITE_RATE / 2, log_envelope.shape[1]), 125.0) / 1000.0)
    log_envelope += speaker.tilt_db * octaves * (np.log(10) / 10)
    aperiodicity = _warp(world.aperiodicity, speaker.formants)
    aperiodicity = np.clip(
        aperiodicity + speaker.breath * (1 - aperiodicity) * np.linspace(0, 1, aperiodicity.shape[1]), 0, 1
    )
    return pyworld.synthesize(
        f0,
        np.ascontiguousarray(np.exp(log_envelope)),
        np.ascontiguousarray(aperiodicity),
        FLITE_RATE,
        _FRAME_MS / speaker.rate,
    )

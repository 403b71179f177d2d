"""Whether music is in the key that its caption names: chroma by librosa, key profiles, the score of MIREX."""

import re
from dataclasses import dataclass

import numpy as np

from evaluation.clips import Clip
from evaluation.errors import InputError
from evaluation.metrics.optional import require

LIBROSA = "librosa==0.11.0"
_RATE = 22_050
_SHORTEST_SEC = 1.0
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# ratings of how well a tone fits, from the tonic upwards (Krumhansl and Kessler 1982, table 1)
_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


@dataclass(frozen=True)
class Key:
    """A key: its tonic in semitones above C, and `major` or `minor`."""

    tonic: int
    mode: str

    def __str__(self) -> str:
        return f"{_NAMES[self.tonic]} {self.mode}"


def read_key(text: str, mode: str | None = None) -> Key:
    """A key as captions write it: `Bb`, `B flat` or `F#` with the mode apart, or `C# minor`, `E flat major`, `Am`.

    Raises:
        InputError: It is none.
    """
    sign = text.strip().replace("\N{MUSIC SHARP SIGN}", "#").replace("\N{MUSIC FLAT SIGN}", "b")
    sign = re.sub(r"^([A-Ga-g])[ -]sharp\b", r"\1#", re.sub(r"^([A-Ga-g])[ -]flat\b", r"\1b", sign))
    found = re.fullmatch(r"([A-Ga-g])([#b]?)\s*(m|min|minor|maj|major)?", sign)
    scale = mode.strip().lower() if mode else ((found[3] or "major") if found else "")
    scale = {"m": "minor", "min": "minor", "maj": "major"}.get(scale, scale)
    if not found or scale not in _PROFILES:
        raise InputError(f"There is no key {text!r} {mode or ''}; write a note such as F# or Bb and major or minor.")
    return Key((_STEPS[found[1].lower()] + {"#": 1, "b": -1, "": 0}[found[2]]) % 12, scale)


def key_of_chroma(chroma: np.ndarray) -> Key:
    """The key whose profile correlates best with the strengths `[12]` of the tones from C upwards (Krumhansl 1990)."""
    scores = {
        Key(tonic, mode): float(np.corrcoef(chroma, np.roll(profile, tonic))[0, 1])
        for mode, profile in _PROFILES.items()
        for tonic in range(12)
    }
    return max(scores, key=lambda key: scores[key])


def find_key(clip: Clip) -> Key | None:
    """The key of a clip, by the mean of its constant-Q chroma; None where no tone stands out, as in silence.

    Raises:
        InputError: librosa is missing, or the clip is shorter than 1 s.
    """
    require("librosa", "The metric key_agreement", LIBROSA)
    from librosa.feature import chroma_cqt

    if clip.seconds < _SHORTEST_SEC:
        raise InputError(f"{clip.item} lasts {clip.seconds:.2f} s; a key needs at least {_SHORTEST_SEC:g} s.")
    samples = clip.at(_RATE)
    if not samples.any():
        return None
    # norm=None: frames count by their strength, so that the silence between notes does not
    strength = chroma_cqt(y=samples.astype(np.float32), sr=_RATE, norm=None).mean(axis=1)
    return key_of_chroma(strength) if np.ptp(strength) > 0 else None


def key_score(found: Key, true: Key) -> float:
    """MIREX's weighted score: same key 1, a fifth apart (either way, same mode) 0.5, relative 0.3, parallel 0.2."""
    if found == true:
        return 1.0
    interval = (found.tonic - true.tonic) % 12
    if found.mode == true.mode:
        return 0.5 if interval in (5, 7) else 0.0
    if interval == 0:
        return 0.2
    return 0.3 if interval == (9 if true.mode == "major" else 3) else 0.0

"""The sounds of a study made ready: one rate, one loudness, anchors, one size for each prompt, named by content."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from app.studies.anchors import CUTOFF, AnchorKind, make_anchor
from app.studies.faults import Fault, StudyFileError
from app.studies.loudness import Levels, amplified, level, loudness, true_peak
from app.studies.schema import ANCHOR_NAMES, FILE_NAME, Study
from app.studies.sounds import MAX_SECONDS, Sound, alike, read_sound, wave_bytes

MAX_FAULTS = 50  # told at once
_LONG_SECONDS = 12.0
Key = tuple[str, str]  # system, prompt
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Ready:
    """A stimulus as it is served.

    Attributes:
        digest: SHA-256 of the file.
        path: Relative to the media root.
        seconds: Of sound, without the silence that makes the files of a prompt equally long.
        lufs: Integrated loudness; None for a sound too short or quiet to have one.
    """

    system: str
    prompt: str
    digest: str
    path: str
    seconds: float
    sample_rate: int
    channels: int
    lufs: float | None


@dataclass(frozen=True)
class Batch:
    """All stimuli of a study, and what was done to them."""

    stimuli: list[Ready]
    levels: Levels
    notes: list[str]


def prepare(study: Study, folder: Path, media_root: Path, told: Progress | None = None) -> Batch:
    """Check every sound of a study and put it into the media root as it will be served.

    All sounds get the highest rate and number of channels that occurs, so that no header gives a system away.

    Args:
        study: What is needed.
        folder: Where its files are.
        media_root: Where they go; files there are named by their content, so that doing it again changes nothing.
        told: Called with the number of steps done and of all steps.

    Raises:
        StudyFileError: Sounds are missing or cannot be used; all of them are named.
        OSError: The media root cannot be written.
    """
    wanted: dict[Key, Path] = {
        (system.name, prompt.name): folder / path for system, prompt, path in study.stimuli()
    }  # fmt: skip
    told = told or (lambda done, of: None)
    done, steps = 0, 3 * len(wanted)
    forms: dict[Key, tuple[int, int, int]] = {}
    faults: list[Fault] = []
    for key, path in wanted.items():
        done += 1
        told(done, steps)
        try:
            sound = read_sound(path, path.relative_to(folder).as_posix(), max_seconds=MAX_SECONDS)
            forms[key] = sound.rate, sound.channels, len(sound.samples)
        except StudyFileError as error:
            place = ("prompts", next(at for at, one in enumerate(study.prompts) if one.name == key[1]))
            faults.append(Fault(place, f"{error.name}: {error.faults[0].message}"))
    rate = max((form[0] for form in forms.values()), default=48_000)
    kinds = list(study.anchors)
    for kind in kinds:
        if rate < CUTOFF[kind] * 2 * 1.02:
            faults.append(Fault(("anchors",), f"an anchor at {CUTOFF[kind]:g} Hz needs a higher rate than {rate} Hz."))
    if faults:
        raise StudyFileError(FILE_NAME, faults[:MAX_FAULTS])
    channels = max(form[1] for form in forms.values())
    frames = {key: round(form[2] * rate / form[0]) for key, form in forms.items()}

    reference = study.reference_name()
    measured: dict[str, tuple[float, float]] = {}
    for (system, prompt), path in wanted.items():
        done += 1
        told(done, steps)
        sound = alike(read_sound(path), rate, channels)
        peaks = [true_peak(sound)]
        if system == reference:  # the anchors get the reference's gain, so their peaks count too
            peaks += [true_peak(make_anchor(sound, kind)) for kind in kinds]
        measured[_label(system, prompt)] = loudness(sound), max(peaks)
    levels = level(measured, study.loudness_lufs)

    longest = {prompt: max(frames[key] for key in frames if key[1] == prompt) for _, prompt in wanted}
    stimuli: list[Ready] = []
    for (system, prompt), path in wanted.items():
        done += 1
        told(done, steps)
        sound = amplified(alike(read_sound(path), rate, channels), levels.gains[_label(system, prompt)])
        stimuli.append(keep_sound(sound, system, prompt, longest[prompt], media_root))
        if system == reference:
            stimuli += [
                keep_sound(make_anchor(sound, kind), ANCHOR_NAMES[kind], prompt, longest[prompt], media_root)
                for kind in kinds
            ]
    notes = _notes(forms, rate, channels, levels, kinds)
    if study.kind == "mushra" and max(longest.values()) > _LONG_SECONDS * rate:
        notes.append(
            f"BS.1534-3 prefers excerpts of at most 12 s; the longest lasts {max(longest.values()) / rate:.0f} s."
        )
    return Batch(stimuli, levels, notes)


def _label(system: str, prompt: str) -> str:
    return f"{system}/{prompt}"


def keep_sound(sound: Sound, system: str, prompt: str, frames: int, media_root: Path) -> Ready:
    """Write a sound as it is served, `frames` samples long, into the media root under a name of its content.

    Raises:
        OSError: the media root cannot be written.
    """
    # the dither follows from the sound, so that the same study always gives the same files
    seed = hashlib.sha256(sound.samples.tobytes()).digest()[:16]
    data = wave_bytes(sound, frames, np.random.default_rng(int.from_bytes(seed)))
    digest = hashlib.sha256(data).hexdigest()
    relative = f"{digest[:2]}/{digest[2:]}.wav"
    path = media_root / relative
    if not (path.is_file() and path.stat().st_size == len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    measured = loudness(sound)
    ready = Ready(system, prompt, digest, relative, sound.seconds, sound.rate, sound.channels, None)
    return replace(ready, lufs=round(measured, 3)) if np.isfinite(measured) else ready


def _notes(
    forms: dict[Key, tuple[int, int, int]], rate: int, channels: int, levels: Levels, kinds: list[AnchorKind]
) -> list[str]:
    """What was done to the sounds, one sentence each."""
    notes = [f"{len(forms)} sounds at {rate} Hz in {channels} channel{'s' if channels > 1 else ''}."]
    if others := sum(form[0] != rate for form in forms.values()):
        notes.append(f"{others} of them were resampled: one rate for all, so that no header tells a system.")
    if others := sum(form[1] != channels for form in forms.values()):
        notes.append(f"{others} mono sounds were copied to both ears.")
    if levels.lufs is not None:
        notes.append(f"All have a loudness of {levels.lufs:.1f} LUFS.")
    if levels.limited_by and levels.target is not None and levels.lufs is not None:
        notes.append(
            f"The target of {levels.target:g} LUFS would clip {levels.limited_by}, so all are "
            f"{levels.target - levels.lufs:.1f} dB quieter."
        )
    elif levels.limited_by:
        notes.append(f"All were lowered alike so that {levels.limited_by} does not clip.")
    notes += [f"The anchor at {CUTOFF[kind]:g} Hz was made from the reference." for kind in kinds]
    return notes

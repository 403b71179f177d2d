"""Play a piece: fluidsynth with a General MIDI sound font, in one of several rooms, mixed to mono."""

from __future__ import annotations

import random
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf

from calm_core.errors import InputError
from calm_core.training.loudness import normalise_loudness
from calm_core.training.music.midi import write_midi
from calm_core.training.music.notes import Piece

MUSIC_RATE = 32_000
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_TAIL_SECONDS = 1.5  # of the last notes' decay and the room's
_TIMEOUT_SECONDS = 180


def check_renderer(sound_font: Path = SOUND_FONT) -> None:
    """Find out early whether pieces can be played.

    Raises:
        InputError: fluidsynth or the sound font is missing.
    """
    try:
        subprocess.run(["fluidsynth", "--version"], capture_output=True, check=True, timeout=20)
    except (FileNotFoundError, subprocess.SubprocessError):
        raise InputError("fluidsynth is not installed; on Debian: apt-get install fluidsynth") from None
    if not sound_font.is_file():
        raise InputError(
            f"There is no sound font {sound_font}; on Debian: apt-get install fluid-soundfont-gm, or set sound_font."
        )


def play(piece: Piece, seed: int, sound_font: Path = SOUND_FONT, loudness_lufs: float = -18.0) -> np.ndarray:
    """The sound of a piece: mono samples `[T]` at 32 kHz, float64, with the last notes' decay.

    Args:
        piece: what to play.
        seed: of the room, the volumes and the uneven timing.
        sound_font: SoundFont 2 file with the General MIDI programs.
        loudness_lufs: loudness (ITU-R BS.1770) that the whole is brought to.

    Raises:
        RuntimeError: fluidsynth failed; the message says how.
    """
    r = random.Random(seed)
    options = {
        "synth.reverb.room-size": r.uniform(0.2, 0.9),
        "synth.reverb.level": r.uniform(0.2, 0.8),
        "synth.reverb.damp": r.uniform(0.1, 0.6),
        "synth.reverb.width": 0.5,
        "synth.dynamic-sample-loading": 1,  # the sounds in use alone, not all 140 MB
    }
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "score.mid", Path(folder) / "sound.wav"
        write_midi(piece, score, seed)
        command = [
            "fluidsynth",
            "-ni",
            "-q",
            "-F",
            str(sound),
            "-r",
            str(MUSIC_RATE),
            "-T",
            "wav",
            "-O",
            "float",
            "-g",
            "0.4",
        ]
        command += [part for name, value in options.items() for part in ("-o", f"{name}={value:.3g}")]
        try:
            subprocess.run(
                [*command, str(sound_font), str(score)], capture_output=True, text=True, check=True,
                timeout=_TIMEOUT_SECONDS,
            )  # fmt: skip
        except FileNotFoundError:
            raise RuntimeError("fluidsynth is not installed; on Debian: apt-get install fluidsynth") from None
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"fluidsynth could not play a piece: {error.stderr.strip()[:200]}") from None
        samples, _ = sf.read(sound, dtype="float64", always_2d=True)
    mono = samples.mean(axis=1)[: round((piece.seconds + _TAIL_SECONDS) * MUSIC_RATE)]
    fade = np.minimum(1.0, np.arange(len(mono))[::-1] / (0.5 * MUSIC_RATE))  # a tail that is cut must not click
    return normalise_loudness(mono * fade, MUSIC_RATE, loudness_lufs)

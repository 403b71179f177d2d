"""Sound files of studies: what is taken, one loudness, no clipping, sizes that tell nothing."""

import io
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.studies.faults import StudyFileError
from app.studies.loudness import CEILING_DBTP, amplified, level, loudness, true_peak
from app.studies.sounds import Sound, alike, read_sound, wave_bytes
from tests.studies.makers import speechlike


def tone(hertz: float, rate: int = 48_000, seconds: float = 2.0, amplitude: float = 1.0) -> Sound:
    return Sound(amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)[:, None], rate)


def test_loudness_has_the_published_value() -> None:
    # BS.1770-4: a full-scale tone of 997 Hz in one channel reads -3.01 LUFS
    assert loudness(tone(997)) == pytest.approx(-3.01, abs=0.05)
    assert loudness(Sound(np.repeat(tone(997).samples, 2, axis=1), 48_000)) == pytest.approx(0.0, abs=0.05)
    assert loudness(Sound(np.zeros((100, 1)), 48_000)) == -math.inf


def test_a_peak_between_the_samples_is_found() -> None:
    # a tone at a quarter of the rate, sampled 45 degrees off its tops: 3 dB more than any sample
    hidden = Sound(np.sin(np.pi / 2 * np.arange(48_000) + np.pi / 4)[:, None], 48_000)
    assert 20 * math.log10(hidden.peak) == pytest.approx(-3.01, abs=0.01)
    assert true_peak(hidden) == pytest.approx(0.0, abs=0.1)


def test_peaks_of_long_sounds_are_those_of_their_pieces() -> None:
    quiet = Sound(np.tile(speechlike(2, 1.0, 16_000, 0.01), 25)[:, None], 16_000)
    for at in (100, 10 * 16_000 - 1, 10 * 16_000, 25 * 16_000 - 60):
        spiky = quiet.samples.copy()
        spiky[at - 20 : at + 20, 0] += 0.5 * np.sin(np.pi / 2 * np.arange(40) + np.pi / 4) * np.hanning(40)
        alone = Sound(spiky[max(0, at - 8_000) : at + 8_000], 16_000)
        assert true_peak(Sound(spiky, 16_000)) == pytest.approx(true_peak(alone), abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000, 96_000])
def test_every_stimulus_reaches_the_target(rate: int) -> None:
    sounds = {str(seed): Sound(speechlike(seed, 1.5, rate, 0.01 * 3**seed)[:, None], rate) for seed in range(3)}
    levels = level({name: (loudness(one), true_peak(one)) for name, one in sounds.items()}, -26.0)
    assert levels.limited_by is None
    for name, one in sounds.items():
        assert loudness(amplified(one, levels.gains[name])) == pytest.approx(-26.0, abs=0.02)


def test_a_stimulus_with_high_peaks_lowers_all_and_nothing_clips() -> None:
    clicks = np.zeros((48_000, 1))
    clicks[::4_800] = 1.0
    sounds = {"clicks": Sound(clicks, 48_000), "speech": Sound(speechlike(1, 1.0, 48_000)[:, None], 48_000)}
    levels = level({name: (loudness(one), true_peak(one)) for name, one in sounds.items()}, -16.0)
    assert levels.limited_by == "clicks" and levels.lufs is not None and levels.lufs < -16
    ready = {name: amplified(one, levels.gains[name]) for name, one in sounds.items()}
    assert loudness(ready["clicks"]) == pytest.approx(loudness(ready["speech"]), abs=0.02)
    assert max(true_peak(one) for one in ready.values()) <= CEILING_DBTP + 0.01


def test_levels_that_are_to_stay_are_lowered_only_where_one_would_clip() -> None:
    assert level({"a": (-20.0, -3.0), "b": (-30.0, -9.0)}, None).gains == {"a": 0.0, "b": 0.0}
    lowered = level({"a": (-20.0, 0.5), "b": (-30.0, -9.0)}, None)
    assert lowered.gains == {"a": -1.5, "b": -1.5} and lowered.limited_by == "a"


def write(path: Path, samples: np.ndarray, rate: int = 24_000, subtype: str | None = None) -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


@pytest.mark.parametrize(
    "name", "PCM_16.wav PCM_24.wav FLOAT.wav PCM_16.flac VORBIS.ogg OPUS.ogg MPEG_LAYER_III.mp3".split()
)
def test_the_usual_codecs_are_read(tmp_path: Path, name: str) -> None:
    sound = read_sound(write(tmp_path / name, speechlike(1), subtype=name.split(".")[0]))
    assert sound.rate == 24_000 and sound.seconds == pytest.approx(1.0, abs=0.1) and sound.peak > 0.1


def bad(tmp_path: Path) -> dict[str, Path]:
    wave = speechlike(1)
    files = {
        "codec": write(tmp_path / "ulaw.wav", wave, subtype="ULAW"),
        "not a sound": tmp_path / "text.wav",
        "empty": tmp_path / "empty.flac",
        "0.10 s": write(tmp_path / "short.wav", wave[:2400]),
        "silent": write(tmp_path / "silent.wav", np.zeros(24_000)),
        "channels": write(tmp_path / "surround.wav", np.stack([wave] * 6, axis=1)),
        "samples a second": write(tmp_path / "slow.wav", wave, 4_000),
        "not numbers": write(tmp_path / "nan.wav", np.full(24_000, np.nan), subtype="FLOAT"),
        "cannot be read": tmp_path / "missing.wav",
        "cut short": tmp_path / "cut.flac",
    }
    files["not a sound"].write_text("RIFF")
    files["empty"].touch()
    whole = write(tmp_path / "whole.flac", wave).read_bytes()
    files["cut short"].write_bytes(whole[: len(whole) // 2])
    return files


def test_what_cannot_be_a_stimulus_is_refused_with_the_reason(tmp_path: Path) -> None:
    for reason, path in bad(tmp_path).items():
        with pytest.raises(StudyFileError) as caught:
            read_sound(path)
        told = caught.value.message
        assert path.name in told
        if reason == "cut short":  # libsndfile tells half a FLAC file as damage
            assert reason in told or "damaged" in told
        else:
            assert reason in told


def test_a_long_sound_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match="limits are"):
        read_sound(write(tmp_path / "long.wav", speechlike(1, 4.0)), max_seconds=3)


@pytest.mark.parametrize(("old", "new"), list(itertools.product([16_000, 44_100], [24_000, 96_000])))
def test_resampling_keeps_length_and_place(old: int, new: int) -> None:
    bump = np.exp(-(((np.arange(old) / old - 0.4) / 0.01) ** 2))
    moved = alike(Sound(bump[:, None], old), new, 2)
    assert moved.samples.shape == (new, 2)
    assert np.argmax(moved.samples[:, 0]) == pytest.approx(0.4 * new, abs=2)


def test_files_of_a_prompt_have_one_size_and_one_header() -> None:
    rng = np.random.default_rng(0)
    loud, dull = Sound(speechlike(1)[:, None], 24_000), Sound(speechlike(2, 0.7)[:, None] * 0.01, 24_000)
    first, second = wave_bytes(loud, 24_000, rng), wave_bytes(dull, 24_000, rng)
    assert len(first) == len(second) and first[:44] == second[:44]
    samples, rate = soundfile.read(io.BytesIO(second))
    assert rate == 24_000 and not samples[len(dull.samples) :].any()
    error = samples[: len(dull.samples)] - dull.samples[:, 0]
    # triangular dither and rounding: noise of half a step (BS.1534-3 asks for nothing less than 16 bits)
    assert np.std(error) * 32767 == pytest.approx(math.sqrt(1 / 12 + 2 / 12), rel=0.05)

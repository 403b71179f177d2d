"""Reading refuses what cannot be used with one sentence; writing loses nothing and marks the sound as synthetic."""

import errno
import io
import math
import os
import shutil
import struct
import subprocess
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile as sf
import torch
from mutagen.id3 import ID3

from calm_core import sound_files
from calm_core.audio import Audio, downmix, loudness, read_audio, resample, set_loudness, trim_silence, write_audio
from calm_core.errors import InputError
from calm_core.sound_files import wav_stream_header

RATE = 24_000


def tone(seconds: float = 0.5, rate: int = RATE, hertz: float = 440.0, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def file_bytes(samples: np.ndarray, rate: int = RATE, format: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format=format, subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["WAV", "FLAC", "MP3", "OGG"])
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_reads_every_format_from_path_bytes_and_file(tmp_path: Path, format: str, rate: int) -> None:
    data = file_bytes(tone(rate=rate), rate, format)
    path = tmp_path / "sound.bin"
    path.write_bytes(data)
    sounds = [read_audio(path), read_audio(data), read_audio(io.BytesIO(data))]
    for sound in sounds:
        assert sound.sample_rate == rate and sound.samples.dtype == torch.float32
        assert sound.seconds == pytest.approx(0.5, abs=0.15)
        assert torch.equal(sound.samples, sounds[0].samples)
    assert float(sounds[0].samples.abs().max()) == pytest.approx(0.5, abs=0.1)


def test_192_khz_is_read_and_resampled() -> None:
    sound = read_audio(file_bytes(tone(rate=192_000), 192_000))
    assert resample(sound.samples, 192_000, RATE).shape == (RATE // 2,)


def test_downmix_of_five_point_one_keeps_the_centre_and_drops_the_low_frequency_channel() -> None:
    channels = np.zeros((6, 1000), np.float32)
    channels[2], channels[3] = 0.5, 0.9
    sound = read_audio(file_bytes(channels.T, 48_000, subtype="FLOAT"))
    assert sound.samples.shape == (1000,)
    assert sound.samples[0] == pytest.approx(0.5 / 3.8, abs=1e-6)
    assert read_audio(file_bytes(channels.T, 48_000), mono=False).samples.shape == (6, 1000)
    assert torch.equal(downmix(torch.tensor([[1.0], [0.0]])), torch.tensor([0.5]))


def bad_sounds() -> dict[str, tuple[bytes, str]]:
    good = file_bytes(tone(3.0))
    nan = tone()
    nan[7] = np.nan
    infinite = tone()
    infinite[7] = np.inf
    return {
        "empty": (b"", "empty"),
        "no-samples": (file_bytes(np.zeros(0, np.float32)), "holds no sound"),
        "silent": (file_bytes(np.zeros(RATE, np.float32)), "silent"),
        "nan": (file_bytes(nan, subtype="FLOAT"), "not numbers"),
        "infinite": (file_bytes(infinite, subtype="FLOAT"), "not numbers"),
        "short": (file_bytes(tone(0.1)), "at least 0.5 s"),
        "long": (file_bytes(tone(11.0)), "limit is 10 s"),
        "slow": (file_bytes(tone(rate=7_000), 7_000), "limits are 8000 and 192000"),
        "fast": (file_bytes(tone(0.6, 200_000), 200_000), "limits are 8000 and 192000"),
        "channels": (file_bytes(np.zeros((9_600, 8), np.float32), 16_000), "limit is 6"),
        "text": (b"this is not a sound at all, only a text that is named .wav\n" * 20, "not a sound that can be read"),
        "cut-wav": (good[: len(good) // 2], "cut short"),
        "cut-header": (good[:40], "cut short"),
        "cut-flac": (file_bytes(tone(3.0), format="FLAC")[:20_000], "cut short|damaged"),
        "cut-ogg": (file_bytes(tone(9.0), format="OGG")[:9_000], "cut short|damaged|not a sound"),
        "zeros": (bytes(5_000), "not a sound that can be read"),
    }


@pytest.mark.parametrize("case", bad_sounds())
def test_bad_sound_is_refused_with_one_sentence(tmp_path: Path, case: str) -> None:
    data, words = bad_sounds()[case]
    path = tmp_path / f"{case}.wav"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        read_audio(path, min_seconds=0.5, max_seconds=10.0)
    message = str(caught.value)
    assert message.startswith(path.name) and message.endswith(".") and "\n" not in message


def test_two_hours_are_refused_without_decoding(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    bytes_of_two_hours = 2 * 3600 * 8_000 * 2
    head = file_bytes(np.zeros(0, np.float32), 8_000)[:40] + struct.pack("<I", bytes_of_two_hours)
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + bytes_of_two_hours)  # a sparse file: no disk is used
    with pytest.raises(InputError, match="lasts 7200 s and the limit is 600 s"):
        read_audio(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_audio(tmp_path / "none.wav")
    with pytest.raises(InputError, match="is a folder"):
        read_audio(tmp_path)


def test_wav_of_a_stream_without_a_length_is_whole() -> None:
    samples = (tone() * 32767).astype("<i2").tobytes()
    sound = read_audio(wav_stream_header(RATE, {"model": "calm-tts-en"}) + samples)
    assert sound.samples.shape == (RATE // 2,)


@pytest.mark.parametrize(
    ("name", "subtype", "worst"),
    [
        ("a.wav", None, 2**-15),
        ("a.wav", "PCM_24", 2**-22),
        ("a.wav", "FLOAT", 0.0),
        ("a.flac", None, 2**-15),
        ("a.flac", "PCM_24", 2**-22),
    ],
)
def test_lossless_formats_come_back(tmp_path: Path, name: str, subtype: str | None, worst: float) -> None:
    sound = Audio(torch.from_numpy(tone()), RATE)
    assert write_audio(tmp_path / name, sound, subtype=subtype) == 0.0
    back = read_audio(tmp_path / name)
    assert float((back.samples - sound.samples).abs().max()) <= worst + 1e-9
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "ogg"])
def test_tags_say_that_the_sound_is_synthetic(tmp_path: Path, format: str) -> None:
    meta = {"model": "calm-tts-en", "voice": "slt", "seed": 7, "text": "Grüße,  world."}
    path = tmp_path / f"sound.{format}"
    write_audio(path, Audio(torch.from_numpy(tone()), RATE, meta), metadata={"artist": "somebody"})
    comment = "Synthetic speech by calm-tts-en (voice slt, seed 7). Not a recording of a person."
    expected = {"title": "Synthetic speech: Grüße, world.", "comment": comment, "artist": "somebody"}
    if format == "mp3":
        id3 = ID3(path)
        told = {"title": str(id3["TIT2"]), "comment": str(id3["COMM::eng"]), "artist": str(id3["TPE1"])}
        assert str(id3["TSSE"]) == "CALM Space"
    elif format == "wav":
        with sf.SoundFile(path) as file:
            told = {key: getattr(file, key) for key in expected}
            assert file.software.startswith("CALM Space")
    else:
        file = mutagen.File(path)
        assert file is not None and file["software"] == ["CALM Space"]
        told = {key: file[key][0] for key in expected}
    assert told == expected
    assert read_audio(path).seconds == pytest.approx(0.5, abs=0.1)


def test_pcm_is_bare_and_too_loud_sound_is_scaled_not_clipped(tmp_path: Path) -> None:
    sound = Audio(torch.from_numpy(tone(level=2.0)), RATE)
    gain_db = write_audio(tmp_path / "a.pcm", sound)
    assert gain_db == pytest.approx(-20 * math.log10(2), abs=0.01)
    values = np.frombuffer((tmp_path / "a.pcm").read_bytes(), "<i2")
    assert np.abs(values / 32767 - tone(level=1.0)).max() < 2e-3
    assert write_audio(tmp_path / "a.wav", sound, subtype="FLOAT") == 0.0
    assert float(read_audio(tmp_path / "a.wav").samples.max()) == pytest.approx(2.0, abs=1e-2)


@pytest.mark.parametrize(
    ("name", "subtype", "words"),
    [
        ("a.xyz", None, "no sound format 'xyz'"),
        ("a", None, "no sound format ''"),
        ("a.wav", "PCM_8", "cannot be written as 'PCM_8'"),
        ("none/a.wav", None, "cannot be written"),
    ],
)
def test_unwritable_is_refused(tmp_path: Path, name: str, subtype: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        write_audio(tmp_path / name, Audio(torch.from_numpy(tone()), RATE), subtype=subtype)
    assert not list(tmp_path.iterdir())


def test_sounds_that_are_none_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sound to write"):
        write_audio(tmp_path / "a.wav", Audio(torch.zeros(0), RATE))
    with pytest.raises(InputError, match="not numbers"):
        write_audio(tmp_path / "a.wav", Audio(torch.tensor([0.0, float("nan")]), RATE))
    with pytest.raises(InputError, match="MP3 cannot hold 96000"):
        write_audio(tmp_path / "a.mp3", Audio(torch.from_numpy(tone()), 96_000))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_full_disk_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        with open("/dev/full", "wb", buffering=0) as device:
            device.write(b"x")  # the kernel's own ENOSPC

    monkeypatch.setattr(sound_files.os, "fsync", full)
    with pytest.raises(InputError, match="disk is full"):
        write_audio(path, Audio(torch.from_numpy(tone()), RATE))
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"] and path.read_bytes() == b"old"
    with pytest.raises(OSError) as caught:
        full(0)
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed; on Debian: apt-get install ffmpeg")
@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.webm", "libopus"), ("a.aac", "aac")])
def test_recordings_of_telephones_and_browsers(tmp_path: Path, name: str, codec: str) -> None:
    sf.write(tmp_path / "in.wav", tone(2.0, 48_000), 48_000)
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "in.wav"), "-c:a", codec, str(tmp_path / name)]
    subprocess.run(command, check=True)
    sound = read_audio(tmp_path / name)
    assert sound.sample_rate == 48_000 and sound.seconds == pytest.approx(2.0, abs=0.1)
    middle = sound.samples[24_000:72_000]
    assert float(middle.square().mean().sqrt()) == pytest.approx(0.5 / math.sqrt(2), rel=0.05)
    with pytest.raises(InputError, match=r"the limit (of|is) 0\.5 s"):
        read_audio(tmp_path / name, max_seconds=0.5)
    if name == "a.m4a":
        with pytest.raises(InputError, match=r"a\.m4a is damaged"):
            read_audio((tmp_path / name).read_bytes()[:5_000], name=name)


def test_without_ffmpeg_they_are_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"^memo\.m4a is not a sound that can be read; convert it"):
        read_audio(b"\0\0\0 ftypM4A " + bytes(500), name="memo.m4a")


def test_loudness_of_a_reference_tone() -> None:
    # BS.1770-4: a 997 Hz sine at full scale in one channel reads -3.01 LUFS
    sound = Audio(torch.from_numpy(tone(3.0, 48_000, 997.0, 1.0)), 48_000)
    assert loudness(sound) == pytest.approx(-3.01, abs=0.05)
    assert loudness(set_loudness(sound, -23.0)) == pytest.approx(-23.0, abs=0.01)
    assert loudness(Audio(torch.zeros(100), 48_000)) == -math.inf


def test_trim_keeps_what_is_heard() -> None:
    samples = torch.cat([torch.zeros(RATE), torch.from_numpy(tone()), torch.zeros(RATE)])
    trimmed = trim_silence(Audio(samples, RATE), pad_seconds=0.05)
    assert trimmed.seconds == pytest.approx(0.6, abs=0.02)
    assert torch.equal(trim_silence(Audio(torch.zeros(RATE), RATE)).samples, torch.zeros(RATE))


def test_resample_keeps_a_tone() -> None:
    up = resample(torch.from_numpy(tone(1.0, 16_000)), 16_000, RATE)
    assert up.shape == (RATE,)
    assert float((up - torch.from_numpy(tone(1.0))).abs()[500:-500].max()) < 1e-3

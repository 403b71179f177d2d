"""The cache of clips on disk."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from app.clips import ClipCache

RATE = 24_000


def sound(seed: int, seconds: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, int(seconds * RATE)).astype(np.int16)


def test_what_is_kept_comes_back_bit_by_bit(tmp_path: Path) -> None:
    cache = ClipCache(tmp_path, limit_mb=10)
    kept = cache.put(sound(1), RATE, {"text": "one"})
    found = cache.get(kept.id)
    assert found is not None
    samples, rate = found.pcm()
    assert rate == RATE
    assert np.array_equal(samples, sound(1))
    assert found.info["text"] == "one"
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.parametrize("name", ["", "x", "../../etc/passwd", "f" * 31, "F" * 32, "f" * 32])
def test_other_names_find_nothing(tmp_path: Path, name: str) -> None:
    assert ClipCache(tmp_path, limit_mb=10).get(name) is None


def test_the_clip_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    cache = ClipCache(tmp_path, limit_mb=0.16)  # three clips of 48 kB
    clips = [cache.put(sound(seed), RATE, {}) for seed in range(3)]
    for age, clip in zip((30, 20, 10), clips, strict=True):
        for file in tmp_path.glob(f"{clip.id}*"):
            stamp = file.stat().st_mtime - age
            os.utime(file, (stamp, stamp))
    assert cache.get(clips[0].id) is not None  # a use
    newest = cache.put(sound(9), RATE, {})
    assert cache.get(clips[1].id) is None
    assert cache.get(clips[0].id) is not None
    assert cache.get(newest.id) is not None
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 160_000


def test_a_rendition_is_made_once_and_leaves_with_its_clip(tmp_path: Path) -> None:
    cache = ClipCache(tmp_path, limit_mb=10)
    clip = cache.put(sound(1), RATE, {})
    made: list[Path] = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_bytes(b"flac")

    assert cache.rendition(clip, "flac", make) == cache.rendition(clip, "flac", make)
    assert len(made) == 1
    assert cache.rendition(clip, "flac", make).read_bytes() == b"flac"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A limit on the size of files makes every write beyond it fail as a full disk does."""
    script = f"""
        import resource, signal, sys
        from pathlib import Path
        import numpy as np
        from app.clips import ClipCache
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            ClipCache(Path({str(tmp_path)!r}), limit_mb=10).put(np.zeros(24_000, np.int16), 24_000, {{}})
        except OSError as error:
            sys.exit(error.errno)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True)
    assert ended.returncode == errno.EFBIG, ended.stderr
    assert list(tmp_path.iterdir()) == []

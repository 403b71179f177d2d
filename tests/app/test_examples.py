"""The pre-rendered example clips: made with a real model, found again by what the page would ask for."""

from pathlib import Path

import numpy as np
import soundfile
import yaml

from app.clips import ClipCache
from app.examples import LIST, render
from app.settings import load_settings
from tests.app.conftest import Site


def test_examples_are_rendered_marked_and_found_by_their_request(site: Site, tmp_path: Path) -> None:
    entries = tmp_path / LIST
    entries.write_text(yaml.safe_dump([{"title": "A greeting", "text": "Hello there.", "seed": 3}]))
    paths = render(site.settings, entries, tmp_path / "out")
    assert [path.name for path in paths] == ["01-a-greeting.flac"]
    with soundfile.SoundFile(paths[0]) as file:
        assert "Synthetic" in file.comment
    cache = ClipCache(tmp_path / "cache", limit_mb=1, examples=tmp_path / "out")
    (example,) = cache.examples
    assert cache.example(example.info["request"]) == example
    assert cache.example({**example.info["request"], "seed": 4}) is None
    assert cache.get(example.id) == example
    samples, rate = example.pcm()
    assert rate == 24_000
    assert np.abs(samples).max() > 0


def test_every_entry_of_the_list_can_be_asked_for() -> None:
    entries = yaml.safe_load((load_settings().examples_dir / LIST).read_text())
    assert len(entries) >= 3
    assert all(entry["title"] and entry["text"] and isinstance(entry["seed"], int) for entry in entries)

"""Measurements that outlive their models: when they are used again, when they are not; figures of resampled sets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from evaluation.clips import make_clip
from evaluation.errors import InputError
from evaluation.metrics.signal import level_db, spectral_centroid
from evaluation.reproduction import fingerprints
from evaluation.reproduction.cache import Cache
from evaluation.reproduction.music.desk import Desk, comparable
from evaluation.reproduction.music.sets import distances, orders
from evaluation.reproduction.music.settings import Settings
from evaluation.reproduction.orders import Resampled, resampled_difference
from evaluation.reproduction.records import Figures, Record, Records, agreeing

SETTINGS = {"corpus": "c1", "prompts": 4}


def desk(folder: Path) -> Desk:
    return Desk(Settings(embedder="mel"), Records(folder / "kept"), Cache(folder / "work"))


class Meter:
    """Counts what it is asked to measure."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, seeds: list[int]) -> dict[int, Figures]:
        self.asked.append(seeds)
        return {seed: Figures(facts={"clips": len(self.asked)}) for seed in seeds}


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., tuple[Record | None, list[list[int]]]]:
    """Ask a fresh desk for a record; returns it and what had to be measured."""

    def asked(weights: str | None, seeds: tuple[int, ...] = (0, 1), **options: Any) -> Any:
        meter = Meter()
        options = {"settings": SETTINGS, "ready": True, **options}
        settings, ready = options.pop("settings"), options.pop("ready")
        found = desk(tmp_path).record("kind", "a system", weights, settings, seeds, meter, ready=ready, **options)
        return found, meter.asked

    return asked


def test_a_record_holds_while_weights_and_settings_do(ask: Any) -> None:
    assert ask(None) == (None, [])  # neither here nor kept
    first, measured = ask("w1")
    assert measured == [[0, 1]] and list(first.seeds) == ["0", "1"]
    assert ask("w1")[1] == []
    assert ask("w1", (0, 1, 2))[1] == [[2]]  # a seed more
    assert ask("w1", (2,))[0].seeds.keys() == {"0", "1", "2"}
    assert ask("w2")[1] == [[0, 1]]  # other weights: nothing of the old ones is left
    assert ask("w2")[0].seeds.keys() == {"0", "1"}
    assert ask("w2", settings={**SETTINGS, "prompts": 8})[1] == [[0, 1]]


def test_what_is_kept_is_told_when_its_model_is_gone(ask: Any) -> None:
    ask("w1")
    assert ask(None)[0].weights == "w1"
    assert ask("w1", ready=False)[0].weights == "w1"
    assert ask("w2", ready=False) == (None, [])  # the model is here and another one
    assert ask(None, settings={**SETTINGS, "corpus": None})[0] is not None  # the corpus is not here
    assert ask(None, settings={**SETTINGS, "corpus": "c2"}) == (None, [])
    assert ask(None, (5,)) == (None, [])
    assert ask(None, (1, 5))[0] is not None  # one of the seeds


def test_a_judge_that_comes_later_is_asked(ask: Any) -> None:
    ask("w1", extras={"tags": None})
    assert ask("w1", extras={"tags": None})[1] == []
    assert ask(None, extras={"tags": "t1"})[0] is not None
    assert ask("w1", extras={"tags": "t1"})[1] == [[0, 1]]
    assert ask("w1", extras={"tags": None})[0].extras == {"tags": "t1"}  # nothing is forgotten when it is gone
    assert ask("w1", extras={"tags": "t2"})[1] == [[0, 1]]


def test_records_are_whole_small_and_checked(tmp_path: Path) -> None:
    records = Records(tmp_path)
    figures = Figures({"fad": {"value": 1.23456789, "resamples": [1 / 3, float("nan")]}}, {"kld": {"p1": 2.0}})
    records.write(Record("kind", "a model at 4 steps", "w", {"seconds": 10.0}, {}, {"0": figures}))
    assert [path.name for path in tmp_path.iterdir()] == ["kind-a-model-at-4-steps.json"]
    read = records.read("kind", "a model at 4 steps")
    assert read and read.seeds["0"].sets["fad"] == {"value": 1.2346, "resamples": [0.33333, None]}
    assert [record.system for record in records.all_of("kind")] == ["a model at 4 steps"]
    for damage in ("{", json.dumps({"kind": "kind"}), "[]"):
        records.path("kind", "a model at 4 steps").write_text(damage)
        with pytest.raises(InputError, match="is not a record of measurements"):
            records.read("kind", "a model at 4 steps")


def test_records_of_another_corpus_are_left_out_of_a_table() -> None:
    made = [Record("k", name, "w", {"corpus": corpus}, {}, {}) for name, corpus in (("a", "1"), ("b", "2"), ("c", "1"))]
    assert agreeing(made, ["corpus"]) == ([made[0], made[2]], [made[1]])
    kept, said = comparable({"a": made[0], "b": made[1], "c": made[2], "d": None})
    assert list(kept) == ["a", "c"]
    assert said == "Not measured yet: d. Left out, since measured on another corpus or by another embedder: b."


def test_fingerprints_follow_what_a_model_is_made_of(tmp_path: Path) -> None:
    def model(name: str, weights: bytes, **config: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        return folder

    codec = model("codec", b"codec")
    one = model("one", b"one", codec_weights_path="../codec/model.safetensors", card={"title": "One"})
    first = fingerprints.of_model(str(one))
    assert first is not None
    model("one", b"one", codec_weights_path="../codec/model.safetensors", card={"title": "Two"})
    assert fingerprints.of_model(str(one)) == first  # a title makes no sound
    (codec / "model.safetensors").write_bytes(b"another")
    assert fingerprints.of_model(str(one)) != first
    plain = model("one", b"one", clap={"model": "../codec"})
    named = fingerprints.of_model(str(plain))
    (codec / "model.safetensors").write_bytes(b"a third")
    assert fingerprints.of_model(str(plain)) != named
    assert fingerprints.of_model(str(tmp_path / "none")) is None and fingerprints.of_model("no-such-model") is None
    assert fingerprints.of_model("hf://owner/model") not in (None, fingerprints.of_model("hf://owner/other"))


def made(shift: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Clips of embeddings, of which each prompt has its own place."""
    places = np.random.default_rng(7).standard_normal((40, 3))
    return [place + shift + 0.1 * rng.standard_normal((6, 3)) for place in places]


def test_systems_on_the_same_prompts_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    reference = [place + 0.1 * rng.standard_normal((6, 3)) for place in rng.standard_normal((40, 3))]
    records = {}
    for name, shift in (("near", 0.4), ("far", 0.6), ("as near", 0.4)):
        figures = Figures()
        distances(reference, made(shift, rng), figures)
        records[name] = Record("k", name, "w", {}, {}, {"0": figures})
    near, far = (Resampled(**_of(records[name])) for name in ("near", "far"))
    alone = resampled_difference(near, Resampled(far.value, np.random.default_rng(1).permutation(far.resamples)), 40)
    (claimed, other) = orders(
        records, [("near", "far"), ("as near", "near")], [0, 1], "table 5", {"near": {"fad": 0.9}}
    )
    found = claimed.difference
    assert claimed.paper == (0.9, None) and claimed.figure == "FAD" and found.units == 40
    assert found.verdict == "reproduced" and found.value == pytest.approx(far.value - near.value)
    # what is hard for both takes no part: without pairing the same difference says nothing
    assert found.high - found.low < 0.5 * (alone.high - alone.low) and alone.verdict == "undecided"
    assert other.difference.verdict == "undecided"
    low, high = near.interval
    assert low < near.value < high
    assert not orders(records, [("near", "nobody")], [0], "table 5", {})


def _of(record: Record) -> dict[str, Any]:
    found = record.seeds["0"].sets["fad"]
    return {"value": found["value"], "resamples": np.array(found["resamples"])}


def test_level_and_brightness_of_a_tone() -> None:
    time = np.arange(16_000) / 16_000
    tone = make_clip("tone", 0.5 * np.sin(2 * np.pi * 1000 * time), 16_000)
    assert level_db(tone) == pytest.approx(10 * np.log10(0.125), abs=0.01)
    assert spectral_centroid(tone) == pytest.approx(1000, rel=0.01)
    silence = make_clip("silence", np.zeros(16_000), 16_000)
    assert (level_db(silence), spectral_centroid(silence)) == (-100, 0)

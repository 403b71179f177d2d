"""A corpus of a few sentences, really read by flite: what the manifest says is what the shards hold."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile as sf
import yaml

from calm_core.conditioners.aligned import PHONE_INDEX
from calm_core.errors import InputError
from calm_core.training.corpus_text import corpus_sentences, match_key
from calm_core.training.speakers import make_speakers
from calm_core.training.synthesize import load_recipe, main_recipe, plan

FORTUNES = (
    "The cat sat on the old wall.\n%\nNever trust a quiet river, my friend! Boats do not lie.\n\t\t-- A sailor\n%\n"
)
WORDS = "apple\nbridge\ncandle\ndonkey\nengine\nforest\n"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "fortunes").mkdir()
    (folder / "fortunes" / "tales").write_text(FORTUNES)
    (folder / "words").write_text(WORDS)
    return folder


def recipe(sources: Path, target: Path, **changes: object) -> Path:
    values = {
        "folder": str(target / "corpus"), "texts": 8, "speakers_per_voice": 2, "held_out_speakers": 2,
        "held_out_per_mille": 300, "sentences_per_held_out_speaker": 2, "texts_per_shard": 10, "processes": 1,
        "fortunes": str(sources / "fortunes"), "word_list": str(sources / "words"), **changes,
    }  # fmt: skip
    path = target / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.flite
def test_the_manifest_describes_the_shards(sources: Path, tmp_path: Path) -> None:
    path = recipe(sources, tmp_path)
    figures = main_recipe(path, [])
    corpus = tmp_path / "corpus"
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    assert len(rows) == figures["utterances"] and {r["split"] for r in rows} == {"train", "valid", "heldout"}
    meter = pyloudnorm.Meter(24_000)
    for row in rows:
        samples, rate = sf.read(corpus / row["shard"], start=row["start"], stop=row["start"] + row["samples"])
        assert rate == 24_000 and len(samples) == row["samples"]
        names, ends = zip(*row["phones"], strict=True)
        assert all(name in PHONE_INDEX for name in names) and names[0] == names[-1] == "pau"
        assert all(np.diff(ends) >= 0) and abs(ends[-1] - len(samples) / rate) < 0.15
        assert np.abs(samples).max() < 0.98
        if len(samples) > rate:
            assert -29 < meter.integrated_loudness(samples) < -22.5  # lower only where a peak would clip
        quiet = np.abs(samples[: int(0.8 * ends[0] * rate)]).max()
        assert quiet < 0.1 * np.abs(samples).max()  # the first pause is where the phones say
    texts = {split: {match_key(r["text"]) for r in rows if r["split"] == split} for split in ("train", "valid")}
    assert not texts["train"] & texts["valid"]
    speakers = {split: {r["speaker"] for r in rows if r["split"] == split} for split in ("train", "heldout")}
    assert not speakers["train"] & speakers["heldout"]

    before = (corpus / "manifest.jsonl").read_bytes()
    shutil.copy(corpus / "shard-0000.flac", tmp_path / "kept.flac")
    (corpus / "shard-0000.jsonl").unlink()  # as if the run had been stopped inside this shard
    main_recipe(path, [])
    assert (corpus / "manifest.jsonl").read_bytes() == before
    again, kept = sf.read(corpus / "shard-0000.flac")[0], sf.read(tmp_path / "kept.flac")[0]
    assert np.array_equal(again, kept)


def test_the_same_recipe_gives_the_same_plan_and_excluded_texts_stay_out(sources: Path, tmp_path: Path) -> None:
    excluded = tmp_path / "excluded.txt"
    excluded.write_text("the CAT sat, on the old wall\n")
    one = plan(load_recipe(recipe(sources, tmp_path), []))
    two = plan(load_recipe(recipe(sources, tmp_path), []))
    assert one == two
    without = plan(load_recipe(recipe(sources, tmp_path), [f"excluded_texts={excluded}"]))[0]
    key = match_key(excluded.read_text())
    assert any(match_key(job.text) == key for job in one[0])
    assert not any(match_key(job.text) == key for job in without)


def test_held_out_texts_and_speakers_are_apart(sources: Path) -> None:
    training, held_out = corpus_sentences(60, 1, sources / "fortunes", sources / "words", [], 100)
    assert len(training) == 60 and held_out
    assert not {match_key(t) for t in training} & {match_key(t) for t in held_out}
    known, strangers = make_speakers(5, 8, 1)
    assert len(known) == 4 + 20 and len({s.name for s in known + strangers}) == 32
    numbers = [(s.base, s.pitch, s.formants) for s in strangers]
    assert len(set(numbers)) == 8 and {s.base for s in strangers} == {"slt", "rms", "awb", "kal16"}


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("textz=3", "textz"),
        ("texts=1", "texts"),
        ("fortunes=/nowhere", "fortunes"),
        ("word_list=/nowhere", "wamerican"),
    ],
)
def test_faults_are_named(sources: Path, tmp_path: Path, override: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        main_recipe(recipe(sources, tmp_path), [override])
    assert not (tmp_path / "corpus").exists()

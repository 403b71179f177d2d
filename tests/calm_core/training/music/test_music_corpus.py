"""The corpus of music: its plan, and one that is really played."""

import json
from pathlib import Path

import numpy as np
import pytest

from calm_core.errors import InputError
from calm_core.training.data import Corpus
from calm_core.training.music.composer import compose
from calm_core.training.music.corpus import is_held_out, load_recipe, plan
from calm_core.training.music.render import MUSIC_RATE, check_renderer, play
from calm_core.training.synthesize import main_recipe

CONFIGS = Path(__file__).parents[4] / "calm_core" / "configs"


def test_training_never_hears_a_held_out_pair() -> None:
    few = ["pieces=120", "held_out_pieces=16", "validation_pieces=8", "seconds=12"]
    recipe = load_recipe(CONFIGS / "corpus_music.yaml", few)
    jobs = plan(recipe)
    assert jobs == plan(recipe)
    assert len({job.key for job in jobs}) == len(jobs) == 144 and len({job.seed for job in jobs}) == 144
    pairs: dict[str, set[tuple[str, str]]] = {"train": set(), "valid": set(), "heldout": set()}
    for job in jobs:
        pairs[job.split].add((job.genre, compose(job.seed, recipe.seconds, job.genre).instruments[0]))
    assert not pairs["train"] & (pairs["valid"] | pairs["heldout"]) and len(pairs["heldout"]) >= 3
    assert all(is_held_out(*pair, recipe.held_out_per_mille) for pair in pairs["heldout"])
    assert len({genre for genre, _ in pairs["train"]}) >= 10


def test_what_a_recipe_cannot_say(tmp_path: Path) -> None:
    path = CONFIGS / "tiny" / "corpus_music.yaml"
    with pytest.raises(InputError, match="pieces"):
        load_recipe(path, ["pieces=1"])
    with pytest.raises(InputError, match="melodies"):
        load_recipe(path, ["melodies=3"])
    with pytest.raises(InputError, match="apt-get install fluid-soundfont-gm"):
        main_recipe(path, [f"folder={tmp_path}", f"sound_font={tmp_path / 'none.sf2'}"])
    assert not list(tmp_path.iterdir())


@pytest.mark.fluidsynth
def test_a_corpus_is_played_and_read(tmp_path: Path) -> None:
    figures = main_recipe(CONFIGS / "tiny" / "corpus_music.yaml", [f"folder={tmp_path}", "pieces=8"])
    assert figures["pieces"] == 12 and 12 * 5 < figures["hours"] * 3600 < 12 * 40
    corpus = Corpus(tmp_path, "train")
    assert corpus.sample_rate == MUSIC_RATE and len(corpus.rows) == 8
    row = corpus.rows[0]
    assert row.text == row.captions[0] and row.attributes["genre"] in row.text and not row.phones
    level = 20 * np.log10(np.sqrt(np.mean(corpus.audio(row).numpy() ** 2)))
    assert -26 < level < -10
    assert len(json.loads((tmp_path / "manifest.jsonl").read_text().splitlines()[0])) == 8


@pytest.mark.fluidsynth
def test_what_is_written_is_what_sounds() -> None:
    check_renderer()
    piece = compose(3, 12.0, "classical")
    alone = type(piece)(**{**vars(piece), "parts": [piece.parts[0]]})
    first, again = play(alone, 1), play(alone, 1)
    assert np.array_equal(first, again) and np.abs(first).max() <= 0.97 + 1e-9
    # The loudest partial of a note's middle is its pitch, or the octave above it.
    note = max(alone.parts[0].notes, key=lambda n: n.length)
    middle = round((note.start + min(note.length, 1.0) / 2) * 60 / piece.tempo * MUSIC_RATE)
    window = first[middle - 2048 : middle + 2048] * np.hanning(4096)
    peak = np.abs(np.fft.rfft(window)).argmax() * MUSIC_RATE / 4096
    semitones = 12 * np.log2(peak / 440) + 69 - note.pitch
    assert min(abs(semitones - octave) for octave in (0, 12, 19, 24)) < 0.7

"""Stories, and when their words are spoken."""

import itertools
from pathlib import Path

import pytest

from calm_core.training.speakers import read_with_flite
from calm_core.training.stories import stories
from calm_core.training.synthesize import load_recipe, plan, utterances
from calm_core.training.word_times import word_times


def test_a_seed_tells_the_same_stories_and_each_keeps_its_length() -> None:
    first, again, other = (list(itertools.islice(stories(seed, 95, 115), 50)) for seed in (1, 1, 2))
    assert first == again and not set(first) & set(other)
    assert all(95 <= len(text.split()) <= 115 for text in first)
    words = {word.strip(".,?").lower() for text in itertools.islice(stories(3, 95, 115), 400) for word in text.split()}
    assert 250 < len(words) < 500  # a small world


def test_words_begin_where_the_phone_before_them_ends() -> None:
    phones = [("pau", 0.2), ("dh", 0.25), ("ax", 0.3), ("k", 0.38), ("ae", 0.5), ("t", 0.6), ("pau", 0.8)]
    assert word_times("The cat.", phones) == [("The", 0.2, 0.3), ("cat", 0.3, 0.6)]


def test_a_phone_that_was_spoken_otherwise_costs_its_word_at_most() -> None:
    phones = [("pau", 0.2), ("dh", 0.25), ("iy", 0.3), ("k", 0.38), ("ae", 0.5), ("d", 0.6), ("pau", 0.8)]
    assert word_times("The cat.", phones) == [("The", 0.2, 0.25), ("cat", 0.3, 0.5)]
    assert word_times("The cat.", [("pau", 0.2), ("m", 0.4)]) == []


@pytest.mark.flite
def test_flite_and_the_lexicon_agree_on_stories() -> None:
    for text in itertools.islice(stories(9, 40, 60), 3):
        _, phones = read_with_flite(text, "slt")
        words = word_times(text, phones)
        assert [word for word, _, _ in words] == [word.strip(".,?") for word in text.split()]
        assert all(a[2] <= b[1] + 1e-6 for a, b in itertools.pairwise(words))


@pytest.mark.flite
def test_a_corpus_of_stories_has_word_times(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"kind: stories\nfolder: {tmp_path / 'corpus'}\ntexts: 8\nstory_words: [8, 14]\nvoices_per_text: 1\n"
        "speakers_per_voice: 1\nheld_out_speakers: 2\nheld_out_per_mille: 300\nsentences_per_held_out_speaker: 2\n"
        "processes: 1\nfortunes: /nowhere\nword_list: /nowhere\n"
    )
    read = load_recipe(recipe, [])
    jobs, _ = plan(read)  # neither fortunes nor a word list are needed
    assert {job.split for job in jobs} == {"train", "valid", "heldout"}
    for job in (jobs[0], jobs[-1]):
        ((row, samples),) = utterances(job, read)
        assert [word for word, _, _ in row["words"]] == [word.strip(".,?") for word in job.text.split()]
        assert 0 < row["words"][0][1] < row["words"][-1][2] <= len(samples) / 24_000

import math

import numpy as np
import pytest

from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError
from evaluation.metrics.diversity import TranscriptDiversity, auto_bleu, self_bleu, vert
from evaluation.metrics.speaker import SpeakerDiversity, diversity_interval, mean_pair_cosine, speaker_diversity


def test_auto_bleu_by_hand() -> None:
    # 5 of 6 words come again, and of the bigrams ab bc ca ab bd only ab, twice
    assert auto_bleu("a b c a b a".split()) == pytest.approx(math.sqrt(5 / 6 * 2 / 5))
    assert auto_bleu("a b a b".split()) == pytest.approx(math.sqrt(1 * 2 / 3))
    assert auto_bleu("a a a".split()) == 0.0  # the two bigrams share a word, so none is in the rest of the text
    assert auto_bleu("a b c d".split()) == 0.0
    assert auto_bleu(["a"]) == auto_bleu([]) == 0.0


def test_self_bleu_by_hand() -> None:
    texts = ["the cat the cat".split(), "the cat sat".split(), "a the dog".split()]
    # words: 2 of 4 (one the, one cat in a reference); bigrams: the cat 1 of 3
    # words: 2 of 3; bigrams: 1 of 2. Words: 1 of 3; bigrams none
    assert self_bleu(texts) == pytest.approx([math.sqrt(2 / 4 * 1 / 3), math.sqrt(2 / 3 * 1 / 2), 0.0])


def test_the_best_reference_clips_even_where_two_are_equal() -> None:
    texts = [words.split() for words in ("b b b", "b b", "b b", "b")]
    found = self_bleu(texts, order=1)
    assert found == pytest.approx([2 / 3, 1, 1, 1])


def test_vert_is_the_geometric_mean_and_equal_texts_score_highest() -> None:
    found = vert(["A b, a b.", "a b a b!"])
    assert found.self_bleu == pytest.approx(1)
    assert found.auto_bleu == pytest.approx(math.sqrt(2 / 3))
    assert found.vert == pytest.approx(math.sqrt(found.self_bleu * found.auto_bleu))
    assert vert(["one two", "three four"]).vert == 0
    for texts in ([], ["alone here"], ["", "..."]):
        with pytest.raises(InputError, match="VERT compares"):
            vert(texts)


def test_vert_of_clips() -> None:
    heard = {"one.wav": "a b a b", "two.wav": "a b a b"}
    found = TranscriptDiversity(lambda clip: heard[clip.item])
    for item in heard:
        found.add(make_clip(item, np.ones(10), 16_000))
    values = {metric: value for item, metric, value in found.rows() if item == "mean"}
    assert values == pytest.approx({"vert": (2 / 3) ** 0.25, "self_bleu": 1, "auto_bleu": math.sqrt(2 / 3)})


def test_speaker_diversity_by_hand() -> None:
    # angles 0, 60 and 90 degrees: cosines 1/2, 0 and sqrt(3)/2
    vectors = np.array([[1, 0], [0.5, math.sqrt(3) / 2], [0, 1]])
    assert mean_pair_cosine(vectors) == pytest.approx((0.5 + math.sqrt(3) / 2) / 3)
    with pytest.raises(InputError, match="at least 2"):
        mean_pair_cosine(vectors[:1])
    with pytest.raises(InputError, match="0 given"):
        speaker_diversity([])


def test_a_clip_that_is_drawn_twice_does_not_meet_itself() -> None:
    # no two clips have a cosine above 0
    vectors = np.array([[1.0, 0], [0, 1.0], [-1.0, 0], [0, -1.0]])
    _, high = diversity_interval(vectors, np.random.default_rng(0))
    assert high <= 1e-12


def test_the_interval_of_speaker_diversity_is_seeded_and_holds_the_truth_as_often_as_it_says() -> None:
    def voices(seed: int) -> np.ndarray:
        vectors = np.random.default_rng(seed).standard_normal((30, 8)) + 0.5
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    truth = mean_pair_cosine(np.concatenate([voices(1000 + seed) for seed in range(100)]))
    intervals = [diversity_interval(voices(seed), np.random.default_rng(seed), draws=500) for seed in range(60)]
    assert np.mean([low < truth < high for low, high in intervals]) > 0.8
    assert intervals[0] == diversity_interval(voices(0), np.random.default_rng(0), draws=500)


def test_real_voices_are_less_alike_than_one_voice(slt: Clip, rms: Clip) -> None:
    half = len(slt.samples) // 2
    parts = [Clip(f"half {n}", part, 16_000) for n, part in enumerate((slt.samples[:half], slt.samples[half:]))]
    assert speaker_diversity(parts) > speaker_diversity([slt, rms])
    collector = SpeakerDiversity()
    for clip in (slt, rms, *parts):
        collector.add(clip)
    (_, _, mean), (_, _, low), (_, _, high) = collector.rows()
    assert low <= mean <= high

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from evaluation.clips import Clip, make_clip
from evaluation.errors import InputError
from evaluation.metrics.abx import Token, abx
from evaluation.metrics.phone_items import PhoneDiscrimination, find_features, find_items, frames_between
from evaluation.metrics.warping import angles, sequence_distances, warp

HEADER = "#file onset offset #phone prev-phone next-phone speaker\n"


def at_angle(degrees: float, phone: str, speaker: str = "s", context: str = "t") -> Token:
    radians = np.deg2rad(degrees)
    return Token(np.array([[np.cos(radians), np.sin(radians)]]), phone, context, context, speaker)


def slow_warp(distances: np.ndarray) -> float:
    """All monotone paths, one by one: the cheapest sum over its length, the shorter path where sums are equal."""
    best = (np.inf, 0)

    def walk(i: int, j: int, total: float, steps: int) -> None:
        nonlocal best
        total, steps = total + distances[i, j], steps + 1
        if (i, j) == (distances.shape[0] - 1, distances.shape[1] - 1):
            best = min(best, (total, steps))
        for down, right in ((1, 1), (1, 0), (0, 1)):
            if i + down < distances.shape[0] and j + right < distances.shape[1]:
                walk(i + down, j + right, total, steps)

    walk(0, 0, 0.0, 0)
    return best[0] / best[1]


def test_angles_by_hand() -> None:
    first = np.array([[1.0, 0], [0, 0]])
    second = np.array([[3.0, 0], [0, 2], [-1, 0], [1, 1], [0, 0]])
    assert angles(first, second) == pytest.approx(np.array([[0, 0.5, 1, 0.25, 0.5], [0.5, 0.5, 0.5, 0.5, 0]]))


def test_warping_finds_the_cheapest_of_all_paths() -> None:
    rng = np.random.default_rng(0)
    shapes = [(1, 1), (1, 4), (5, 1), (3, 5), (4, 4), (5, 2)]
    padded = rng.random((len(shapes), 5, 5))
    rows, columns = np.array(shapes).T
    expected = [slow_warp(block[:n, :m]) for block, (n, m) in zip(padded, shapes, strict=True)]
    assert warp(padded, rows, columns) == pytest.approx(expected)


def test_a_slower_reading_of_the_same_sounds_is_no_further_away() -> None:
    sounds = np.eye(3)
    slow = np.repeat(sounds, 4, axis=0)
    assert sequence_distances([sounds], [slow, sounds[::-1]]) == pytest.approx(np.array([[0, 1 / 3]]))


def test_abx_by_hand() -> None:
    tokens = [at_angle(0, "a"), at_angle(10, "a"), at_angle(4, "b"), at_angle(40, "b")]
    # x, a from "a" (10 apart), b: x=0 meets 4 (wrong) and 40; x=10 meets 4 (wrong, 6 apart) and 40: 2 of 4 wrong
    # x, a from "b" (36 apart), b from "a": x=4 meets 0 and 10: both wrong; x=40 meets 0 (40 apart) and 10 (30, wrong)
    found = abx(tokens, across_speakers=False)
    assert (found.error, found.triples, len(found.by_pair)) == (pytest.approx((2 / 4 + 3 / 4) / 2), 8, 2)


def test_abx_across_speakers_by_hand() -> None:
    tokens = [at_angle(0, "a", "s"), at_angle(20, "b", "s"), at_angle(15, "a", "t"), at_angle(60, "b", "t")]
    # a, b by s: x=15 is nearer to b at 20: wrong; x=60 of b is nearer to 20 than to 0: right
    # a, b by t: x=0 is nearer to 15 than to 60: right; x=20 of b is nearer to a at 15: wrong
    assert abx(tokens, across_speakers=True).error == pytest.approx(0.5)
    easier = [*tokens[:2], at_angle(5, "a", "t"), tokens[3]]
    assert abx(easier, across_speakers=True).error == pytest.approx(0.25)


def test_contexts_then_speakers_then_phones_weigh_the_same() -> None:
    # two tokens of "a" 1 degree apart and one of "b" far away: no error, and two triples
    easy = [at_angle(angle, phone, "s", "one") for angle, phone in ((0, "a"), (1, "a"), (90, "b"))]
    # by hand as above, each phone pair with more triples: "a" from "b" 2 of 4, "b" from "a" 3 of 4
    hard = [at_angle(angle, phone, "s", "two") for angle, phone in ((0, "a"), (10, "a"), (4, "b"), (40, "b"))]
    # another speaker for whom both are right
    other = [at_angle(angle, phone, "t", "two") for angle, phone in ((0, "a"), (1, "a"), (90, "b"), (91, "b"))]
    assert abx([*easy, *hard], False).error == pytest.approx(((0 + 2 / 4) / 2 + 3 / 4) / 2)
    assert abx([*easy, *hard, *other], False).error == pytest.approx((((0 + 2 / 4) / 2 + 0) / 2 + (3 / 4 + 0) / 2) / 2)


def classes(distance: float, seed: int = 0, count: int = 6) -> list[Token]:
    rng = np.random.default_rng(seed)
    tokens = []
    for phone, speaker, _ in product("ab", "st", range(count)):
        features = rng.standard_normal((rng.integers(2, 5), 6))
        features[:, 0] += distance * (1 if phone == "a" else -1)
        tokens.append(Token(features, phone, "x", "y", speaker))
    return tokens


@pytest.mark.parametrize("across", [False, True])
def test_separated_phones_never_err_and_equal_ones_half_the_time(across: bool) -> None:
    assert abx(classes(100), across).error == 0
    assert np.mean([abx(classes(0, seed), across).error for seed in range(8)]) == pytest.approx(0.5, abs=0.05)
    same = np.ones((3, 2))
    copies = [Token(same * (1 + n), phone, "x", "y", s) for n, (phone, s) in enumerate([*product("ab", "st")] * 2)]
    assert abx(copies, across).error == 0.5  # all distances tie


@pytest.mark.parametrize("across", [False, True])
def test_the_error_depends_neither_on_order_nor_on_loudness(across: bool) -> None:
    tokens = classes(0.7)
    turned = [Token(3 * t.features, t.phone, t.previous, t.following, t.speaker) for t in reversed(tokens)]
    assert abx(turned, across).error == pytest.approx(abx(tokens, across).error)


def test_limits_are_drawn_by_the_seed() -> None:
    tokens = classes(0.7, count=8)
    some = [abx(tokens, False, seed=seed, group_limit=4) for seed in (0, 0, 1)]
    assert some[0] == some[1] and some[0].error != some[2].error
    assert some[0].triples == 4 * 4 * 3 * 4  # pairs of phones times speakers, x, a, b
    many = [at_angle(7 * n + 3 * (p == "b"), p, f"s{n}") for n in range(5) for p in "ab"]
    assert abx(many, True, speaker_limit=2).triples == 2 * 5 * 2
    assert abx(many, True, speaker_limit=None).triples == 2 * 5 * 4


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="no triple"):
        abx([at_angle(0, "a"), at_angle(0, "b")], across_speakers=False)
    with pytest.raises(InputError, match="also by another"):
        abx(classes(1)[:6], across_speakers=True)
    for features, says in ((np.zeros((0, 2)), "at least one frame"), (np.full((1, 2), np.nan), "not finite")):
        with pytest.raises(InputError, match=says):
            abx([at_angle(0, "a"), Token(features, "a", "t", "t", "s")], across_speakers=False)
    with pytest.raises(InputError, match="3 dimensions and others 2"):
        abx([at_angle(0, "a"), Token(np.ones((1, 3)), "a", "t", "t", "s")], across_speakers=False)


def test_frames_are_those_whose_centres_lie_between_the_times() -> None:
    frames = np.arange(100)[:, None]
    # 50 Hz: centres 0.01, 0.03, ...; by hand for the line "0.2925 0.4725" of ZeroSpeech's documentation
    assert frames_between(frames, 50, 0.2925, 0.4725)[[0, -1], 0].tolist() == [15, 23]
    assert frames_between(frames, 50, 0.29, 0.31)[:, 0].tolist() == [14, 15]  # both centres, exactly
    assert not len(frames_between(frames, 12.5, 0.05, 0.1))


def test_vowels_are_told_apart_from_an_item_file(tmp_path: Path) -> None:
    rate, seconds = 16_000, 0.2
    times = np.arange(int(rate * seconds)) / rate
    lines, rng, clips = [], np.random.default_rng(0), []
    for name, pitch in (("low", 110), ("high", 190)):
        parts = []
        for place, (phone, formant) in enumerate([("A", 700), ("I", 300)] * 3):
            waves = [
                np.exp(-(((k * pitch - formant) / 150) ** 2)) * np.sin(2 * np.pi * k * pitch * times)
                for k in range(1, 30)
            ]
            parts.append(np.sum(waves, axis=0) + 0.01 * rng.standard_normal(len(times)))
            lines.append(f"{name} {place * seconds:.2f} {(place + 1) * seconds:.2f} {phone} T T {name}\n")
        clips.append(make_clip(f"folder/{name}.wav", np.concatenate(parts), rate))
    path = tmp_path / "vowels.item"
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    found = PhoneDiscrimination(find_items(path), find_features("mel"))
    for clip in [*clips, Clip("other.wav", clips[0].samples, rate)]:
        found.add(clip)
    values = {metric: value for _, metric, value in found.rows()}
    assert values["abx_within"] == 0 and values["abx_across"] < 0.1
    lacking = PhoneDiscrimination(find_items(path))
    lacking.add(clips[0])
    with pytest.raises(InputError, match="first is high"):
        lacking.rows()


def test_faulty_item_files_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.item"
    for text, says in (
        ("", "first line of"),
        ("file onset\n", "first line of"),
        (f"{HEADER}one 0 1 A B C s\none 1 0.5 A B C s\n", "Line 3 of"),
        (f"{HEADER}one 0 1 A B C\n", "Line 2 of"),
    ):
        path.write_text(text, encoding="utf-8")
        find_items.cache_clear()
        with pytest.raises(InputError, match=says):
            find_items(path)
    with pytest.raises(InputError, match="--items"):
        find_items(None)
    with pytest.raises(InputError, match="no features 'mfcc'"):
        find_features("mfcc")


@pytest.mark.bundled
def test_features_of_a_codec_are_its_latents() -> None:
    noise = make_clip("noise.wav", 0.1 * np.random.default_rng(0).standard_normal(24_000), 24_000)
    latents, rate = find_features("codec:calm-codec-speech")(noise)
    assert latents.shape[0] == pytest.approx(rate, abs=1) and latents.std() > 0
    with pytest.raises(InputError, match="'nothing-here'"):
        find_features("codec:nothing-here")

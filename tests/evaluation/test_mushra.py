import numpy as np
import pandas as pd
import pytest

from evaluation.errors import InputError
from evaluation.mushra import bimodality, median_tests, summarise, warnings_about
from evaluation.screening import outliers, post_screen


def grades(change: dict[tuple[str, str], dict[int, float]], raters: int = 10, items: int = 20) -> pd.DataFrame:
    """Ten careful raters of twenty items; `change` sets a rater's grades of a system on some items."""
    rng = np.random.default_rng(0)
    rows = []
    for r in range(raters):
        for i in range(items):
            for system, middle in (("ref", 97.0), ("mid", 60.0), ("new", 75.0), ("old", 68.0)):
                score = change.get((f"r{r}", system), {}).get(i, middle + rng.uniform(-3, 3))
                rows.append((f"r{r}", f"i{i}", system, score))
    return pd.DataFrame(rows, columns=["rater", "item", "system", "score"])


def test_three_low_references_in_twenty_are_allowed_and_four_are_not() -> None:
    low = grades({("r1", "ref"): dict.fromkeys(range(3), 89.9), ("r2", "ref"): dict.fromkeys(range(4), 89.9)})
    (found,) = post_screen(low, "ref", "mid")
    assert (found.rater, found.share) == ("r2", 0.2) and "reference" in found.rule
    assert not post_screen(grades({("r1", "ref"): dict.fromkeys(range(20), 90.0)}), "ref", "mid")


def test_a_mid_anchor_graded_high_excludes_but_not_on_items_where_a_quarter_did_so() -> None:
    five = dict.fromkeys(range(5), 95.0)
    assert [e.rater for e in post_screen(grades({("r3", "mid"): five}), "ref", "mid")] == ["r3"]
    # three of ten raters are more than a quarter: the five items do not count, and nobody goes
    many = {(f"r{k}", "mid"): five for k in (3, 4, 5)}
    assert post_screen(grades(many), "ref", "mid") == []
    # two of ten are not; the share is of the items that count
    few = {("r3", "mid"): dict.fromkeys(range(4), 95.0), ("r4", "mid"): dict.fromkeys(range(2), 95.0)}
    few |= {("r5", "mid"): {0: 95.0}, ("r6", "mid"): {0: 95.0}}
    (found,) = post_screen(grades(few), "ref", "mid")
    assert found.rater == "r3" and found.share == pytest.approx(3 / 19)


def test_a_rater_who_breaks_both_rules_is_listed_for_both() -> None:
    both = grades({("r1", "ref"): dict.fromkeys(range(9), 10.0), ("r1", "mid"): dict.fromkeys(range(9), 99.0)})
    assert [(e.rater, e.share) for e in post_screen(both, "ref", "mid")] == [("r1", 0.45), ("r1", 0.45)]


def test_unknown_names_are_refused_with_the_names_there_are() -> None:
    with pytest.raises(InputError, match="reference 'original'; the column system holds mid, new, old, ref"):
        post_screen(grades({}), "original", "mid")
    with pytest.raises(InputError, match="mid anchor 'lp7'"):
        post_screen(grades({}), "ref", "lp7")
    with pytest.raises(InputError, match="cannot be both"):
        post_screen(grades({}), "ref", "ref")


def test_outliers_are_reported() -> None:
    (found,) = [o for o in outliers(grades({("r1", "new"): {7: 5.0}})) if o.score < 50 and o.system == "new"]
    assert (found.item, found.system, found.score) == ("i7", "new", 5.0) and found.low > 5


def test_the_summary_by_hand() -> None:
    frame = pd.DataFrame(
        {"rater": list("abcd"), "item": "i", "system": "x", "score": [10.0, 20.0, 40.0, 90.0]},
    )
    (found,) = summarise(frame)
    assert (found.median, found.q1, found.q3, found.mean, found.ratings) == (30, 17.5, 52.5, 40, 4)
    assert found.ci_low < 40 < found.ci_high
    assert [row.system for row in summarise(grades({}))] == ["ref", "new", "old", "mid"]


def test_median_tests_keep_their_level_and_find_what_is_there() -> None:
    rng = np.random.default_rng(1)
    base = pd.DataFrame([(r, i) for r in range(8) for i in range(6)], columns=["rater", "item"])
    taste = rng.normal(0, 5, size=8)

    def system(name: str, level: float, own: np.ndarray) -> pd.DataFrame:
        return base.assign(system=name, score=level + own[base["rater"]] + rng.normal(0, 5, len(base)))

    found = 0
    for _ in range(60):
        same = pd.concat([system("x", 50, taste), system("y", 50, taste)])
        (test,) = median_tests(same, draws=200)
        found += test.p_value < 0.05
    assert found <= 8
    (test,) = median_tests(pd.concat([system("x", 50, taste), system("y", 65, taste)]), draws=4000)
    assert test.p_value == pytest.approx(2 / 2**8, abs=0.004)  # of the 2^8 ways to swap raters, two are as far
    assert test.difference == pytest.approx(-15, abs=5) and test.adjusted == test.p_value


def test_a_saturated_scale_and_two_camps_are_warned_of() -> None:
    assert warnings_about(grades({})) == []
    split = {(f"r{k}", "new"): dict.fromkeys(range(20), 15.0) for k in range(5)}
    (sentence,) = warnings_about(grades(split))
    assert "'new' fall into two camps" in sentence
    high = grades({(f"r{k}", s): dict.fromkeys(range(20), 88.0) for k in range(10) for s in ("new", "old")})
    assert any("3 of 4 conditions" in sentence for sentence in warnings_about(high))


def test_bimodality_of_known_shapes() -> None:
    rng = np.random.default_rng(0)
    assert bimodality(rng.normal(size=50_000)) == pytest.approx(1 / 3, abs=0.01)
    assert bimodality(rng.uniform(size=50_000)) == pytest.approx(5 / 9, abs=0.01)
    assert bimodality(np.repeat([0.0, 1.0], 500)) == pytest.approx(1, abs=0.01)
    assert np.isnan(bimodality(np.ones(9)))

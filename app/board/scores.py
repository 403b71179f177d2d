"""Results of questions that were answered by scores: opinions (ITU-T P.800) and grades (ITU-R BS.1534-3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from app.board.ballots import Ballot
from app.board.sentences import difference_sentences, listed
from evaluation.mushra import median_tests, summarise, warnings_about
from evaluation.opinion import mean_opinions
from evaluation.reliability import krippendorff_alpha, ratings_matrix
from evaluation.screening import outliers, post_screen
from evaluation.significance import Test, paired_tests


def opinion_results(ballots: Sequence[Ballot]) -> dict[str, Any]:
    """Mean opinion scores with intervals clustered by rater and item, tests between systems, agreement of raters."""
    scores = _frame(ballots)
    found = mean_opinions(scores)
    tests = [_test(test) for test in paired_tests(scores)]
    names = [row.system for row in found]
    return {
        "systems": names,
        "standings": [_plain(asdict(row)) for row in found],
        "alpha": _number(krippendorff_alpha(ratings_matrix(scores))),
        "tests": tests,
        "sentences": difference_sentences(names, tests),
    }


def mushra_results(ballots: Sequence[Ballot], permutations: int) -> dict[str, Any]:
    """Medians with quartiles, means with intervals, post-screening as the recommendation has it, tests on medians."""
    scores = _frame(ballots)
    roles = {ballot.role: ballot.system for ballot in ballots}
    screened, note = [], ""
    if "reference" in roles and "anchor_mid" in roles:
        screened = post_screen(scores, roles["reference"], roles["anchor_mid"])
    else:
        wanted = (("reference", "hidden reference"), ("anchor_mid", "mid anchor"))
        missing = [word for role, word in wanted if role not in roles]
        note = f"Raters were not screened after BS.1534-3: there are no grades of a {listed(missing)}."
    gone = {one.rater for one in screened}
    far = outliers(scores)
    kept = [ballot for ballot in ballots if ballot.rater not in gone]
    scores = _frame(kept)
    found = summarise(scores)
    names = [row.system for row in found]
    tests = [_test(test) for test in median_tests(scores, draws=permutations)]
    warnings = [*([note] if note else []), *warnings_about(scores)]
    if not kept:
        warnings.append("Every rater is excluded by the rules of BS.1534-3, so there is no result.")
    return {
        "systems": names,
        "standings": [{**_plain(asdict(row)), **_whiskers(scores, row.system)} for row in found],
        "answers": len(kept),
        "raters": len({ballot.rater for ballot in kept}),
        "screened": [{"rater": one.rater, "rule": one.rule, "share": round(one.share, 4)} for one in screened],
        "outliers": len(far),
        "warnings": warnings,
        "permutations": permutations,
        "tests": tests,
        "sentences": difference_sentences(names, tests),
    }


def _frame(ballots: Sequence[Ballot]) -> pd.DataFrame:
    rows = [(ballot.rater, ballot.item, ballot.system, ballot.score) for ballot in ballots]
    return pd.DataFrame(rows, columns=["rater", "item", "system", "score"])


def _whiskers(scores: pd.DataFrame, system: str) -> dict[str, Any]:
    """Ends of a box plot's whiskers, the last grades within 1.5 interquartile ranges, and what lies outside."""
    values = np.sort(scores.loc[scores["system"] == system, "score"].to_numpy(dtype=float))
    q1, q3 = np.quantile(values, [0.25, 0.75])
    inside = values[(values >= q1 - 1.5 * (q3 - q1)) & (values <= q3 + 1.5 * (q3 - q1))]
    outside = np.unique(values[(values < inside[0]) | (values > inside[-1])])
    return {"whisker_low": float(inside[0]), "whisker_high": float(inside[-1]), "outside": outside.tolist()}


def _test(test: Test) -> dict[str, Any]:
    return _plain(asdict(test))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _number(value) if isinstance(value, float) else value for name, value in values.items()}


def _number(value: float) -> float | None:
    """A number that JSON can hold."""
    return round(float(value), 5) if math.isfinite(value) else None

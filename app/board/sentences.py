"""What is established and what is not, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CERTAIN = 0.975  # one side of a 95 % interval
AT_LEAST = "at least 97.5 % certain"
MOST_CLAUSES = 6


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def order_sentences(names: Sequence[str], above: Any, groups: Sequence[Sequence[str]], votes: int) -> list[str]:
    """What the votes say about an order.

    Args:
        names: Systems, the best first.
        above: `[N, N]`, the probability that the row is rated above the column.
        groups: Systems that votes join.
        votes: How many there are.
    """
    if votes == 0 or len(names) < 2:
        return ["No two systems have been compared yet, so nothing is established."]
    said = []
    if len(groups) > 1:
        said.append(
            "No vote joins " + ", nor ".join(f"({listed(group)})" for group in groups) + ": between these groups the "
            "order rests on the prior alone and says nothing."
        )
    of_group = {name: number for number, group in enumerate(groups) for name in group}
    n = len(names)
    sure = [
        [j for j in range(n) if above[i][j] >= CERTAIN and of_group[names[i]] == of_group[names[j]]] for i in range(n)
    ]
    if all(i + 1 in sure[i] for i in range(n - 1)):
        return [*said, f"Established, each step {AT_LEAST}: {' above '.join(names)}."]
    clauses = _merged([(names[i], [names[j] for j in sure[i]]) for i in range(n) if sure[i]], "above")
    open_pairs = [
        (names[i], names[j]) for i in range(n) for j in range(i + 1, n) if j not in sure[i] and i not in sure[j]
    ]
    said.append(f"Established ({AT_LEAST}): {clauses}." if clauses else "No difference is established yet.")
    if open_pairs:
        said.append(_open(open_pairs))
    return said


def difference_sentences(names: Sequence[str], tests: Sequence[dict[str, Any]], level: float = 0.05) -> list[str]:
    """What tests between every two systems say.

    Args:
        names: Systems, the best first.
        tests: `system_a, system_b, difference, adjusted` of each pair.
        level: Of the whole family of tests.
    """
    if len(names) < 2 or not tests:
        return ["No two systems were judged by the same raters, so no difference is established."]
    better: dict[str, list[str]] = {name: [] for name in names}
    open_pairs = []
    place = {name: at for at, name in enumerate(names)}
    for test in tests:
        pair = sorted((test["system_a"], test["system_b"]), key=place.__getitem__)
        if test["adjusted"] < level and test["difference"]:
            first, second = test["system_a"], test["system_b"]
            winner, loser = (first, second) if test["difference"] > 0 else (second, first)
            better[winner].append(loser)
        else:
            open_pairs.append((pair[0], pair[1]))
    told = [(name, sorted(worse, key=place.__getitem__)) for name, worse in better.items() if worse]
    clauses = _merged(told, "better than")
    said = [
        f"Established (p below {level:g} after Holm): {clauses}." if clauses else "No difference is established yet."
    ]
    return [*said, _open(open_pairs)] if open_pairs else said


def _merged(told: Sequence[tuple[str, list[str]]], verb: str) -> str:
    """`a and b above c; d above e`: those with the same list are put together."""
    by_list: dict[tuple[str, ...], list[str]] = {}
    for name, below in told:
        by_list.setdefault(tuple(below), []).append(name)
    clauses = [f"{listed(who)} {verb} {listed(below)}" for below, who in by_list.items()]
    rest = len(clauses) - MOST_CLAUSES
    return "; ".join(clauses[:MOST_CLAUSES]) + (f"; and {rest} more such statements" if rest > 0 else "")


def _open(pairs: Sequence[tuple[str, str]]) -> str:
    shown = [f"{a} and {b}" for a, b in pairs[:MOST_CLAUSES]]
    rest = len(pairs) - len(shown)
    more = f"; and of {rest} more pairs" if rest > 0 else ""
    return f"Not established is the order of {'; of '.join(shown)}{more}."

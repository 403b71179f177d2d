"""One view of the leaderboard, put together: what is shown of each question, and what is left out of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.board.about import About
from app.board.ballots import Ballot
from app.board.pairs import pair_results
from app.board.published import published_beside
from app.board.scores import mushra_results, opinion_results
from app.board.selection import OVERALL, Filters, QuestionKey, Selected


def question_results(
    key: QuestionKey, ballots: Sequence[Ballot], about: dict[str, About], permutations: int
) -> dict[str, Any]:
    """Everything that is shown of one question, ready for JSON; `permutations` are those of the tests on medians."""
    studies = sorted({ballot.study for ballot in ballots})
    known = about.get(studies[-1])
    asked = known.questions.get(key.attribute, "") if known else ""
    shared = {
        "id": key.id,
        "kind": key.kind,
        "attribute": key.attribute,
        "name": (known.title if known else key.study) if key.attribute == OVERALL else key.attribute,
        "question": asked,
        "labels": list(known.labels.get(key.attribute, ())) if known else [],
        "studies": studies,
        "answers": len(ballots),
        "raters": len({ballot.rater for ballot in ballots}),
        "items": len({(ballot.study, ballot.item) for ballot in ballots}),
        "newest": max(ballot.at for ballot in ballots).isoformat(timespec="seconds"),
        "published": published_beside(key),
    }
    if key.kind == "pairs":
        return shared | pair_results(ballots)
    return shared | (opinion_results(ballots) if key.kind == "mos" else mushra_results(ballots, permutations))


def overview(
    filters: Filters,
    selected: Selected,
    choices: dict[str, Any],
    about: dict[str, About],
    questions: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """The whole view; the order of the questions is pairs, opinions, grades."""
    titles = []
    for slug in choices["studies"]:
        known = about.get(slug)
        titles.append({"slug": slug, "title": known.title if known else slug, "state": known.state if known else ""})
    order = {"pairs": 0, "mos": 1, "mushra": 2}
    return {
        "filters": filters.told(),
        "options": {**choices, "studies": titles},
        "left_out": {
            "excluded_raters": len(selected.excluded),
            "excluded_answers": selected.excluded_answers,
            "flagged_raters": len(selected.flagged),
            "flagged_answers": selected.flagged_answers,
            "flagged_counted": filters.flagged,
            "flags": dict(sorted(selected.flags.items())),
        },
        "questions": sorted(questions, key=lambda one: (order[one["kind"]], one["name"].lower(), one["id"])),
    }

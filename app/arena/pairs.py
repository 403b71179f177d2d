"""Which two systems meet next, by what the votes so far leave open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app.arena.systems import SLUG
from app.db import study_models as rows
from evaluation.bradley_terry import Votes, VoteTable
from evaluation.pair_selection import next_pairs

OUTCOMES = ("a", "b", "tie")
MOST_OPEN = 16  # pairs that are waited for; more hardly change the choice


def vote_table(session: Session, names: Sequence[str]) -> VoteTable:
    """All votes on these systems, of every version, by raters who are not excluded."""
    first, second = aliased(rows.System), aliased(rows.System)
    heard_a, heard_b = aliased(rows.Stimulus), aliased(rows.Stimulus)
    query = (
        select(first.name, second.name, rows.ComparisonRow.outcome, func.count())
        .select_from(rows.ComparisonRow)
        .join(rows.Trial, rows.Trial.id == rows.ComparisonRow.trial_id)
        .join(rows.RaterSession, rows.RaterSession.id == rows.Trial.session_id)
        .join(rows.Rater, rows.Rater.id == rows.RaterSession.rater_id)
        .join(rows.Study, rows.Study.id == rows.Rater.study_id)
        .join(heard_a, heard_a.id == rows.ComparisonRow.stimulus_a_id)
        .join(heard_b, heard_b.id == rows.ComparisonRow.stimulus_b_id)
        .join(first, first.id == heard_a.system_id)
        .join(second, second.id == heard_b.system_id)
        .where(rows.Study.slug == SLUG, rows.Rater.excluded_at.is_(None), first.name.in_(names), second.name.in_(names))
        .group_by(first.name, second.name, rows.ComparisonRow.outcome)
    )
    code = {name: number for number, name in enumerate(names)}
    found = [(code[a], code[b], OUTCOMES.index(outcome), count) for a, b, outcome, count in session.execute(query)]
    a, b, outcome, count = np.array(found, dtype=np.intp).reshape(-1, 4).T
    return Votes(tuple(names), a, b, outcome, weight=count.astype(float)).table()


def choose(table: VoteTable, rng: np.random.Generator, awaited: int = 0) -> tuple[str, str]:
    """The two systems to compare next, in the order of showing.

    Args:
        table: the votes so far.
        rng: source of the draws.
        awaited: pairs that are open now, whose votes are taken for given, so that visitors of one moment hear
            different pairs.
    """
    return next_pairs(table, min(awaited, MOST_OPEN) + 1, rng)[-1]

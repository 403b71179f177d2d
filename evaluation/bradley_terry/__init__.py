"""Ratings from votes between two systems, by the Bradley-Terry model.

* `votes`: votes as columns and as a table of counts.
* `fixed_point`: the paper's estimate, exactly.
* `gibbs`: the full posterior, with ties.
* `hierarchical`: the same with raters who differ in care and a preferred side.
* `posterior`: ratings, ranks and probabilities of draws; `diagnostics`: whether chains agree.
"""

from evaluation.bradley_terry.diagnostics import NotConverged
from evaluation.bradley_terry.fixed_point import FixedPoint, fixed_point
from evaluation.bradley_terry.gibbs import Prior, gibbs
from evaluation.bradley_terry.hierarchical import hierarchical
from evaluation.bradley_terry.posterior import RatingPosterior
from evaluation.bradley_terry.votes import Votes, VoteTable, from_records

__all__ = [
    "FixedPoint",
    "NotConverged",
    "Prior",
    "RatingPosterior",
    "VoteTable",
    "Votes",
    "fixed_point",
    "from_records",
    "gibbs",
    "hierarchical",
]

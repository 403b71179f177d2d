"""How many raters and items a listening test needs to tell two systems apart.

The difference of two systems is estimated with a variance that adds up raters' own tastes, items' own differences and
the chance of single answers; the test is two-sided, at a level divided by the number of pairs (Bonferroni: Holm's
adjustment needs no more raters than that).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from evaluation.bradley_terry.posterior import ELO_PER_NAT
from evaluation.errors import InputError

ITEM_PART = 0.25  # the share of the variance that is left to items where their number is free


@dataclass(frozen=True)
class Need:
    """What a test needs.

    Attributes:
        raters: Raters.
        items: Different items (prompts).
        answers: Votes, or scores of all systems, in all.
        power: Chance of finding the difference with these numbers.
    """

    raters: int
    items: int
    answers: int
    power: float


@dataclass(frozen=True)
class Plan:
    """What is asked of the test.

    Attributes:
        systems: Systems compared, every pair as often.
        power: Wanted chance of finding the difference.
        level: Chance of one false finding or more.
        per_rater: Votes a rater gives, or items a rater scores for every system.
        items: Items at hand; None to be told how many.
    """

    systems: int = 2
    power: float = 0.8
    level: float = 0.05
    per_rater: int = 10
    items: int | None = None

    def __post_init__(self) -> None:
        if self.systems < 2:
            raise InputError(f"A comparison needs 2 systems or more, not {self.systems}.")
        if not (0 < self.level < self.power < 1):
            raise InputError(f"Power {self.power:g} and level {self.level:g} must be apart, between 0 and 1.")
        if self.per_rater < 1 or (self.items is not None and self.items < 1):
            raise InputError("A rater gives 1 answer or more, on 1 item or more.")

    @property
    def quantile(self) -> float:
        """Of the normal distribution at the level of one pair's test."""
        return float(norm.ppf(1 - self.level / (self.systems * (self.systems - 1))))


def vote_information(difference: float, tie_share: float) -> float:
    """Fisher information of one vote about the difference of log strengths, in the model with ties.

    Args:
        difference: Of the log strengths.
        tie_share: Chance of a tie between equals, 0 to 1; it is (theta - 1) / (theta + 1).
    """
    theta = (1 + tie_share) / (1 - tie_share)
    first, second = 1 / (1 + theta * np.exp(-difference)), 1 / (1 + theta * np.exp(difference))
    slope_1, slope_2 = first * (1 - first), -second * (1 - second)
    information = slope_1**2 / first + slope_2**2 / second
    tie = 1 - first - second
    if tie > 1e-12:
        information += (slope_1 + slope_2) ** 2 / tie
    return float(information)


def for_elo(
    difference: float, plan: Plan, tie_share: float = 0.0, rater_spread: float = 0.0, item_spread: float = 0.0
) -> Need:
    """Raters and items to separate two systems by votes.

    Args:
        difference: Elo points to be found.
        plan: Systems, power, level, votes of a rater.
        tie_share: Chance of a tie between equals.
        rater_spread: Standard deviation between raters of their own difference of the two, Elo points.
        item_spread: The same between items.

    Raises:
        InputError: Numbers out of range, or too few items for any number of raters.
    """
    if difference <= 0 or not 0 <= tie_share < 1 or min(rater_spread, item_spread) < 0:
        raise InputError("The Elo difference must be above 0, the share of ties in [0, 1), spreads 0 or more.")
    nats = difference / ELO_PER_NAT
    # a rater with fewer votes than systems less one tells of part of the differences only
    part = max(1.0, (plan.systems - 1) / plan.per_rater)
    answer = (plan.systems - 1) / vote_information(nats, tie_share) / plan.per_rater
    rater = part * (rater_spread / ELO_PER_NAT) ** 2 + answer
    return _solve(nats, rater, (item_spread / ELO_PER_NAT) ** 2, plan, plan.per_rater)


def for_mos(
    difference: float, plan: Plan, rater_spread: float = 0.3, item_spread: float = 0.2, noise: float = 0.8
) -> Need:
    """Raters and items to separate two systems by opinion scores, each rater scoring every system on the same items.

    Args:
        difference: Points of the scale to be found.
        plan: Systems, power, level, items of a rater.
        rater_spread: Standard deviation between raters of how they like one system, their general level left out.
        item_spread: The same between items.
        noise: Standard deviation of a single score beside these.

    Raises:
        InputError: Numbers out of range, or too few items for any number of raters.
    """
    if difference <= 0 or min(rater_spread, item_spread, noise) < 0:
        raise InputError("The MOS difference must be above 0, spreads and noise 0 or more.")
    rater = 2 * (rater_spread**2 + noise**2 / plan.per_rater)
    return _solve(difference, rater, 2 * item_spread**2, plan, plan.per_rater * plan.systems)


def _solve(difference: float, rater: float, item: float, plan: Plan, answers: int) -> Need:
    """Find the numbers where variance `rater / raters + item / items` is small enough."""
    allowed = (difference / (plan.quantile + norm.ppf(plan.power))) ** 2
    fewest = 1 if answers == plan.per_rater else plan.per_rater  # scores of one rater are of different items
    items = plan.items or max(fewest, math.ceil(item / (ITEM_PART * allowed)))
    left = allowed - item / items
    if left <= 0:
        raise InputError(
            f"{items} items cannot show this difference with any number of raters; more than "
            f"{math.floor(item / allowed)} are needed."
        )
    raters = max(2, math.ceil(rater / left))
    deviation = math.sqrt(rater / raters + item / items)
    found = float(norm.cdf(difference / max(deviation, 1e-12) - plan.quantile))
    return Need(raters, items, raters * answers, found)

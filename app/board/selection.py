"""Which answers a view of the leaderboard rests on, and to which question each of them belongs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from app.board.ballots import Ballot, Kind, Raters
from app.errors import UserError

OVERALL = "overall"  # what the schema calls the only question of a study; another study's is another question
LONGEST = 200


@dataclass(frozen=True)
class Filters:
    """What a view is restricted to; empty for all. Days are in UTC, both ends included."""

    study: str = ""
    language: str = ""
    group: str = ""
    since: date | None = None
    until: date | None = None
    flagged: bool = False

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filters:
        """Filters from a query string: `study, language, group, from, to, flagged`.

        Raises:
            UserError: a value is no day, no switch, or too long; the sentence names it.
        """
        for name in ("study", "language", "group"):
            if len(query.get(name, "")) > LONGEST:
                raise UserError(f"The filter '{name}' is longer than {LONGEST} characters.", param=name)
        flagged = query.get("flagged", "0")
        if flagged not in ("", "0", "1"):
            raise UserError("The filter 'flagged' is 1 to count flagged raters, or 0.", param="flagged")
        since, until = _day(query, "from"), _day(query, "to")
        if since and until and since > until:
            raise UserError("The filter 'from' lies after 'to'; exchange the two days.", param="from")
        named = {name: query.get(name, "") for name in ("study", "language", "group")}
        return cls(**named, since=since, until=until, flagged=flagged == "1")

    def told(self) -> dict[str, Any]:
        """The same as JSON, in the names of the query string."""
        return {
            "study": self.study,
            "language": self.language,
            "group": self.group,
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
            "flagged": self.flagged,
        }

    def admits(self, ballot: Ballot) -> bool:
        """Whether an answer lies within; flags are not looked at."""
        day = ballot.at.date()
        return (
            (not self.study or ballot.study == self.study)
            and (not self.language or ballot.language == self.language)
            and (not self.group or ballot.group == self.group)
            and (self.since is None or day >= self.since)
            and (self.until is None or day <= self.until)
        )


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UserError(f"The filter '{name}' must be a day such as 2026-11-20.", param=name) from None


@dataclass(frozen=True, order=True)
class QuestionKey:
    """One question: an attribute of one study, or of all studies that ask for it in pairs by the same name.

    Scores of separate tests are never put together: ITU-T P.800 warns that they do not compare.
    """

    kind: Kind
    attribute: str
    study: str = ""

    @property
    def id(self) -> str:
        """Its name in addresses."""
        return f"{self.kind}:{self.study}/{self.attribute}" if self.study else f"{self.kind}:{self.attribute}"

    @classmethod
    def of(cls, ballot: Ballot) -> QuestionKey:
        """The question that an answer belongs to."""
        own = ballot.kind != "pairs" or ballot.attribute == OVERALL
        return cls(ballot.kind, ballot.attribute, ballot.study if own else "")


@dataclass
class Selected:
    """What a view rests on.

    Attributes:
        questions: The answers to each question.
        excluded, flagged: Raters who would belong to the view and are left out.
        excluded_answers, flagged_answers: What they answered.
        flags: How many of the flagged raters (counted or not) have each kind of flag.
    """

    questions: dict[QuestionKey, list[Ballot]] = field(default_factory=dict)
    excluded: set[str] = field(default_factory=set)
    flagged: set[str] = field(default_factory=set)
    excluded_answers: int = 0
    flagged_answers: int = 0
    flags: Counter[str] = field(default_factory=Counter)


def select(ballots: Iterable[Ballot], raters: Raters, filters: Filters) -> Selected:
    """Sort the answers of a view by question; those of excluded and flagged raters are counted and left out."""
    found = Selected()
    questions: dict[QuestionKey, list[Ballot]] = defaultdict(list)
    for ballot in ballots:
        if not filters.admits(ballot):
            continue
        if ballot.rater in raters.excluded:
            found.excluded.add(ballot.rater)
            found.excluded_answers += 1
            continue
        if ballot.rater in raters.flagged:
            found.flagged.add(ballot.rater)
            found.flagged_answers += 1
            if not filters.flagged:
                continue
        questions[QuestionKey.of(ballot)].append(ballot)
    for rater in found.flagged:
        found.flags.update(raters.flagged[rater])
    found.questions = {key: questions[key] for key in sorted(questions)}
    return found


def options(ballots: Iterable[Ballot]) -> dict[str, Any]:
    """What the filters can be set to: studies, languages and groups that occur, first and last day."""
    studies, languages, groups = set(), set(), set()
    first = last = None
    for ballot in ballots:
        studies.add(ballot.study)
        languages.add(ballot.language)
        groups.add(ballot.group)
        first = ballot.at if first is None or ballot.at < first else first
        last = ballot.at if last is None or ballot.at > last else last
    return {
        "studies": sorted(studies),
        "languages": sorted(languages),
        "groups": sorted(groups),
        "from": first.date().isoformat() if first else "",
        "to": last.date().isoformat() if last else "",
    }

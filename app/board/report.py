"""A study's report: one HTML page that needs nothing else, with methods, figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from app.board.figures import FIGURES
from app.board.methods import methods
from app.board.protocol import Protocol, read_protocol
from app.board.selection import Filters
from app.board.service import Board, View
from app.db import Database
from app.errors import UserError

STATIC = Path(__file__).parent.parent / "static" / "board"
WIDTH = 820.0
PERMUTATIONS = 10_000
LONGEST_SECONDS = 300.0
CAPTIONS = {
    "forest": "Elo ratings with 95 % intervals; small diamonds: the paper's fixed point.",
    "heat": "Probability in percent that a listener prefers the row to the column.",
    "time": "Ratings after growing parts of the votes, with 95 % bands.",
    "bars": "Mean opinion scores with 95 % intervals.",
    "boxes": "Grades: quartiles, median, whiskers of 1.5 interquartile ranges; diamonds: means.",
}
Cell = str | int | float | None


def write_report(database: Database, slug: str, path: Path) -> None:
    """Compute a study's results and write its report.

    Raises:
        UserError: no such study, or the file cannot be written.
    """
    page = report(database, Filters(study=slug))
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        reason = error.strerror or error
        raise UserError(f"The report cannot be written to {path} ({reason}); choose another file.") from error


def report(database: Database, filters: Filters) -> str:
    """The report of the study that the filters name, computed for itself alone.

    Raises:
        UserError: no such study.
    """
    protocol = read_protocol(database, filters.study)
    board = Board(database, permutations=PERMUTATIONS)
    try:
        return report_page(protocol, board.view(filters, fresh=True, patience_seconds=LONGEST_SECONDS))
    finally:
        board.close()


def report_page(protocol: Protocol, view: View) -> str:
    """The page, of the newest results."""
    title = protocol.study.title.get("en")
    sheet = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("report.css", "figures.css"))
    made = datetime.now(UTC)
    content = view.content
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(protocol.study.slug)}, version {protocol.version}, {protocol.state}; '
        f"{made.day} {made:%B %Y, %H:%M} UTC. {escape(_restricted(content['filters']))}</p>",
        "<h2>Methods</h2>",
        *(f"<p>{escape(text)}</p>" for text in methods(protocol, content, len(view.raters["excluded"]))),
        "<h2>Results</h2>",
        *(_question(question) for question in content["questions"]),
    ]
    if not content["questions"]:
        body.append("<p>No vote counts yet.</p>")
    body.append(_exclusions(view))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: report</title><style>{sheet}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _restricted(filters: dict[str, Any]) -> str:
    words = [f"{name} {value}" for name, value in filters.items() if value and name not in ("study", "flagged")]
    return f"Restricted to: {', '.join(words)}." if words else ""


def _question(question: dict[str, Any]) -> str:
    drawn = []
    for name, figure in FIGURES[question["kind"]].items():
        svg = figure(question, WIDTH).render()
        drawn.append(f"<figure>{svg}<figcaption>{escape(CAPTIONS[name])}</figcaption></figure>")
    counts = f"{question['answers']} answers of {question['raters']} listeners on {question['items']} items."
    parts = [
        f"<h3>{escape(question['name'])}</h3>",
        f'<p class="soft">{escape(question["question"])} {counts}</p>',
        f'<div class="established">{"".join(f"<p>{escape(text)}</p>" for text in question["sentences"])}</div>',
        *(f"<p>{escape(text)}</p>" for text in [*question.get("warnings", []), question.get("failure", "")] if text),
        TABLES[question["kind"]](question),
        *drawn,
        _tests(question),
        *(_published(each) for each in question["published"]),
    ]
    return "".join(parts)


def _table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = "", texts: int = 1) -> str:
    """A table whose first `texts` columns are words."""

    def cells(tag: str, row: Sequence[Cell]) -> str:
        kinds = ("" if at < texts else ' class="number"' for at in range(len(row)))
        return "".join(
            f"<{tag}{kind}>{escape('–' if value is None else str(value))}</{tag}>"
            for kind, value in zip(kinds, row, strict=True)
        )

    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', heads)}</tr></thead>"
    return f'<div class="scroll"><table>{said}{head}<tbody>{lines}</tbody></table></div>'


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _interval(low: float | None, high: float | None, digits: int) -> str:
    return "–" if low is None or high is None else f"{low:.{digits}f} to {high:.{digits}f}"


def _pairs(question: dict[str, Any]) -> str:
    heads = (
        "System",
        "Elo",
        "95 % interval",
        "Rank",
        "Ranks",
        "P(best)",
        "Votes",
        "Wins",
        "Ties",
        "Losses",
        "Fixed point",
    )
    rows = [
        (
            row["system"], _number(row["elo"], 0), _interval(row["low"], row["high"], 0), row["rank"],
            f"{row['rank_low']} to {row['rank_high']}", f"{row['best']:.3f}", row["votes"], row["wins"], row["ties"],
            row["losses"], _number(row["paper_elo"], 0),
        )
        for row in question["standings"]
    ]  # fmt: skip
    found = question["convergence"]
    told = f"R-hat {found['r_hat']:.3f}, {found['effective_draws']} effective draws." if found else ""
    return _table(heads, rows, told)


def _opinions(question: dict[str, Any]) -> str:
    heads = ("System", "MOS", "95 % interval", "Ratings", "Listeners")
    rows = [
        (
            row["system"],
            _number(row["mean"], 2),
            _interval(row["ci_low"], row["ci_high"], 2),
            row["ratings"],
            row["raters"],
        )
        for row in question["standings"]
    ]
    alpha = question["alpha"]
    return _table(heads, rows, "" if alpha is None else f"Krippendorff's alpha (interval scale) is {alpha:.2f}.")


def _grades(question: dict[str, Any]) -> str:
    heads = ("System", "Median", "Quartiles", "Mean", "95 % interval", "Ratings")
    rows = [
        (
            row["system"], _number(row["median"], 1), _interval(row["q1"], row["q3"], 1), _number(row["mean"], 1),
            _interval(row["ci_low"], row["ci_high"], 1), row["ratings"],
        )
        for row in question["standings"]
    ]  # fmt: skip
    screened = [(one["rater"][:8], one["rule"], f"{one['share']:.0%}") for one in question["screened"]]
    listing = (
        _table(("Listener", "Rule", "Share"), screened, "Excluded after ITU-R BS.1534-3", texts=2) if screened else ""
    )
    return _table(heads, rows) + listing


TABLES = {"pairs": _pairs, "mos": _opinions, "mushra": _grades}


def _tests(question: dict[str, Any]) -> str:
    if not question.get("tests"):
        return ""
    rows = [
        (
            one["system_a"], one["system_b"], _number(one["difference"], 2), _number(one["p_value"], 4),
            _number(one["adjusted"], 4), one["pairs"],
        )
        for one in question["tests"]
    ]  # fmt: skip
    return _table(("System", "against", "Difference", "p", "p (Holm)", "Pairs"), rows, "Tests between systems", texts=2)


def _published(table: dict[str, Any]) -> str:
    rows = [(row["system"], _number(row["elo"], 0), _interval(row["low"], row["high"], 0)) for row in table["rows"]]
    told = f"Published: {table['table']} ({table['source']}); other systems and listeners."
    return _table(("System", "Elo", "95 % interval"), rows, told)


def _exclusions(view: View) -> str:
    excluded = [(rater[:8], "excluded", reason) for rater, reason in view.raters["excluded"].items()]
    counted = view.content["filters"]["flagged"]
    flagged = [
        (rater[:8], "flagged, counted" if counted else "flagged, left out", ", ".join(flags).replace("_", " "))
        for rater, flags in view.raters["flagged"].items()
    ]
    if not excluded and not flagged:
        return ""
    return "<h2>Exclusions</h2>" + _table(("Listener", "What", "Why"), [*excluded, *flagged], texts=3)

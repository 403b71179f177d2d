"""Measured figures, read from the tables of a Markdown report."""

from __future__ import annotations

import math
import re

from app.errors import UserError
from app.samples.schema import ROOT, Report, System, Table


def figures_of(table: Table, system: System) -> dict[str, float]:
    """A system's figures by column: those of its description, the rest from the report; what is not there is left out.

    Raises:
        UserError: the report has no such heading, no table below it, or lacks a column that is asked for.
    """
    read = {}
    if table.report and system.row:
        rows = report_rows(table.report)
        columns = [figure.column for figure in table.figures]
        if missing := [one for one in columns if all(one not in row for row in rows)]:
            raise UserError(
                f"{table.report.path} has no column {missing[0]} below '{table.report.heading}'; "
                f"name one of {', '.join(rows[0])}.",
                code="bad_samples",
            )
        row = next((row for row in rows if row.get("system") == system.row), {})
        read = {name: value for name in columns if (value := _number(row.get(name, ""))) is not None}
    return {**read, **system.figures}


def report_rows(report: Report) -> list[dict[str, str]]:
    """The rows of the first table below a heading.

    Raises:
        UserError: there is no such heading, or no table below it.
    """
    text = (ROOT / report.path).read_text(encoding="utf-8")
    section = re.search(rf"^#+ {re.escape(report.heading)}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    table = re.search(r"(?:^\|.*\n){3,}", section[1] + "\n", re.M) if section else None
    if table is None:
        raise UserError(
            f"{report.path} has no table below the heading '{report.heading}'; name a heading that has one.",
            code="bad_samples",
        )
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None

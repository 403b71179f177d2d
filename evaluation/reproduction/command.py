"""`python -m evaluation reproduce REPORT`: from measurements to verdicts, in one run."""

import argparse
import sys
from pathlib import Path
from typing import Any

from evaluation.errors import InputError
from evaluation.reproduction import music_command, speech_command
from evaluation.reproduction.section import Prepared, Section
from evaluation.tables import markdown_table, write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the reports."""
    reports = parser.add_subparsers(required=True, metavar="REPORT", parser_class=type(parser))
    for name, describes, module in (
        ("speech", "tables 1 and 2, figure 2, appendices E.5 and F", speech_command),
        ("music", "tables 4 to 11, figure 3", music_command),
    ):
        report = reports.add_parser(name, help=describes)
        report.add_argument("--out", type=Path, default=Path(f"evaluation/reports/{name}.md"), help="Markdown file")
        report.add_argument("--work", type=Path, default=Path("data/reproduction"), help="where measurements are kept")
        report.add_argument("--sections", nargs="+", metavar="NAME", help="only these are measured")
        report.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="of generation")
        module.add_arguments(report)
        report.set_defaults(run=run, prepare=module.prepare)


def run(options: argparse.Namespace) -> None:
    """Measure what is not measured yet, compare, write the report.

    Raises:
        InputError: An unknown section, a missing model or package, or a folder that is not there.
    """
    if not options.out.parent.is_dir():
        raise InputError(f"There is no folder {options.out.parent} for the report; make it first.")
    prepared: Prepared = options.prepare(options)
    known = prepared.sections
    asked = options.sections or list(known)
    for name in asked:
        if name not in known:
            raise InputError(f"There is no section {name!r}; choose from {', '.join(known)}.")
    written = list(known) if prepared.whole else asked
    made: dict[str, list[str]] = {}
    for name in dict.fromkeys([*asked, *written]):  # what is measured now may be told in other sections as well
        print(f"section {name}", file=sys.stderr, flush=True)
        made[name] = shown(known[name]())
    parts = [prepared.introduction, *(part for name in written for part in made[name])]
    write_text(options.out, "\n\n".join(parts) + "\n")
    print(options.out)


def shown(section: Section) -> list[str]:
    """A section as paragraphs, its orders last."""
    from evaluation.reproduction.orders import HEADER, table_rows

    rows: Any = table_rows(section.orders)
    return [f"## {section.title}\n\n{section.text}", *([markdown_table(HEADER, rows)] if rows else [])]

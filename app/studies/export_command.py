"""`python -m app export`: a study's data as files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.db.engine import open_database
from app.settings import load_settings
from app.studies.export import export_study
from app.studies.sheets import FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--study", required=True, metavar="NAME", help="the study's name in the address bar")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="made when missing")
    parser.add_argument("--format", action="append", choices=FORMATS, help="may be given several times; default csv")
    parser.add_argument(
        "--anonymous", action="store_true", help="leave out ids of panels, completion codes and questionnaires"
    )
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    database = open_database(load_settings().resolved_database_url())
    try:
        formats = tuple(dict.fromkeys(options.format or ["csv"]))
        written = export_study(database, options.study, options.out, formats=formats, anonymous=options.anonymous)
    finally:
        database.close()
    print(f"{len(written)} files of the study '{options.study}':", file=sys.stderr)
    for path in written:
        print(path)

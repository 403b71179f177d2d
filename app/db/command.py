"""`python -m app backup` and `python -m app restore`."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from app.db.backup import backup, restore
from app.settings import load_settings


def add_backup(parser: argparse.ArgumentParser) -> None:
    """The command that writes a backup."""
    parser.add_argument("--out", type=Path, metavar="FILE.zip", help="default: calm-DATE-TIME.zip in this folder")
    parser.set_defaults(run=_backup)


def add_restore(parser: argparse.ArgumentParser) -> None:
    """The command that brings a backup back."""
    parser.add_argument("file", type=Path, metavar="FILE.zip")
    parser.add_argument("--replace", action="store_true", help="take the place of records that are there")
    parser.add_argument(
        "--without-journal", action="store_true", help="leave out what was recorded after the backup; it is set aside"
    )
    parser.set_defaults(run=_restore)


def _backup(options: argparse.Namespace) -> None:
    settings = load_settings()
    out = options.out or Path(f"calm-{datetime.now():%Y%m%d-%H%M%S}.zip")
    votes = backup(settings.resolved_database_url(), settings.records_dir, out)
    print(f"{votes} votes are in the backup.", file=sys.stderr)
    print(out)


def _restore(options: argparse.Namespace) -> None:
    settings = load_settings()
    found = restore(
        options.file,
        settings.resolved_database_url(),
        settings.records_dir,
        replace=options.replace,
        without_journal=options.without_journal,
    )
    print(f"The backup is restored; {found.applied} later changes came from the journal.", file=sys.stderr)

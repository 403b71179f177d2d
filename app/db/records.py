"""Open the database with its journal, and on a Space with its copy on the Hub."""

from __future__ import annotations

from pathlib import Path

from app.db.engine import Database, open_database
from app.db.hub_copy import HubCopy
from app.db.journal import Journal
from app.db.replay import replay
from app.settings import Settings

JOURNAL = "journal"
MEDIA = "media"


def open_from(settings: Settings) -> Database:
    """The records that the settings name, with their copy on the Hub where there is one.

    Raises:
        UserError: as `open_records`.
    """
    repo = settings.resolved_journal_repo()
    copy = HubCopy(settings.records_dir, repo, every_minutes=settings.journal_minutes) if repo else None
    return open_records(settings.resolved_database_url(), settings.records_dir, copy)


def open_records(url: str, folder: Path, copy: HubCopy | None = None) -> Database:
    """Open the database, bring in what only the journal has, and take down every change from now on.

    Args:
        url: SQLAlchemy address.
        folder: what has to outlive the disk: `journal/` and `media/`.
        copy: where `folder` is copied to, when the disk does not last.

    Raises:
        UserError: the database, the journal or its copy cannot be used.
    """
    if copy:
        copy.pull()
    database = open_database(url)
    try:
        found = replay(folder / JOURNAL, database)
        guard = copy.start() if copy else None
        journal = Journal(folder / JOURNAL, after=found.newest, guard=guard)
        if copy:
            journal.on_close(copy.close)
        database.recorder = journal
    except BaseException:
        database.close()
        raise
    return database

"""What comes with the Space is put into the database when it starts, beside everything else that starts."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from app.db import Database
from app.errors import UserError
from app.settings import ASSETS

log = logging.getLogger(__name__)
STUDIES = ASSETS / "studies"


def add_bundled_studies(database: Database, media_root: Path, folder: Path = STUDIES) -> threading.Thread:
    """Add and open the bundled studies that are not there yet, in a thread of its own.

    A study that cannot be added is told in the log and keeps nothing from starting.
    """

    def failed(path: Path, error: UserError) -> None:
        log.error("The bundled study %s cannot be added: %s", path.name, error.message)

    def work() -> None:
        # loudness needs scipy, which takes its time to load and nobody waits for here
        from app.studies.create import install

        try:
            for made in install(database, media_root, folder, failed):
                log.info("The bundled study %s is open.", made.slug)
        except UserError as error:
            log.error("The bundled studies cannot be added: %s", error.message)

    thread = threading.Thread(target=work, name="bundled-studies", daemon=True)
    thread.start()
    return thread
